"""The players of a rehearsal: clients (and the service department) answer mail, staff decide in Airflow.

They use what people use: the mail that arrived and the link in it, the inbox, Airflow's sign-offs. The register tells
them only what a mail's reader knows too (when something is due, what is missing).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from rehearsal.attachments import make_file
from rehearsal.letters import Letter
from rehearsal.mail_reply import reply_to
from rehearsal.portal_visit import PortalFailed, link_in
from rehearsal.record import AskedDecision, OpenRequest
from rehearsal.scenario import Answer, Decision, Scenario

GRANTED_BY_DEFAULT = 5
# Mails that carry a request's address but ask for nothing new.
NOT_ASKING = frozenset({"reminder", "escalation", "digest", "items_complete"})


class RehearsalFailed(Exception):
    """The rehearsal cannot go on; the message names the engagement, the task and what happened."""


# --- Clients and the service department -----------------------------------------------------------------


@dataclass(frozen=True)
class Deed:
    """What somebody will do on ``day``: answer ``request`` with ``answer`` (None: completely)."""

    engagement_id: str
    request: str
    times_asked: int
    day: date
    answer: Answer | None


@dataclass
class Correspondents:
    """Everybody who answers. ``plays`` maps engagement ids to their scenarios.

    With ``visit`` (``rehearsal.portal_visit.visit``) a client answers every other request through the portal, with
    ``post`` (which sends a mail and sees to it that it is read) the others by replying to the mail.
    """

    storage: Path
    calendar: WorkingCalendar
    plays: dict[str, Scenario] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    visit: Callable[[str, Mapping[str, Any], Mapping[str, bytes]], bool] | None = None
    post: Callable[[EmailMessage], None] | None = None
    _asking: dict[tuple[str, str], Letter] = field(default_factory=dict)
    _links: dict[tuple[str, str], str] = field(default_factory=dict)
    _answered: dict[str, int] = field(default_factory=dict)
    _planned: set[tuple[str, str, int]] = field(default_factory=set)
    _taken: dict[tuple[str, str], int] = field(default_factory=dict)

    def plan(
        self, letters: Iterable[Letter], requests: Iterable[OpenRequest], templates: Mapping[str, str]
    ) -> list[Deed]:
        """Return what newly arrived mails make their readers do.

        A reminder asks for nothing new. A client acts on each asking by its own mail; the service department
        works through its request once it was assigned.
        """
        asked: dict[tuple[str, str], set[str]] = {}
        for letter in letters:
            if link := link_in(letter.text):
                self._links[letter.engagement, letter.request] = link
            if letter.request and templates.get(letter.message_id, "") not in NOT_ASKING:
                asked.setdefault((letter.engagement, letter.request), set()).add(letter.message_id)
                self._asking[letter.engagement, letter.request] = letter
        new = []
        for request in requests:
            mails = len(asked.get((request.engagement_id.upper(), request.key.lower()), ()))
            by_department = process.REQUESTS[request.kind].of == "service_department"
            identity = (request.engagement_id, request.key, request.times_asked)
            if identity in self._planned or not mails or (mails < request.times_asked and not by_department):
                continue
            self._planned.add(identity)
            new.append(self._deed(request))
        self.deeds += new
        return new

    def is_planned(self, request: OpenRequest) -> bool:
        """Say whether somebody will answer ``request`` as it was last asked."""
        return (request.engagement_id, request.key, request.times_asked) in self._planned

    def _deed(self, request: OpenRequest) -> Deed:
        answer = self._entry(request)
        if answer is None or answer.after_days is None:
            day = self.calendar.first_on_or_after(request.due)
        else:
            day = self.calendar.add(request.asked, answer.after_days)
        return Deed(request.engagement_id, request.key, request.times_asked, day, answer)

    def _entry(self, request: OpenRequest) -> Answer | None:
        entries = self.plays[request.engagement_id].answers.get(request.kind, ())
        if request.kind == "monitoring":  # its list goes by visits: a visit asked again is completed
            number = request.round - 1 if request.times_asked == 1 else len(entries)
        else:
            number = self._taken.get((request.engagement_id, request.kind), 0)
            self._taken[request.engagement_id, request.kind] = number + 1
        return entries[number] if number < len(entries) else None

    def due(self, day: date) -> list[Deed]:
        """Return what is to be done on ``day`` or before."""
        return [deed for deed in self.deeds if deed.day <= day]

    def perform(self, deed: Deed, request: OpenRequest, *, day: date) -> str:
        """Answer a request through the portal, by mail or by the inbox; return in a few words what was sent."""
        self.deeds.remove(deed)
        form = self.plays[deed.engagement_id].form
        files, reply = compose(deed.answer, request, language=form.get("language", "vi"), day=day)
        through_portal = self._through_portal(deed, reply, files)
        by_mail = not through_portal and self._by_mail(deed, request, reply, files)
        if not through_portal and not by_mail:
            put_into_inbox(self.storage, deed.engagement_id, deed.request, files=files, reply=reply)
        parts = ["qua cổng trả lời"] if through_portal else ["trả lời thư"] if by_mail else []
        parts += [reply["reply"]] if reply.get("reply") else []
        parts += [f"{len(reply['answers'])} câu trả lời"] if reply.get("answers") else []
        return ", ".join([*parts, *files]) or "thư trả lời"

    def _through_portal(self, deed: Deed, reply: Mapping[str, Any], files: Mapping[str, bytes]) -> bool:
        link = self._links.get((deed.engagement_id.upper(), deed.request.lower()))
        if self.visit is None or link is None:
            return False
        number = self._answered.get(deed.engagement_id, 0)
        self._answered[deed.engagement_id] = number + 1
        if number % 2:
            return False
        try:
            return self.visit(link, reply, files)
        except PortalFailed as error:
            raise RehearsalFailed(f"{deed.engagement_id}: {deed.request} through the portal: {error}") from error


    def _by_mail(
        self, deed: Deed, request: OpenRequest, reply: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> bool:
        letter = self._asking.get((deed.engagement_id.upper(), deed.request.lower()))
        if self.post is None or letter is None or process.REQUESTS[request.kind].of != "client":
            return False
        form = self.plays[deed.engagement_id].form
        message = reply_to(letter, request.kind, reply, files, sender=form["client"]["contact"]["email"],
                           language=form.get("language", "vi"))  # fmt: skip
        if message is None:
            return False
        self.post(message)
        return True


def compose(
    answer: Answer | None, request: OpenRequest, *, language: str, day: date
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files and the ``reply.json`` (without manifest) that answer ``request``.

    Without ``answer``, or with one that says only when: accepts, or gives every required item that is missing.
    """
    row = process.REQUESTS[request.kind]
    if answer is None or not (answer.answers or answer.files or answer.more_files or answer.reply):
        answer = _complete(answer, request, language)
    reply: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    named: dict[str, str] = {}
    title = f"{request.engagement_id} {request.key} ({request.times_asked})"
    for item, path in answer.files.items():
        named[item], content = _file(path, name=item, title=f"{title}: {item}", taken=files)
        files[named[item]] = content
    for number, path in enumerate(answer.more_files, 1):
        name, content = _file(path, name=f"tai-lieu-{number}", title=f"{title}: {number}", taken=files)
        files[name] = content
    if answer.answers:
        reply["answers"] = answer.answers
    if named:
        reply["files"] = named
    if row.replies:
        reply["reply"] = answer.reply or "accept"
        if answer.message:
            reply["message"] = answer.message
        if answer.reply == "changes":
            reply["items"] = list(answer.items) or [answer.message]
    else:
        # Two letters with the same words are still two letters.
        reply["message"] = answer.message or f"{day:%d/%m/%Y} ({request.times_asked})"
    return files, reply


