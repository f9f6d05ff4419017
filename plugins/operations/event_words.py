"""What events are called on pages: their kinds and facts in words. What is unknown here is shown as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from include.engagement import process
from include.engagement.dates import short_date
from include.engagement.process import Language, Text
from include.register.models import Event

KINDS: dict[str, Text] = {
    "registered": Text("Đăng ký hồ sơ", "Registered"),
    "opened": Text("Mở hồ sơ", "Opened"),
    "stage_opened": Text("Bắt đầu giai đoạn", "Stage opened"),
    "stage_closed": Text("Xong giai đoạn", "Stage closed"),
    "asked": Text("Gửi yêu cầu", "Asked"),
    "received": Text("Nhận câu trả lời", "Received an answer"),
    "received_late": Text("Nhận tệp sau khi yêu cầu đã khép", "Received after the request was answered"),
    "quarantined": Text("Cách ly một tệp", "Set a file aside"),
    "contradiction": Text("Phát hiện thông tin mâu thuẫn", "Found a contradiction"),
    "information_accepted": Text("Chấp nhận thông tin", "Information accepted"),
    "decided": Text("Quyết định", "Decided"),
    "answer_refused": Text("Câu trả lời ký duyệt không hợp lệ", "A sign-off's answer was not valid"),
    "second_answer": Text("Có người trả lời sau khi đã quyết định", "Answered after it was decided"),
    "reopened": Text("Quyết định lại", "To be decided anew"),
    "taken_on": Text("Nhận thực hiện", "Taken on"),
    "quote_accept": Text("Khách đồng ý báo giá", "Quote accepted"),
    "quote_negotiate": Text("Khách thương lượng báo giá", "Quote negotiated"),
    "quote_decline": Text("Khách không đồng ý báo giá", "Quote declined"),
    "signed": Text("Hợp đồng có hiệu lực", "Contract in force"),
    "clock_stopped": Text("Dừng tính ngày vì chờ khách", "Clock stopped for the client"),
    "promised_date_moved": Text("Ngày hẹn với khách dời", "Promised date moved"),
    "calendar_changed": Text("Lịch làm việc của công ty thay đổi", "The firm's calendar changed"),
    "verdict": Text("Hội đồng kết luận", "The council's verdict"),
    "days_granted": Text("Cấp thêm ngày", "Days granted"),
    "handed_over": Text("Bàn giao", "Handed over"),
    "handover_accept": Text("Khách nghiệm thu", "Handover accepted"),
    "handover_changes": Text("Khách yêu cầu chỉnh sửa", "Changes asked for"),
    "planned": Text("Lên lịch", "Planned"),
    "archived": Text("Đưa hồ sơ vào lưu trữ", "Archived"),
    "personal_data_exported": Text("Trích xuất dữ liệu cá nhân theo yêu cầu", "Personal data exported"),
    "personal_data_erased": Text("Xoá dữ liệu cá nhân theo yêu cầu", "Personal data erased"),
    "closed": Text("Đóng hồ sơ", "Closed"),
    "ended": Text("Dừng hồ sơ", "Ended by hand"),
    "stopped": Text("Quy trình dừng lại vì lỗi", "The run stopped"),
    "pdf_not_made": Text("Không lập được bản PDF, gửi bản Word", "No PDF could be made"),
    "mail_filed": Text("Đưa thư đến vào hồ sơ", "Mail filed"),
    "mail_filed_by_staff": Text("Nhân viên đưa thư đến vào hồ sơ", "Mail filed by staff"),
    "mail_waits": Text("Thư đến chờ phân loại", "Mail waits to be sorted"),
    "mail_automatic": Text("Nhận thư trả lời tự động", "An automatic reply came"),
    "mail_bounced": Text("Thư bị trả lại", "A mail bounced"),
    "mail_delayed": Text("Thư được báo chậm", "A mail is delayed"),
    "mail_own": Text("Nhận lại thư của chính mình", "Our own mail came back"),
    "mail_duplicate": Text("Nhận lại một thư đã có", "A mail came twice"),
    "mail_stopped": Text("Thư không gửi được, cần người xử lý", "A mail stopped"),
    "mail_settled": Text("Nhân viên xác nhận kết quả của thư", "Staff settled a mail"),
    "mail_taken_over": Text("Thư này đã đi trước khi khôi phục dữ liệu, không gửi lại",
                            "Mail had gone out before the restore"),
    "mail_redirected": Text("Gửi thư đến địa chỉ khác", "Mail redirected"),
    "notice_not_sent": Text("Không gửi được thông báo", "A notice was not sent"),
    "new_link_not_sent": Text("Không gửi được đường dẫn mới", "A new link was not sent"),
    "link_sent_by_staff": Text("Nhân viên gửi đường dẫn mới", "New link sent by staff"),
    "links_revoked": Text("Thu hồi đường dẫn của khách", "Links revoked"),
    "file_assigned": Text("Xếp tệp vào mục", "File assigned to an item"),
    "reminded_by_staff": Text("Nhân viên gửi thư nhắc", "Reminded by staff"),
    "due_extended": Text("Lùi hạn", "Due date extended"),
    "reminders_paused": Text("Tạm dừng nhắc khách", "Reminders paused"),
    "reminders_resumed": Text("Nhắc khách trở lại", "Reminders resumed"),
    "facts_corrected": Text("Sửa thông tin khách hàng", "Facts corrected"),
    "answered_by_staff": Text("Nhân viên ghi câu trả lời thay khách", "Answered by staff for the client"),
}
_NAMES: dict[str, Text] = {
    "by": Text("người làm", "by"), "reason": Text("lý do", "reason"), "why": Text("vì", "because"),
    "round": Text("vòng", "round"), "days": Text("số ngày", "days"), "before": Text("trước", "before"),
    "after": Text("sau", "after"), "due": Text("hạn", "due"), "promised": Text("hẹn khách", "promised"),
    "reserve_days": Text("ngày dự trù", "reserve days"), "item": Text("mục", "item"), "name": Text("tệp", "file"),
    "document": Text("tài liệu", "document"), "version": Text("lần", "version"), "mean": Text("điểm", "points"),
    "task": Text("bước", "task"), "number": Text("kỳ", "number"), "day": Text("ngày", "day"), "who": Text("ai", "who"),
    "fields": Text("mục", "fields"), "answered": Text("trả lời", "answered"), "stands": Text("giữ", "stands"),
}  # fmt: skip
# What only programs read: hashes, paths, and what other facts say already.
_LEFT_OUT = frozenset(("flow", "path", "at", "detail", "incoming", "mail", "again", "code", "unclear"))


def words(event: Event, language: Language) -> tuple[str, str]:
    """Return what an event is called, and what is known of it."""
    kind = KINDS.get(event.kind)
    told = []
    for name, value in event.facts.items():
        text = _fact(name, value, event.facts, language)
        if text:
            told.append(text)
    return kind.in_(language) if kind else event.kind, " · ".join(told)


def _fact(name: str, value: Any, facts: Mapping[str, Any], language: Language) -> str:
    if name in _LEFT_OUT or value in ("", None) or isinstance(value, (dict, bool)):
        return ""
    if isinstance(value, list):
        value = ", ".join(str(part) for part in value if isinstance(part, str)) if name == "fields" else ""
        if not value:
            return ""
    if name == "stage" and value in process.STAGES:
        return process.STAGES[value].title.in_(language)
    if name == "request":
        kind, _, number = str(value).partition("-")
        row = process.REQUESTS.get(kind)
        return (row.title.in_(language) if row else kind) + (f" ({number})" if number else "")
    if name == "gate" and value in process.SIGN_OFFS:
        return process.SIGN_OFFS[value].title
    if name in ("decision", "stands") and (gate := process.SIGN_OFFS.get(str(facts.get("gate")))):
        return gate.options.get(str(value), str(value))
    if name == "outcome":
        return process.OUTCOMES.get(str(value), str(value))
    if name == "round" and value == 1:
        return ""
    label = _NAMES.get(name)
    return f"{label.in_(language) if label else name}: {_day(value)}"


def _day(value: object) -> str:
    try:
        return short_date(date.fromisoformat(str(value))) if len(str(value)) == 10 else str(value)
    except ValueError:
        return str(value)
