"""Recording what a client answered by telephone, at a meeting or on paper: staff put it into the inbox like any answer.

What was entered is kept aside (``staged/``) between looking at what comes of it and confirming that; the evidence goes
into the record of the engagement.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from include.casework.correspondence import addressee
from include.casework.desks import REQUEST_DESKS
from include.casework.inbox_drop import UNKNOWN, Dropped, drop, joined_reply, stored_names
from include.casework.interventions import Change, Intervention, Mailing, Plan, open_request, reasoned
from include.casework.office import Case
from include.casework.receiving import asked_items
from include.engagement.errors import RuleBroken
from include.engagement.form import column_value
from include.engagement.items import FileSeen, Standing, assess, problem_words
from include.engagement.process import Text
from include.engagement.replies import Reply
from include.register.models import Document, Request
from include.screening import find_antivirus, installed_limits, screen
from include.storage import Storage, safe_name
from include.storage.base import NotStored

KEPT_SECONDS = 24 * 3600  # what was entered and never confirmed


@dataclass(frozen=True)
class File:
    """An uploaded file under its own name."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class AnswerForClient(Intervention):
    """Hand in an answer to an open request of the client: ``answers`` and ``files`` by item, a decision, its words.

    ``items`` are the changes asked for; ``evidence`` shows that the client said so.
    """

    request: str
    answers: Mapping[str, str]
    reply: str
    message: str
    items: Sequence[str]
    files: Mapping[str, File]
    evidence: File | None
    reason: str
    kind: ClassVar[str] = "answered_by_staff"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        request = open_request(case, self.request, of="client")
        reasoned(self.reason, "ghi thay khách (khách đã nói gì, lúc nào, với ai)")
        if self.evidence is None:
            raise RuleBroken("Xin gửi kèm tệp làm bằng chứng: thư, ảnh chụp tin nhắn, biên bản có chữ ký.")
        if why := _problem(self.evidence):
            raise RuleBroken(f"Tệp làm bằng chứng không nhận được: {why.vi}")
        replies = REQUEST_DESKS[request.kind].replies(request.round)
        if replies and self.reply not in replies:
            raise RuleBroken("Xin chọn khách trả lời thế nào.")
        if self.reply == "changes" and not self.items:
            raise RuleBroken("Xin ghi từng điểm khách muốn chỉnh sửa, mỗi dòng một điểm.")
        if not replies and not self.answers and not self.files:
            raise RuleBroken("Chưa có mục nào được trả lời.")
        changes, missing = self._outcome(case, request)
        mails = []
        if not replies and not (request.kind == "evaluation" and not missing):
            what = Text("Thư báo còn thiếu", "What is still missing") if missing else Text("Thư báo đã nhận đủ",
                                                                                        "All was received")  # fmt: skip
            mails.append(Mailing(what, addressee(case, "client")[1]))
        return Plan(
            changes=(*changes, *((Change(Text("Trả lời", "Reply"), "–", REPLIES[self.reply].vi),) if replies else ())),
            mails=tuple(mails),
            notes=(Text("Câu trả lời vào hộp nhận như khách tự gửi: tệp được kiểm tra, mục chưa đạt được hỏi lại. Bằng "
                        "chứng và lý do nằm trong sổ của hồ sơ." + _STILL.vi * bool(missing),
                        "The answer goes into the inbox as if the client had sent it: files are checked, what does not "
                        "do is asked for again. Evidence and reason are kept in the record."
                        + _STILL.en * bool(missing)),),
        )  # fmt: skip

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention. Raises InboxBusy."""
        request = open_request(case, self.request, of="client")
        assert self.evidence is not None
        document = _kept_evidence(case, request, self.evidence, nonce)
        storage, folder = case.office.storage, f"inbox/{case.id}/{request.key}/"
        names = stored_names([f"{key}.{_ending(file.name)}" for key, file in self.files.items()],
                             mark=f"staff{sha256(nonce.encode()).hexdigest()[:8]}n")  # fmt: skip
        answer = Dropped(
            answers=self.answers, reply=self.reply or None, message=self.message, items=self.items,
            files={name: file.data for name, file in zip(names, self.files.values(), strict=True)},
            mark=f"staff/{nonce}",
        )  # fmt: skip
        drop(storage, folder, answer, joined_reply(storage, folder, answer))
        return {"request": request.key, "document": document.id,
                "reason": reasoned(self.reason, "ghi thay khách")}  # fmt: skip

    def _outcome(self, case: Case, request: Request) -> tuple[list[Change], list[str]]:
        """Return what becomes of each item that is answered, and the keys of what is still missing then."""
        items = asked_items(request, case)
        rows = {row.key: row for row in case.items(request)}
        standing = {row.key: Standing(row.key, row.required, row.state, row.reason) for row in rows.values()}
        reply = Reply(answers=dict(self.answers), files={}, reply=self.reply or None, message=self.message,
                      items=list(self.items), manifest={})  # fmt: skip
        seen = [FileSeen(file.name, key, _problem(file)) for key, file in self.files.items()]
        found = assess(items, standing, reply, seen)
        returned = dict(found.returned)
        if request.kind in ("intake", "information"):
            for item in items:
                if item.column and item.key in found.received:
                    _, why = column_value(item.column, found.received[item.key])
                    returned |= {item.key: why} if why else {}
        labels = {item.key: item.label for item in items}
        changes, missing = [], []
        for key, row in rows.items():
            came = key in found.received or key in found.received_files
            before = _STATES[row.state]
            if key in returned:
                changes.append(Change(labels[key], before, f"trả lại: {returned[key].vi}"))
            elif came:
                changes.append(Change(labels[key], before, "đã nhận"))
            if row.required and (key in returned or not (came or row.state == "received")):
                missing.append(key)
        return changes, missing


REPLIES = {
    "accept": Text("đồng ý", "accepts"), "negotiate": Text("muốn thương lượng", "wants to negotiate"),
    "decline": Text("không đồng ý", "declines"), "changes": Text("yêu cầu chỉnh sửa", "asks for changes"),
}  # fmt: skip
_STATES = {"missing": "còn thiếu", "received": "đã nhận", "returned": "trả lại"}
_STILL = Text(" Yêu cầu vẫn mở vì còn mục bắt buộc chưa có.", " The request stays open: required items are missing.")


def stage(storage: Storage, engagement_id: str, nonce: str, answer: AnswerForClient) -> None:
    """Keep what was entered until it is confirmed; what was never confirmed goes after a day."""
    for entry in storage.list(f"staged/{engagement_id}/"):
        if entry.age_seconds > KEPT_SECONDS:
            storage.delete(entry.path)
    packed = {**asdict(answer), "items": list(answer.items)}
    data = json.dumps(packed, default=lambda raw: base64.b64encode(raw).decode()).encode()
    storage.put(_staged(engagement_id, nonce), data, media_type="application/json")


def staged(storage: Storage, engagement_id: str, nonce: str) -> AnswerForClient:
    """Return what was entered. Raises RuleBroken (Vietnamese) when it is no longer kept."""
    try:
        packed = json.loads(storage.get(_staged(engagement_id, nonce)))
    except NotStored:
        raise RuleBroken("Câu trả lời đã nhập không còn được giữ: xin nhập lại.") from None
    packed["files"] = {key: _file(file) for key, file in packed["files"].items()}
    packed["evidence"] = packed["evidence"] and _file(packed["evidence"])
    return AnswerForClient(**packed)


def unstage(storage: Storage, engagement_id: str, nonce: str) -> None:
    """Forget what was entered."""
    storage.delete(_staged(engagement_id, nonce))


def _staged(engagement_id: str, nonce: str) -> str:
    return f"staged/{engagement_id}/{sha256(nonce.encode()).hexdigest()[:32]}.json"


def _file(packed: Mapping[str, str]) -> File:
    return File(packed["name"], base64.b64decode(packed["data"]))


def _ending(name: str) -> str:
    return safe_name(name).rpartition(".")[2]


def _problem(file: File) -> Text | None:
    """Return why a file cannot be taken: it is looked at like any file from outside."""
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        path = Path(folder, "file")
        path.write_bytes(file.data)
        verdict = screen(path, name=file.name, limits=installed_limits(), antivirus=find_antivirus())
    return problem_words(verdict.code) if verdict.code else None


def _kept_evidence(case: Case, request: Request, file: File, nonce: str) -> Document:
    occasion, key = f"evidence/{nonce}", f"evidence/{request.key}"
    if (found := case.made_on(occasion)) is not None:
        return found
    digest = sha256(file.data).hexdigest()
    mark = sha256(nonce.encode()).hexdigest()[:8]
    path = f"engagements/{case.id}/evidence/{request.key}/{mark}-{safe_name(file.name)}"
    case.office.storage.put(path, file.data, media_type=UNKNOWN)
    previous = case.latest(key)
    document = Document(
        engagement_id=case.id, key=key, version=previous.version + 1 if previous else 1, occasion=occasion,
        stage=request.stage, direction="received", number=None, path=path, sha256=digest, size=len(file.data),
        media_type=UNKNOWN, language=None, template_sha256=None, day=case.today,
    )  # fmt: skip
    case.session.add(document)
    case.session.flush()
    return document