def _complete(answer: Answer | None, request: OpenRequest, language: str) -> Answer:
    items = {item.key: item for item in process.REQUESTS[request.kind].items}
    answers: dict[str, Any] = {}
    files: dict[str, str] = {}
    for key in request.missing:
        item = items.get(key) or process.Item(key, process.Text(key, key), "text")
        if item.kind == "file":
            kind = next((kind for kind in ("pdf", "docx", "xlsx") if kind in (item.formats or ("pdf",))), "pdf")
            files[key] = f"auto:{kind}"
        else:
            answers[key] = plausible_value(item, language)
    if request.kind == "delivery":
        files["financial_model"] = "auto:xlsx"
    return Answer(answers=answers, files=files, message=answer.message if answer else "",
                  items=answer.items if answer else ())  # fmt: skip


# Values that must hold by themselves (a checksum, a dialling code) or would look odd with the general rule.
_VALUES: dict[str, Any] = {
    "tax_code": "0100109106", "phone": "0912345678", "bank_account": "0011002233445", "horizon_months": 36,
    "employees": 25, "jobs": 25, "recommend": 9, "revenue_vnd": 1_500_000_000, "cost_vnd": 1_200_000_000,
}  # fmt: skip


def plausible_value(item: process.Item, language: str) -> Any:
    """Return what a client might answer to ``item``."""
    if item.key in _VALUES:
        return _VALUES[item.key]
    if item.kind == "number":
        return 5_000_000_000 if item.unit == "VND" else 5
    if language == "en":
        return f"{item.label.en}: as described at our meeting"
    return f"{item.label.vi}: như đã trao đổi"


