"""What staff do in an engagement by hand. Each is done once, and its event names who did it and why."""

from __future__ import annotations

from sqlalchemy import select

from include.casework.correspondence import portal_link, post
from include.casework.inbox_drop import Dropped, drop, joined_reply, stored_names
from include.casework.office import Case
from include.casework.receiving import asked_items
from include.engagement.errors import RuleBroken
from include.engagement.text import cleaned
from include.register.models import Document, Mail, Request

UNASSIGNED = "received/unassigned"


def revoke_links(case: Case, *, by: str, reason: str) -> None:
    """Make all links of the engagement worthless. Raises RuleBroken (Vietnamese) without a reason."""
    if not cleaned(reason):
        raise RuleBroken("Xin ghi lý do thu hồi đường dẫn.")
    case.engagement.link_version += 1
    key = f"links_revoked/{case.engagement.link_version}"
    case.event("links_revoked", key=key, by=by, reason=cleaned(reason)[:500])
    case.session.commit()


def send_link(case: Case, request_key: str, *, by: str) -> Mail:
    """Send the client a new link to an open request, once for each version of the links and day.

    It goes to the address on file. Raises RuleBroken (Vietnamese) when the request is not open to the client, or there
    is no portal.
    """
    request = case.session.scalar(
        select(Request).where(Request.engagement_id == case.id, Request.key == request_key)
    )
    if request is None or not portal_link(case, request):
        raise RuleBroken("Yêu cầu này không còn mở cho khách, nên không có đường dẫn để gửi.")
    occasion = f"new_link/{request.key}/{case.today.isoformat()}/{case.engagement.link_version}"
    mail = post(case, "new_link", occasion, request=request, stage=request.stage)
    case.event("link_sent_by_staff", key=occasion, request=request.key, by=by)
    case.session.commit()
    return mail


def unassigned(case: Case) -> list[Document]:
    """Return the files that came without saying which item they are, and were not assigned since."""
    rows = case.session.scalars(
        select(Document).where(Document.engagement_id == case.id, Document.key == UNASSIGNED).order_by(Document.id)
    )
    return [row for row in rows if case.happened(f"file_assigned/{row.id}") is None]


def assign_file(case: Case, document_id: int, item_key: str, *, by: str) -> None:
    """Hand a file that came without an item in again, as that item: it is checked and acknowledged like any other.

    Raises RuleBroken (Vietnamese) when there is no such file or item, or the request is closed; InboxBusy.
    """
    document = case.session.get(Document, document_id)
    if document is None or document.engagement_id != case.id or document.key != UNASSIGNED:
        raise RuleBroken("Không có tệp này trong số tệp chưa xếp.")
    if case.happened(f"file_assigned/{document.id}") is not None:
        return
    request = case.session.scalar(
        select(Request).where(Request.engagement_id == case.id, Request.key == document.path.split("/")[3])
    )
    if request is None or request.status != "open":
        raise RuleBroken("Yêu cầu mà tệp này trả lời đã khép lại.")
    if item_key not in {item.key for item in asked_items(request, case) if item.kind == "file"}:
        raise RuleBroken(f"Yêu cầu này không có mục tệp “{item_key}”.")
    ending = document.path.rpartition(".")[2]
    [name] = stored_names([f"{item_key}.{ending}"], mark=f"staff{document.id}n")
    folder = f"inbox/{case.id}/{request.key}/"
    answer = Dropped(files={name: case.office.storage.get(document.path)}, mark=f"assigned/{document.id}")
    drop(case.office.storage, folder, answer, joined_reply(case.office.storage, folder, answer))
    case.event("file_assigned", key=f"file_assigned/{document.id}", document=document.id, item=item_key, by=by)
    case.session.commit()
