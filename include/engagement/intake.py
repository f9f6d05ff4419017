"""What staff enter to open an engagement: the questions of the intake form, as a page and a sheet ask them."""

from __future__ import annotations

from dataclasses import dataclass

from include.engagement.process import INTAKE_ITEMS, Text


@dataclass(frozen=True)
class Question:
    """A field of ``form.ENTRIES`` as staff are asked for it; ``wide``: one that takes the width of a page."""

    path: str
    label: Text
    help: Text | None = None
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """Questions that belong together."""

    key: str
    title: Text
    questions: tuple[Question, ...]


_LABELS = {item.column: item.label for item in INTAKE_ITEMS}
_AMOUNT = Text("Bằng đồng, ví dụ 3.200.000.000 hoặc 3,2 tỷ", "In VND, for example 3.200.000.000 or 3,2 tỷ")


def _asked(path: str, help: Text | None = None, *, wide: bool = False) -> Question:
    return Question(path, _LABELS[path], help, wide)


SECTIONS: tuple[Section, ...] = (
    Section("client", Text("Khách hàng", "Client"), (
        Question("client.name", Text("Tên công ty", "Company"), Text("Như trên giấy chứng nhận đăng ký kinh doanh",
                                                                     "As in the registration certificate"),
                 wide=True),
        _asked("client.tax_code", Text("10 chữ số; chi nhánh thêm 3 chữ số (0123456789-001); hộ kinh doanh 12 chữ số",
                                       "10 digits; 3 more for a branch (0123456789-001); 12 for a household business")),
        _asked("client.sector"),
        _asked("client.address", wide=True),
        _asked("client.representative.name"),
        _asked("client.representative.title"),
    )),
    Section("contact", Text("Người liên hệ", "Contact"), (
        Question("client.contact.name", Text("Họ tên người liên hệ", "Contact's name")),
        Question("client.contact.email", Text("Email người liên hệ", "Contact's email"),
                 Text("Mọi thư của hồ sơ gửi đến địa chỉ này", "All mail of the engagement goes to this address")),
        _asked("client.contact.phone", Text("Ví dụ 0236 3822 456 hoặc +84 912 345 678",
                                            "For example 0236 3822 456 or +84 912 345 678")),
        Question("language", Text("Ngôn ngữ của khách", "Client's language")),
        Question("referrer", Text("Người giới thiệu", "Referred by")),
    )),
    Section("need", Text("Nhu cầu", "Need"), (
        _asked("need.purpose", Text("Ví dụ: vay vốn ngân hàng, gọi vốn, xin giấy phép",
                                    "For example: a bank loan, investors, a licence"), wide=True),
        Question("need.horizon_months", Text("Thời gian lập kế hoạch (tháng)", "Period of the plan (months)")),
        Question("interests", Text("Chủ đề quan tâm", "Interests"),
                 Text("Mỗi dòng một chủ đề, hoặc cách nhau dấu chấm phẩy", "One a line, or separated by semicolons")),
    )),
    Section("finance", Text("Quy mô và tài chính", "Size and finance"), (
        _asked("finance.employees"),
        _asked("finance.project_vnd", _AMOUNT),
        _asked("finance.charter_capital_vnd", _AMOUNT),
        _asked("finance.investment_vnd", _AMOUNT),
        _asked("client.bank.account"),
        _asked("client.bank.bank"),
    )),
    Section("services", Text("Thỏa thuận kèm theo", "Also agreed"), (
        Question("add_ons.monitoring.every_months", Text("Theo dõi thực hiện: mấy tháng một kỳ",
                                                         "Monitoring: months between visits"),
                 Text("Để trống cả hai ô nếu khách không chọn dịch vụ theo dõi",
                      "Leave both empty if the client takes no monitoring")),
        Question("add_ons.monitoring.visits", Text("Theo dõi thực hiện: số kỳ", "Monitoring: number of visits")),
        Question("consent", Text("Khách đồng ý nhận thông tin hữu ích qua email",
                                 "The client agreed to get useful information by mail")),
    )),
)  # fmt: skip

QUESTIONS: dict[str, Question] = {each.path: each for section in SECTIONS for each in section.questions}
