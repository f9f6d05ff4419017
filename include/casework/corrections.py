"""Correcting what the file of an engagement says of its client.

What was sent stays as it was sent: papers made from now on state the corrected fact, and the intake record, which only
staff read, is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import select

from include.casework.facts import number_text
from include.casework.intake import still_missing
from include.casework.interventions import Change, Intervention, Plan, reasoned, refuse_closed
from include.casework.office import Case
from include.engagement.errors import RuleBroken
from include.engagement.form import FIELDS, entered_form
from include.engagement.intake import SECTIONS, Question
from include.engagement.process import INTAKE_ITEMS, Text
from include.register.models import Request, RequestItem

# The language is that of every paper sent so far, the consent is the client's to give, add-ons are agreed terms.
CORRECTABLE: dict[str, Question] = {
    question.path: question
    for section in SECTIONS for question in section.questions
    if question.path in FIELDS and question.path not in ("language", "consent")
}  # fmt: skip
EMAIL = "client.contact.email"


@dataclass(frozen=True)
class Correct(Intervention):
    """Put ``entries`` (as typed, by the paths of ``CORRECTABLE``) in the place of what the file says."""

    entries: Mapping[str, str]
    reason: str
    kind: ClassVar[str] = "facts_corrected"

    def plan(self, case: Case) -> Plan:
        """See Intervention."""
        refuse_closed(case)
        form, refused = corrected(case.form, self.entries)
        if refused:
            raise RuleBroken("Có mục chưa đúng: " + "; ".join(
                f"{CORRECTABLE[path].label.vi} {why.vi}" for path, why in refused.items()))  # fmt: skip
        paths = _different(case.form, form)
        if not paths:
            raise RuleBroken("Chưa có mục nào được sửa.")
        reasoned(self.reason, "sửa thông tin")
        before, after = as_entered(case.form), as_entered(form)
        notes = [Text("Văn bản đã lập giữ nguyên như đã gửi; văn bản và thư lập từ nay ghi thông tin mới. Phiếu tiếp "
                      "nhận (chỉ nhân viên đọc) được lập bản mới. Không thư nào được gửi.",
                      "Papers made so far stay as they were sent; those made from now on say what is corrected. The "
                      "intake record, which only staff read, gets a new version. No mail goes out.")]  # fmt: skip
        if EMAIL in paths:
            notes.append(Text("Đường dẫn đã gửi đến địa chỉ cũ không dùng được nữa: hãy gửi đường dẫn mới sau đó.",
                              "Links sent to the old address no longer work: send a new one afterwards."))  # fmt: skip
        if _still_asked(case, paths):
            notes.append(Text("Khách vẫn đang được hỏi mục này; muốn ghi thay khách, hãy dùng “Ghi câu trả lời thay "
                              "khách” ở yêu cầu đang mở.",
                              "The client is still asked for it; to answer for them, use “Record an answer” at the "
                              "open request."))  # fmt: skip
        return Plan(
            changes=tuple(Change(CORRECTABLE[path].label, before[path] or "–", after[path] or "–") for path in paths),
            notes=tuple(notes),
        )

    def apply(self, case: Case, *, by: str, nonce: str) -> Mapping[str, Any] | None:
        """See Intervention. The event names the fields, not what stood in them: it is never deleted."""
        form, _ = corrected(case.form, self.entries)
        paths = _different(case.form, form)
        case.engagement.form = form
        case.event(self.kind, key=f"{self.kind}/{nonce}", by=by, fields=list(paths),
                   reason=reasoned(self.reason, "sửa thông tin"))  # fmt: skip
        if case.latest("intake_record") is not None:
            case.document("intake_record", f"corrected/{nonce}", missing=still_missing(case))
        return None


def corrected(form: Mapping[str, Any], entries: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Text]]:
    """Return the form with the entries in their places, and why each entry that does not fit does not."""
    known = {path: text for path, text in entries.items() if path in CORRECTABLE}
    filled, refused = entered_form({**as_entered(form), **known})
    return {**form, **filled, "language": form["language"], "consent": form["consent"],
            "add_ons": form["add_ons"]}, refused  # fmt: skip


def as_entered(form: Mapping[str, Any]) -> dict[str, str]:
    """Return what can be corrected, as a person would type it."""
    return {path: _typed(_value(form, path)) for path in CORRECTABLE}


def _typed(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else number_text(value, "vi")


def _value(form: Mapping[str, Any], path: str) -> Any:
    value: Any = form
    for name in path.split("."):
        value = value[name]
    return value


def _different(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [path for path in CORRECTABLE if _value(before, path) != _value(after, path)]


def _still_asked(case: Case, paths: list[str]) -> bool:
    keys = [item.key for item in INTAKE_ITEMS if item.column in paths]
    return case.session.scalar(
        select(RequestItem.id).join(Request, Request.id == RequestItem.request_id)
        .where(Request.engagement_id == case.id, Request.kind == "intake", Request.status == "open",
               RequestItem.key.in_(keys), RequestItem.state != "received").limit(1)
    ) is not None  # fmt: skip