def _file(path: str, *, name: str, title: str, taken: Collection[str]) -> tuple[str, bytes]:
    if path.startswith("auto:"):
        return f"{name}.{path[5:]}", make_file(path[5:], title=title)
    file = Path(path)
    return (f"{name}-{file.name}" if file.name in taken else file.name), file.read_bytes()


def put_into_inbox(
    storage: Path, engagement_id: str, request: str, *, files: Mapping[str, bytes], reply: Mapping[str, Any]
) -> None:
    """Write an answer into the inbox: each file appears whole, ``reply.json`` with its manifest last."""
    folder = storage / "inbox" / engagement_id / request
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    whole = {**reply, "manifest": manifest}
    letter = json.dumps(whole, ensure_ascii=False, indent=1).encode()
    for name, content in [*files.items(), ("reply.json", letter)]:
        unfinished = folder / f".{name}.part"
        unfinished.write_bytes(content)
        os.replace(unfinished, folder / name)


def unread(storage: Path, engagement_id: str) -> list[str]:
    """Return the files in an engagement's inbox that nobody has taken yet."""
    folder = storage / "inbox" / engagement_id
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    )


# --- Staff ----------------------------------------------------------------------------------------------


class Pending(Protocol):
    """A sign-off that waits in Airflow (``local.airflow_api.PendingSignOff``)."""

    @property
    def run_id(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def options(self) -> list[str]: ...
    @property
    def task_id(self) -> str: ...


@dataclass(frozen=True)
class Choice:
    """A decision as Airflow takes it: the option's label and every field of the form. ``note``: why, if odd."""

    gate: str
    label: str
    params: dict[str, Any]
    note: str = ""


def gate_of(pending: Pending) -> str:
    """Return the gate of ``process.SIGN_OFFS`` that offers these options. Raises RehearsalFailed for none."""
    offered = set(pending.options)
    found = [key for key, row in process.SIGN_OFFS.items() if offered and offered <= set(row.options.values())]
    exact = [key for key in found if offered == set(process.SIGN_OFFS[key].options.values())]
    if not found:
        raise RehearsalFailed(f"{pending.run_id}: nobody knows the sign-off with the options {sorted(offered)}")
    return (exact or found)[0]


def member_of(pending: Pending) -> str:
    """Return the key of the council member who is asked; empty: none is."""
    return next((member.key for member in process.COUNCIL if pending.task_id.endswith(f".score_{member.key}")), "")


def engagement_of(run_id: str) -> str:
    """Return the engagement id of a run: its id, or what stands before ``__``."""
    return run_id.partition("__")[0]


def decide(scenario: Scenario, asked: AskedDecision, *, decided: int) -> Choice:
    """Return what staff decide; ``decided`` is how often this gate was decided before."""
    staff, gate = scenario.staff, asked.gate
    option, note = _plain_yes(gate), ""
    entries: dict[str, Any] = {}
    if gate == "first_meeting":
        option = "yes" if staff.first_meeting else "no"
    elif gate == "information_review":
        option, entries = _as_decided(_nth(staff.information_review, asked.round))
    elif gate == "contract_check":
        option, entries = _as_decided(_nth(staff.contract_check, asked.round))
    elif gate == "decision":
        option, entries = _as_decided(staff.decision)
    elif gate == "quote":
        entries = _quote(scenario, asked.round)
    elif gate == "scorecard":
        option, entries = _scorecard(scenario, asked)
    elif gate == "reserve_exhausted":
        option, entries, note = _when_exhausted(scenario, asked.round)
    elif gate == "monitoring_assessment":
        entries = {"advice": "Kết quả phù hợp với kế hoạch; đề nghị tiếp tục theo dõi chi phí."}
    elif gate == "handover_changes":
        entries = {"note": "Đã chỉnh sửa theo yêu cầu của khách."}
    elif gate == "care_call":
        call = staff.care[decided] if decided < len(staff.care) else None
        option = "reached" if call is None or call.reached else "unreached"
        entries = {"outcome": call.outcome if call else "Khách đang triển khai đúng kế hoạch."}
    row = process.SIGN_OFFS[gate]
    params = {entry.key: entries.get(entry.key) for entry in row.entries}
    return Choice(gate, row.options[option], params, note)


def _plain_yes(gate: str) -> str:
    return next(iter(process.SIGN_OFFS[gate].options))


def _nth(decisions: tuple[Decision, ...], number: int) -> Decision:
    return decisions[number - 1] if number <= len(decisions) else Decision("accept")


def _as_decided(decision: Decision) -> tuple[str, dict[str, Any]]:
    return decision.option, {"reason": decision.reason or None}


QUOTE_BY_DEFAULT: dict[str, Any] = {
    "net_vnd": 150_000_000, "vat_percent": 8, "reserve_days": 5, "instalments_percent": [50, 50],
}  # fmt: skip


def _quote(scenario: Scenario, number: int) -> dict[str, Any]:
    """Return the first quote, or what changes in a negotiated one; blank fields keep the value before."""
    revised = scenario.staff.revised_quotes
    if number == 1:
        quote = scenario.staff.quote or QUOTE_BY_DEFAULT
    else:
        quote = revised[number - 2] if number - 2 < len(revised) else {}
    instalments = quote.get("instalments_percent")
    return {**quote, "instalments_percent": ", ".join(f"{part:g}" for part in instalments) if instalments else None}


def _scorecard(scenario: Scenario, asked: AskedDecision) -> tuple[str, dict[str, Any]]:
    rounds = scenario.staff.appraisal
    full = {criterion.key: process.COUNCIL_POINTS for criterion in process.CRITERIA}
    if asked.round > len(rounds):
        return "submit", full
    appraisal = rounds[asked.round - 1]
    if appraisal.scores is not None and asked.who not in appraisal.scores:
        return "absent", {}
    points = appraisal.scores[asked.who] if appraisal.scores is not None else full
    return "submit", {**points, "comment": appraisal.comments.get(asked.who)}


def _when_exhausted(scenario: Scenario, round_: int) -> tuple[str, dict[str, Any], str]:
    staff = scenario.staff
    last = process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS
    if staff.terminate:
        return "terminate", {"reason": "Đã hết thời gian dự trù."}, ""
    if round_ >= last:
        return ("terminate", {"reason": f"Không đạt sau {round_} vòng thẩm định."},
                "không còn vòng nào để cấp thêm ngày: chấm dứt hợp đồng")  # fmt: skip
    note = "" if staff.granted_days else f"kịch bản không nói: cấp thêm {GRANTED_BY_DEFAULT} ngày"
    days = staff.granted_days or GRANTED_BY_DEFAULT
    return "grant_days", {"days": days, "reason": "Cấp thêm ngày để hoàn thiện."}, note
