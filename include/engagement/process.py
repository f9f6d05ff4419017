"""What varies in the procedure, as rows: stages, requests, sign-offs, documents, mails, reminders.

Nothing flows here: the order of things is written out in ``dags/``. A new document is one row and its
template; a new reminder is one row; a duration is one number. Durations are working days in the calendar
of Viet Nam (``include.engagement.calendar``) unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = ("vi", "en")


@dataclass(frozen=True)
class Text:
    """A wording that clients read: Vietnamese, and English for engagements in English."""

    vi: str
    en: str

    def in_(self, language: Language) -> str:
        """Return the wording in ``language``."""
        return self.vi if language == "vi" else self.en


@dataclass(frozen=True)
class Stage:
    """A stage of the procedure.

    ``days`` is its standard length in working days; None: periodic, as long as its request gives the client.
    ``client_days`` is how many of these belong to the client: time that a client takes beyond them stops the
    firm's clock.
    """

    key: str
    title: Text
    days: int | None
    client_days: int


STAGES: dict[str, Stage] = {
    stage.key: stage
    for stage in (
        Stage("intake", Text("Tiếp nhận và tìm hiểu nhu cầu", "Intake"), 2, 2),
        Stage("information", Text("Yêu cầu cung cấp thông tin", "Information request"), 6, 6),
        Stage("contract", Text("Quyết định, báo giá, ký hợp đồng", "Decision, quote and contract"), 1, 0),
        Stage("delivery", Text("Thực hiện dịch vụ", "Delivery"), 20, 0),
        Stage("appraisal", Text("Hội đồng thẩm định", "Appraisal council"), 1, 0),
        Stage("handover", Text("Bàn giao dịch vụ", "Handover"), 2, 2),
        Stage("monitoring", Text("Theo dõi thực hiện", "Monitoring"), None, 0),
        Stage("feedback", Text("Đánh giá và chăm sóc sau dịch vụ", "Feedback and care"), None, 0),
    )
}

# The version of the flow in dags/. It goes up when a task is added to the flow or taken out of it: the task says by
# ``since`` or ``until`` which versions it belongs to. Engagements under way keep the one they were opened under.
FLOW = 1

# Rounds that the run is laid out for. After the last, somebody decides; nothing goes on by itself.
INFORMATION_ROUNDS = 3
QUOTE_ROUNDS = 4  # the first quote and up to three negotiated ones
SIGNATURE_ROUNDS = 2
APPRAISAL_ROUNDS = 3
GRANTED_ROUNDS = 1  # rounds beyond the third that the director may still grant days for
HANDOVER_ROUNDS = 3  # the first handover and up to two rounds of changes

# --- What the client is asked ---------------------------------------------------------------------------

ItemKind = Literal["text", "number", "file"]


@dataclass(frozen=True)
class Item:
    """One thing asked of a client (or of the service department).

    ``theme`` is the sheet of the questionnaire it stands on. ``when`` limits it to engagements whose
    purpose or sector contains one of these words (accents ignored); empty: every engagement.
    ``formats`` are the accepted file endings. ``column`` is the field of the intake form that it fills.
    ``one_line``: a name or a year, for which a single line is room enough.
    """

    key: str
    label: Text
    kind: ItemKind
    theme: str = "general"
    required: bool = True
    unit: str = ""
    when: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    column: str = ""
    one_line: bool = False


DOCUMENT_FORMATS = ("pdf", "docx", "xlsx", "jpg", "jpeg", "png", "zip")

THEMES: dict[str, Text] = {
    "general": Text("Thông tin chung", "General"),
    "strategy": Text("Định hướng chiến lược", "Strategic direction"),
    "operations": Text("Hoạt động kinh doanh", "Operations"),
    "products": Text("Sản phẩm và dịch vụ", "Products and services"),
    "market": Text("Thị trường và khách hàng", "Market and customers"),
    "finance": Text("Tài chính", "Finance"),
    "papers": Text("Hồ sơ gửi kèm", "Papers to send"),
}

INTAKE_ITEMS: tuple[Item, ...] = (
    Item("referrer", Text("Ai giới thiệu Quý khách đến với chúng tôi", "Who referred you to us"), "text",
         required=False, column="referrer"),
    Item("purpose", Text("Mục đích lập kế hoạch", "What the plan is for"), "text", column="need.purpose"),
    Item("horizon_months", Text("Thời gian lập kế hoạch", "Period that the plan covers"), "number",
         unit="tháng / months", column="need.horizon_months"),
    Item("tax_code", Text("Mã số thuế", "Tax code"), "text", column="client.tax_code"),
    Item("address", Text("Địa chỉ trụ sở", "Registered address"), "text", column="client.address"),
    Item("sector", Text("Lĩnh vực hoạt động", "Sector"), "text", column="client.sector"),
    Item("representative_name", Text("Người đại diện theo pháp luật", "Legal representative"), "text",
         column="client.representative.name"),
    Item("representative_title", Text("Chức vụ người đại diện", "Representative's title"), "text",
         column="client.representative.title"),
    Item("phone", Text("Số điện thoại liên hệ", "Contact phone number"), "text", column="client.contact.phone"),
    Item("bank_account", Text("Số tài khoản", "Bank account number"), "text", column="client.bank.account"),
    Item("bank_name", Text("Mở tại ngân hàng", "Bank"), "text", column="client.bank.bank"),
    Item("employees", Text("Quy mô doanh nghiệp (số lao động)", "Company size (employees)"), "number",
         column="finance.employees"),
    Item("project_vnd", Text("Quy mô dự án", "Project size"), "number", unit="VND", column="finance.project_vnd"),
    Item("charter_capital_vnd", Text("Vốn điều lệ", "Charter capital"), "number", unit="VND",
         column="finance.charter_capital_vnd"),
    Item("investment_vnd", Text("Vốn đầu tư", "Investment capital"), "number", unit="VND",
         column="finance.investment_vnd"),
)

INFORMATION_ITEMS: tuple[Item, ...] = (
    # What the registration certificate says is asked for apart from the intake form: the two are compared.
    Item("registered_name", Text("Tên công ty ghi trên Giấy chứng nhận đăng ký kinh doanh",
                                 "Company name as it stands in the registration certificate"), "text", "general",
         required=False, one_line=True),
    Item("registered_tax_code", Text("Mã số thuế ghi trên Giấy chứng nhận đăng ký kinh doanh",
                                     "Tax code as it stands in the registration certificate"), "text", "general",
         required=False, one_line=True),
    Item("registered_capital_vnd", Text("Vốn điều lệ ghi trên Giấy chứng nhận đăng ký kinh doanh",
                                        "Registered charter capital, as in the registration certificate"), "number",
         "general", required=False, unit="VND"),
    Item("founded_year", Text("Năm thành lập", "Year of founding"), "text", "general", required=False,
         one_line=True),
    Item("strategy", Text("Định hướng chiến lược", "Strategic direction"), "text", "strategy"),
    Item("vision", Text("Mục tiêu 3–5 năm", "Goals for the next 3–5 years"), "text", "strategy", required=False),
    Item("activities", Text("Mô tả hoạt động kinh doanh", "Outline of the business"), "text", "operations"),
    Item("capacity", Text("Công suất, năng lực phục vụ", "Capacity"), "text", "operations"),
    Item("suppliers", Text("Nhà cung cấp chính", "Main suppliers"), "text", "operations", required=False),
    Item("products", Text("Sản phẩm, dịch vụ", "Products and services"), "text", "products"),
    Item("pricing", Text("Chính sách giá", "Pricing"), "text", "products", required=False),
    Item("customers", Text("Nhóm khách hàng chính", "Main customer groups"), "text", "market", required=False),
    Item("competitors", Text("Đối thủ cạnh tranh", "Competitors"), "text", "market", required=False),
    Item("last_full_year", Text("Năm tài chính gần nhất đã kết thúc", "Last full financial year"), "text", "finance",
         required=False, one_line=True),
    Item("revenue_vnd", Text("Doanh thu năm gần nhất", "Revenue of the last full year"), "number", "finance",
         required=False, unit="VND"),
    Item("cost_vnd", Text("Chi phí năm gần nhất", "Costs of the last full year"), "number", "finance",
         required=False, unit="VND"),
    Item("loan_vnd", Text("Số tiền đề nghị vay", "Loan sought"), "number", "finance", required=False, unit="VND",
         when=("vay", "tín dụng", "ngân hàng", "loan", "credit", "bank")),
    Item("equity_vnd", Text("Vốn tự có đưa vào dự án", "Own funds put into the project"), "number", "finance",
         required=False, unit="VND", when=("vay", "tín dụng", "ngân hàng", "loan", "credit", "bank")),
    Item("collateral", Text("Tài sản bảo đảm", "Collateral"), "text", "finance", required=False,
         when=("vay", "tín dụng", "ngân hàng", "loan", "credit", "bank")),
    Item("shareholders", Text("Cơ cấu cổ đông hiện tại", "Present shareholders"), "text", "finance",
         required=False, when=("gọi vốn", "nhà đầu tư", "cổ đông", "investor", "equity")),
    Item("licences", Text("Giấy phép chuyên ngành", "Sector licences"), "text", "operations", required=False,
         when=("giấy phép", "y tế", "phòng khám", "thực phẩm", "licence", "license", "health", "clinic", "food")),
    Item("export_markets", Text("Thị trường xuất khẩu", "Export markets"), "text", "market", required=False,
         when=("xuất khẩu", "chế biến", "sản xuất", "export", "manufactur")),
    Item("business_registration", Text("Giấy chứng nhận đăng ký kinh doanh", "Business registration certificate"),
         "file", "papers", formats=DOCUMENT_FORMATS),
    Item("sales_documents", Text("Tài liệu bán hàng", "Sales documents"), "file", "papers",
         formats=DOCUMENT_FORMATS),
    Item("financial_statements", Text("Báo cáo tài chính", "Financial statements"), "file", "papers",
         formats=DOCUMENT_FORMATS),
)


# What helps a client to answer an item of the information request.
ITEM_HELP: dict[str, Text] = {
    "registered_name": Text("Chép đúng từng chữ trên giấy chứng nhận.", "Exactly as the certificate has it."),
    "registered_tax_code": Text("10 chữ số; chi nhánh thêm 3 chữ số sau dấu gạch.",
                                "10 digits; a branch has 3 more after a hyphen."),
    "registered_capital_vnd": Text("Số tiền bằng đồng, ví dụ 5.000.000.000.", "In VND, for example 5,000,000,000."),
    "founded_year": Text("Năm cấp giấy chứng nhận lần đầu.", "The year of the first certificate."),
    "strategy": Text("Doanh nghiệp muốn trở thành gì, phục vụ ai, bằng cách nào.",
                     "What the company wants to become, for whom, and how."),
    "vision": Text("Vài con số muốn đạt: doanh thu, sản lượng, số điểm bán, …",
                   "A few figures to reach: revenue, output, outlets, …"),
    "activities": Text("Làm gì, ở đâu, từ khâu nào đến khâu nào.", "What is done, where, and which steps of it."),
    "capacity": Text("Mỗi tháng làm hoặc phục vụ được bao nhiêu, hiện dùng bao nhiêu phần trăm.",
                     "How much a month can be made or served, and how much of that is used."),
    "suppliers": Text("Ba nhà cung cấp lớn nhất và mặt hàng.", "The three largest suppliers and what they supply."),
    "products": Text("Tên sản phẩm, dịch vụ chính và tỷ trọng doanh thu.",
                     "The main products and services, with their share of revenue."),
    "pricing": Text("Giá bán hiện nay và cách định giá.", "Present prices, and how they are set."),
    "customers": Text("Ai mua, ở đâu, mua bao nhiêu.", "Who buys, where, how much."),
    "competitors": Text("Hai, ba đối thủ và điểm họ hơn, kém.", "Two or three, and where they are better or worse."),
    "last_full_year": Text("Năm của hai số liệu dưới đây, ví dụ 2025.",
                           "The year of the two figures below, for example 2025."),
    "revenue_vnd": Text("Số tiền bằng đồng, theo báo cáo tài chính.", "In VND, as in the financial statements."),
    "cost_vnd": Text("Tổng chi phí bằng đồng, theo báo cáo tài chính.",
                     "All costs, in VND, as in the financial statements."),
    "loan_vnd": Text("Số tiền bằng đồng muốn vay cho dự án.", "The amount in VND to borrow for the project."),
    "equity_vnd": Text("Số tiền bằng đồng tự bỏ ra cho dự án.", "The amount in VND of your own for the project."),
    "collateral": Text("Tài sản, giá trị ước tính, đang thế chấp ở đâu chưa.",
                       "What it is, its estimated value, and whether it is pledged already."),
    "shareholders": Text("Tên và tỷ lệ góp vốn; cộng lại 100 %.", "Names and shares; together 100 %."),
    "licences": Text("Tên giấy phép, nơi cấp, ngày hết hạn.", "Name, who issued it, when it expires."),
    "export_markets": Text("Nước, mặt hàng, sản lượng mỗi năm.", "Countries, goods, volume a year."),
    "business_registration": Text("Bản chụp hoặc bản quét rõ chữ, đủ các trang.",
                                  "A legible photo or scan, all pages."),
    "sales_documents": Text("Catalogue, bảng giá hoặc tờ giới thiệu.", "A catalogue, price list or leaflet."),
    "financial_statements": Text("Năm gần nhất; nhiều tệp cũng được.", "Of the last year; several files are fine."),
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """Something awaited from a client or from the service department.

    ``answer_days``: working days until it is due. ``follow_up_days``: working days given when something
    is asked for again. ``replies``: the decisions it may be answered with; empty: answered by items.
    ``of``: who is waited for.
    """

    key: str
    stage: str
    title: Text
    answer_days: int
    follow_up_days: int = 2
    of: Literal["client", "service_department"] = "client"
    items: tuple[Item, ...] = ()
    replies: tuple[str, ...] = ()


REQUESTS: dict[str, Request] = {
    request.key: request
    for request in (
        Request("intake", "intake", Text("Bổ sung thông tin tiếp nhận", "Details missing from the intake form"), 2,
                items=INTAKE_ITEMS),
        Request("information", "information", Text("Thông tin lập kế hoạch kinh doanh",
                                                   "Information for the business plan"), 6,
                follow_up_days=3, items=INFORMATION_ITEMS),
        Request("quote", "contract", Text("Trả lời báo giá", "Reply to the quote"), 3,
                replies=("accept", "negotiate", "decline")),
        Request("contract", "contract", Text("Hợp đồng đã ký", "Signed contract"), 3, items=(
            Item("signed_contract", Text("Bản hợp đồng đã ký", "Signed copy of the contract"), "file",
                 formats=("pdf", "jpg", "jpeg", "png", "docx", "zip")),)),
        Request("delivery", "delivery", Text("Sản phẩm của phòng dịch vụ", "The department's deliverables"), 20,
                of="service_department", items=(
            Item("business_plan", Text("Kế hoạch kinh doanh (Word)", "Business plan (Word)"), "file",
                 formats=("docx",)),
            Item("financial_model", Text("Mô hình tài chính (Excel)", "Financial model (Excel)"), "file",
                 required=False, formats=("xlsx",)))),
        Request("handover", "handover", Text("Xác nhận bàn giao", "Acceptance of the handover"), 2,
                replies=("accept", "changes")),
        Request("monitoring", "monitoring", Text("Tình hình thực hiện kế hoạch", "Progress of the plan"), 5, items=(
            Item("revenue_vnd", Text("Doanh thu trong kỳ", "Revenue in the period"), "number", unit="VND"),
            Item("cost_vnd", Text("Chi phí trong kỳ", "Costs in the period"), "number", unit="VND"),
            Item("jobs", Text("Số lao động", "Jobs"), "number"),
            Item("notes", Text("Ghi chú", "Notes"), "text", required=False))),
        Request("evaluation", "feedback", Text("Phiếu đánh giá dịch vụ", "Service evaluation"), 5, items=(
            Item("quality", Text("Chất lượng đề án (1–5)", "Quality of the plan (1–5)"), "number"),
            Item("schedule", Text("Đúng tiến độ (1–5)", "Keeping to schedule (1–5)"), "number"),
            Item("staff", Text("Thái độ, năng lực nhân viên (1–5)", "Staff (1–5)"), "number"),
            Item("guidance", Text("Hướng dẫn triển khai (1–5)", "Guidance for carrying it out (1–5)"), "number"),
            Item("value", Text("Giá trị so với chi phí (1–5)", "Value for money (1–5)"), "number"),
            Item("recommend", Text("Khả năng giới thiệu (0–10)", "Likelihood to recommend us (0–10)"), "number"),
            Item("comment", Text("Ý kiến đóng góp", "Suggestions"), "text", required=False))),
    )
}

# --- Who signs off what ---------------------------------------------------------------------------------

Role = Literal["account_manager", "director", "service_department", "client_care", "council"]


@dataclass(frozen=True)
class Entry:
    """One field of a sign-off form: ``kind`` is a JSON schema type, ``multiline`` a text of many lines."""

    key: str
    title: str
    kind: Literal["string", "integer", "number"] = "string"
    multiline: bool = False
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True)
class SignOff:
    """A decision that a person takes in Airflow: options (key → label, Vietnamese) and a small form.

    ``reason_for`` names the options that need a reason; the form's field ``reason`` carries it.
    """

    key: str
    stage: str
    title: str
    role: Role
    options: dict[str, str]
    help: str = ""
    entries: tuple[Entry, ...] = ()
    reason_for: tuple[str, ...] = ()


REASON = Entry("reason", "Lý do", multiline=True)


@dataclass(frozen=True)
class Criterion:
    """A criterion of the appraisal scorecard, 0–``COUNCIL_POINTS`` points, with its weight."""

    key: str
    title: Text
    weight: int = 1


@dataclass(frozen=True)
class Member:
    """A member of the appraisal council."""

    key: str
    title: Text


COUNCIL: tuple[Member, ...] = (
    Member("chair", Text("Chủ tịch hội đồng", "Chair")),
    Member("finance", Text("Ủy viên tài chính", "Finance member")),
    Member("industry", Text("Ủy viên chuyên ngành", "Industry member")),
)
CRITERIA: tuple[Criterion, ...] = (
    Criterion("market", Text("Thị trường", "Market")),
    Criterion("finance", Text("Tài chính", "Finance")),
    Criterion("feasibility", Text("Tính khả thi", "Feasibility")),
)
COUNCIL_POINTS = 10
PASS_MARK = 7
QUORUM = 2

SIGN_OFFS: dict[str, SignOff] = {
    sign_off.key: sign_off
    for sign_off in (
        SignOff("first_meeting", "intake", "Sắp xếp buổi gặp mặt lần đầu?", "account_manager",
                {"yes": "Mời gặp mặt", "no": "Không gặp"},
                "Buổi gặp chỉ mang tính chất xã giao: không báo giá, không hứa hẹn. Chọn “Mời gặp mặt”, hệ thống "
                "gửi thư mời kèm lịch hẹn. Để trống ngày giờ: 9 giờ sáng ngày làm việc kế tiếp, tại văn phòng.",
                (Entry("meeting_at", "Ngày giờ (YYYY-MM-DD HH:MM)"), Entry("place", "Địa điểm"))),
        SignOff("information_review", "information", "Thẩm tra tính chính xác của thông tin", "account_manager",
                {"accept": "Chấp nhận", "ask_again": "Yêu cầu bổ sung", "refuse": "Từ chối dịch vụ"},
                "Chấp nhận: chuyển sang họp quyết định. Yêu cầu bổ sung: khách nhận thư nêu đúng các mục bị trả lại. "
                "Từ chối: hồ sơ đóng lại kèm thư từ chối và bản ghi lý do. Mỗi dòng lý do: “mục: lý do”.",
                (REASON,), reason_for=("ask_again", "refuse")),
        SignOff("decision", "contract", "Họp quyết định: có nhận thực hiện dịch vụ không?", "director",
                {"accept": "Nhận thực hiện", "decline": "Không nhận"},
                "Tờ trình nằm trong thư mục hồ sơ. Nhận: lập báo giá gửi khách. Không nhận: khách nhận thư từ chối.",
                (REASON,), reason_for=("decline",)),
        SignOff("quote", "contract", "Lập báo giá", "account_manager", {"send": "Gửi báo giá"},
                "Giá trước thuế, thuế suất, số ngày dự trù (ít nhất 1) và các đợt thanh toán (tổng 100). "
                "Khi thương lượng, ô để trống giữ giá trị của báo giá trước.",
                (Entry("net_vnd", "Giá trước thuế (VND)", "integer", minimum=1),
                 Entry("vat_percent", "Thuế GTGT (%)", "number", minimum=0, maximum=100),
                 Entry("reserve_days", "Ngày dự trù", "integer", minimum=1),
                 Entry("instalments_percent", "Các đợt thanh toán (%), cách nhau dấu phẩy"))),
        SignOff("contract_check", "contract", "Kiểm tra hợp đồng khách đã ký", "account_manager",
                {"accept": "Hợp lệ", "ask_again": "Yêu cầu ký lại"},
                "Hợp lệ: hợp đồng có hiệu lực từ hôm nay, ngày hẹn với khách được chốt. "
                "Yêu cầu ký lại: khách nhận thư nêu lý do.",
                (REASON,), reason_for=("ask_again",)),
        SignOff("scorecard", "appraisal", "Phiếu thẩm định", "council",
                {"submit": "Nộp phiếu", "absent": "Vắng mặt"},
                f"Mỗi tiêu chí 0–{COUNCIL_POINTS} điểm; đạt từ {PASS_MARK} điểm trung bình có trọng số; "
                f"túc số {QUORUM} thành viên.",
                (*(Entry(c.key, c.title.vi, "number", minimum=0, maximum=COUNCIL_POINTS) for c in CRITERIA),
                 Entry("comment", "Nhận xét", multiline=True))),
        SignOff("reserve_exhausted", "appraisal", "Không đạt và đã hết thời gian dự trù", "director",
                {"grant_days": "Cấp thêm ngày", "terminate": "Chấm dứt hợp đồng"},
                "Cấp thêm ngày: phòng dịch vụ làm lại trong số ngày được cấp, khách được thông báo. "
                "Chấm dứt: hợp đồng dừng lại, khách nhận thư.",
                (Entry("days", "Số ngày làm việc cấp thêm", "integer", minimum=1), REASON)),
        SignOff("handover_changes", "handover", "Chỉnh sửa theo yêu cầu của khách", "service_department",
                {"done": "Đã chỉnh sửa xong"},
                "Đặt tệp mới vào inbox/‹mã hồ sơ›/handover_changes trước khi xác nhận. Sau đó hệ thống bàn giao lại.",
                (Entry("note", "Ghi chú", multiline=True),)),
        SignOff("monitoring_assessment", "monitoring", "Đánh giá tiến độ và tư vấn điều chỉnh", "service_department",
                {"on_track": "Đúng hướng", "adjust": "Cần điều chỉnh"},
                "Nhận xét được gửi cho khách trong báo cáo theo dõi.",
                (Entry("advice", "Nhận xét, góp ý", multiline=True),)),
        SignOff("care_call", "feedback", "Gọi điện chăm sóc khách hàng", "client_care",
                {"reached": "Đã trao đổi", "unreached": "Chưa liên lạc được"},
                "Gọi cho người liên hệ của khách, ghi lại kết quả. Khách nhận thư cảm ơn sau cuộc gọi.",
                (Entry("outcome", "Kết quả trao đổi", multiline=True),)),
    )
}

# --- Documents ------------------------------------------------------------------------------------------

Audience = Literal["client", "staff"]


@dataclass(frozen=True)
class Document:
    """A document that the pipeline makes: a Word template or a workbook, named after its key.

    ``audience`` decides the languages: what a client receives exists in Vietnamese and English.
    ``number_kind`` is the kind of its gapless number (``12/2026/HĐ-KHV``); empty: it carries none. ``pdf``: the
    client gets it as a PDF, to read on any device and to sign, where LibreOffice makes one. ``each``: what one of
    several is called, each a document for itself; without it a later one is a new version of the same.
    """

    key: str
    stage: str
    title: Text
    audience: Audience
    format: Literal["docx", "xlsx"] = "docx"
    number_kind: str = ""
    pdf: bool = False
    each: Text | None = None


_VISIT = Text("kỳ", "visit")
DOCUMENTS: dict[str, Document] = {
    document.key: document
    for document in (
        Document("intake_record", "intake", Text("Phiếu tiếp nhận nhu cầu", "Intake record"), "staff"),
        Document("interview_guide", "intake", Text("Đề cương trao đổi", "Interview guide"), "staff"),
        Document("information_letter", "information",
                 Text("Thư yêu cầu cung cấp thông tin", "Information request letter"), "client", number_kind="CV"),
        Document("questionnaire", "information", Text("Bảng câu hỏi", "Questionnaire"), "client", "xlsx"),
        Document("accuracy_dossier", "information", Text("Hồ sơ thẩm tra thông tin", "Accuracy dossier"), "staff"),
        Document("refusal_letter", "information",
                 Text("Thư từ chối cung cấp dịch vụ", "Letter of refusal"), "client", number_kind="CV"),
        Document("decision_memo", "contract", Text("Tờ trình quyết định", "Decision memo"), "staff",
                 number_kind="TTr"),
        Document("decline_letter", "contract",
                 Text("Thư không nhận thực hiện dịch vụ", "Letter declining the engagement"), "client",
                 number_kind="CV"),
        Document("working_process", "contract", Text("Quy trình làm việc", "Working process"), "client"),
        Document("timetable", "contract", Text("Tiến độ thực hiện", "Timetable"), "client", "xlsx"),
        Document("quote", "contract", Text("Báo giá", "Quote"), "client", number_kind="BG", pdf=True),
        Document("contract", "contract", Text("Hợp đồng dịch vụ", "Service contract"), "client", number_kind="HĐ",
                 pdf=True),
        Document("contract_appendix", "contract", Text("Phụ lục hợp đồng", "Contract appendix"), "client",
                 number_kind="PLHĐ", pdf=True),
        Document("extension_appendix", "contract",
                 Text("Phụ lục gia hạn", "Extension appendix"), "client", number_kind="PLHĐ", pdf=True,
                 each=Text("lần", "No.")),
        Document("payment_request", "contract",
                 Text("Đề nghị thanh toán", "Payment request"), "client", number_kind="ĐNTT", pdf=True,
                 each=Text("đợt", "instalment")),
        Document("work_plan", "delivery", Text("Kế hoạch công việc", "Work plan"), "staff", "xlsx"),
        Document("business_plan", "delivery", Text("Bản thảo kế hoạch kinh doanh", "Business-plan draft"), "client"),
        Document("financial_model", "delivery", Text("Mô hình tài chính", "Financial model"), "client", "xlsx"),
        Document("rework_checklist", "delivery", Text("Danh mục nội dung cần sửa", "Rework checklist"), "staff"),
        Document("review_pack", "appraisal", Text("Hồ sơ trình hội đồng", "Review pack"), "staff"),
        Document("scorecard", "appraisal", Text("Phiếu thẩm định", "Scorecard"), "staff"),
        Document("review_report", "appraisal", Text("Biên bản thẩm định", "Review report"), "staff",
                 number_kind="BBTĐ"),
        Document("termination_letter", "appraisal",
                 Text("Thư chấm dứt hợp đồng", "Letter of termination"), "client", number_kind="CV"),
        Document("handover_plan", "handover", Text("Kế hoạch bàn giao", "Handover plan"), "client"),
        Document("deliverables_list", "handover", Text("Danh mục sản phẩm bàn giao", "List of deliverables"),
                 "client"),
        Document("implementation_guide", "handover",
                 Text("Hướng dẫn triển khai kế hoạch", "Implementation guide"), "client"),
        Document("handover_minutes", "handover", Text("Biên bản bàn giao", "Handover minutes"), "client",
                 number_kind="BBBG", pdf=True),
        Document("acceptance_minutes", "handover", Text("Biên bản nghiệm thu", "Acceptance minutes"), "client",
                 number_kind="BBNT", pdf=True),
        Document("liquidation_minutes", "handover",
                 Text("Biên bản thanh lý hợp đồng", "Liquidation minutes"), "client", number_kind="BBTL", pdf=True),
        Document("progress_form", "monitoring", Text("Phiếu theo dõi tiến độ", "Progress form"), "client", "xlsx",
                 each=_VISIT),
        Document("plan_against_actual", "monitoring",
                 Text("So sánh kế hoạch và thực hiện", "Plan against actual"), "client", "xlsx", each=_VISIT),
        Document("monitoring_report", "monitoring", Text("Báo cáo theo dõi", "Monitoring report"), "client",
                 number_kind="BCTD", each=_VISIT),
        Document("evaluation_form", "feedback", Text("Phiếu đánh giá dịch vụ", "Service evaluation form"), "client"),
    )
}

# --- Mails ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mail:
    """A mail: its template ``templates/mail/<key>.<language>.md`` and the documents that go with it."""

    key: str
    stage: str
    to: Literal["client"] | Role
    attachments: tuple[str, ...] = ()


MAILS: dict[str, Mail] = {
    mail.key: mail
    for mail in (
        Mail("welcome", "intake", "client"),
        Mail("intake_details", "intake", "client"),
        Mail("meeting_invitation", "intake", "client"),
        Mail("information_request", "information", "client", ("information_letter", "questionnaire")),
        Mail("items_missing", "", "client"),
        Mail("items_complete", "", "client"),
        Mail("reply_unclear", "", "client"),
        Mail("refusal", "information", "client", ("refusal_letter",)),
        Mail("decline", "contract", "client", ("decline_letter",)),
        Mail("quote", "contract", "client", ("quote", "timetable", "working_process")),
        Mail("client_declined", "contract", "client"),
        Mail("contract", "contract", "client", ("contract", "contract_appendix")),
        Mail("contract_signed", "contract", "client"),
        Mail("payment_request", "contract", "client", ("payment_request",)),
        Mail("assignment", "delivery", "service_department", ("work_plan", "business_plan", "financial_model")),
        Mail("rework", "delivery", "service_department", ("rework_checklist",)),
        Mail("review", "appraisal", "council", ("review_pack", "scorecard", "business_plan", "financial_model")),
        Mail("schedule_notice", "appraisal", "client"),
        Mail("termination", "appraisal", "client", ("termination_letter",)),
        Mail("handover", "handover", "client",
             ("handover_plan", "deliverables_list", "implementation_guide", "handover_minutes", "business_plan",
              "financial_model")),
        Mail("handover_changes", "handover", "service_department"),
        Mail("completion", "handover", "client", ("acceptance_minutes", "liquidation_minutes")),
        Mail("extension", "contract", "client", ("extension_appendix",)),
        Mail("monitoring_form", "monitoring", "client", ("progress_form",)),
        Mail("monitoring_advice", "monitoring", "client", ("monitoring_report", "plan_against_actual")),
        Mail("evaluation", "feedback", "client", ("evaluation_form",)),
        Mail("evaluation_thanks", "feedback", "client"),
        Mail("care_follow_up", "feedback", "client"),
        Mail("useful_information", "feedback", "client"),
        Mail("reminder", "", "client"),
        Mail("new_link", "", "client"),
        Mail("digest", "", "account_manager"),
        Mail("task_failed", "", "account_manager"),
        Mail("answer_refused", "", "account_manager"),
        Mail("already_decided", "", "account_manager"),
        Mail("mail_waits", "", "account_manager"),
        Mail("address_failed", "", "account_manager"),
        Mail("mail_stopped", "", "account_manager"),
    )
}

# --- Reminders ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reminder:
    """When an open request of a client is reminded of: ``offset`` working days from its due date.

    ``level`` is who hears of it; a level is told once per request.
    """

    key: str
    level: Literal["client", "account_manager", "director"]
    offset: int


REMINDERS: tuple[Reminder, ...] = (
    Reminder("before_due", "client", -1),
    Reminder("on_due_day", "client", 0),
    Reminder("overdue", "client", 1),
    Reminder("overdue_again", "client", 4),
    Reminder("overdue_account_manager", "account_manager", 3),
    Reminder("overdue_director", "director", 6),
)

# --- After the handover ---------------------------------------------------------------------------------

EVALUATION_AFTER_DAYS = 5
CARE_AFTER_MONTHS: tuple[int, ...] = (3, 6)



@dataclass(frozen=True)
class Topic:
    """A source of useful information for clients whose interests or sector contain one of ``words``; none: all."""

    title: Text
    url: str
    words: tuple[str, ...] = ()


TOPICS: tuple[Topic, ...] = (
    Topic(Text("Cổng thông tin quốc gia về đăng ký doanh nghiệp", "National business registration portal"),
          "https://dangkykinhdoanh.gov.vn"),
    Topic(Text("Quỹ Phát triển doanh nghiệp nhỏ và vừa", "SME Development Fund"), "https://smedf.gov.vn",
          ("tín dụng", "vay", "vốn", "doanh nghiệp nhỏ", "credit", "loan", "sme")),
    Topic(Text("Bộ Công Thương – xuất nhập khẩu", "Ministry of Industry and Trade – foreign trade"),
          "https://moit.gov.vn", ("xuất khẩu", "nhập khẩu", "export", "import", "trade")),
    Topic(Text("Bộ Nông nghiệp và Môi trường", "Ministry of Agriculture and Environment"), "https://mae.gov.vn",
          ("nông sản", "nông nghiệp", "cà phê", "agricultur", "coffee", "farm")),
    Topic(Text("Bộ Y tế – văn bản quy phạm", "Ministry of Health – regulations"), "https://moh.gov.vn",
          ("y tế", "phòng khám", "health", "clinic")),
)

OUTCOMES: dict[str, str] = {
    "completed": "Hoàn thành",
    "refused": "Công ty từ chối vì thông tin không chính xác",
    "declined_by_firm": "Công ty không nhận thực hiện",
    "declined_by_client": "Khách không đồng ý báo giá",
    "terminated": "Chấm dứt hợp đồng",
    "withdrawn": "Khách rút hồ sơ",
}

NUMBER_KINDS: frozenset[str] = frozenset(d.number_kind for d in DOCUMENTS.values() if d.number_kind)
