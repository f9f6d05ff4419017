"""Facts of one engagement as every document gets them: complete ones, and bare ones without optional blocks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from include.engagement import process
from include.engagement.process import Language, Text


def sample_facts(language: Language) -> dict[str, Any]:
    """Return facts of an engagement that has come all the way, in ``language``."""

    def t(vi: str, en: str) -> str:
        return Text(vi, en).in_(language)

    answers = {
        "strategy": t("Trở thành nhà cung cấp cà phê rang cho chuỗi khách sạn miền Trung",
                      "Become the roasted-coffee supplier of hotel chains in Central Viet Nam"),
        "vision": t("Đạt 30 tấn/tháng vào năm 2029", "Reach 30 tonnes a month by 2029"),
        "activities": t("Thu mua, rang, xay, đóng gói", "Buying, roasting, grinding, packing"),
        "capacity": t("18 tấn/tháng", "18 tonnes a month"),
        "products": t("Cà phê rang hạt; cà phê bột; quà tặng", "Roasted beans; ground coffee; gift sets"),
        "customers": t("Khách sạn, quán cà phê tại Đà Nẵng và Huế", "Hotels and coffee shops in Da Nang and Hue"),
        "revenue_vnd": "14.500.000.000",
        "cost_vnd": "11.900.000.000",
        "loan_vnd": "6.000.000.000",
        "collateral": t("Quyền sử dụng đất và nhà xưởng tại Buôn Ma Thuột",
                        "Land-use right and workshop in Buon Ma Thuot"),
    }
    asked = [item for item in process.INFORMATION_ITEMS if item.kind != "file"]
    files = [item for item in process.INFORMATION_ITEMS if item.kind == "file"]
    sha = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    return {
        "day": date(2026, 12, 14),
        "place": t("Hà Nội", "Ha Noi"),
        "number": "12/2026/HĐ-KHV",
        "version": 2,
        "language": language,
        "engagement": {
            "id": "KHV-2026-0042",
            "opened": date(2026, 12, 1),
            "title": t("Lập kế hoạch kinh doanh (Vay vốn ngân hàng mở rộng xưởng rang xay)",
                       "Business plan (Bank loan to enlarge the roastery)"),
        },
        "firm": {
            "name": t("Công ty TNHH Tư vấn Kế Hoạch Việt", "Ke Hoach Viet Consulting Co., Ltd."),
            "short_name": t("Kế Hoạch Việt", "Ke Hoach Viet"),
            "tax_code": "0109876500",
            "address": t("18 Lý Thường Kiệt, Phường Cửa Nam, Thành phố Hà Nội",
                         "18 Ly Thuong Kiet, Cua Nam Ward, Ha Noi City"),
            "representative": {"name": "Phạm Quang Việt", "title": t("Giám đốc", "Director")},
            "phone": "024 3936 1234",
            "email": "lienhe@kehoachviet.example",
            "website": "https://kehoachviet.example",
            "bank": {"account": "0011004455667", "bank": "Vietcombank – Chi nhánh Hà Nội"},
            "spelling": {"odd": "lẻ", "billion": "tỷ"},
            "account_manager": {"name": "Nguyễn Thu Hà", "email": "thuha@kehoachviet.example",
                                "phone": "0912 000 111"},
        },
        "client": {
            "name": t("Công ty TNHH Cà phê Ban Mê Sớm", "Ban Me Som Coffee Co., Ltd."),
            "tax_code": "6001234562",
            "address": t("127 Nguyễn Tất Thành, Phường Buôn Ma Thuột, Tỉnh Đắk Lắk",
                         "127 Nguyen Tat Thanh, Buon Ma Thuot Ward, Dak Lak Province"),
            "sector": t("Chế biến cà phê", "Coffee processing"),
            "representative": {"name": "Nguyễn Thị Ánh Tuyết", "title": t("Giám đốc", "Director")},
            "contact": {"name": "Trần Đức Hữu", "email": "ketoan@banmesom.example", "phone": "0903456789"},
            "bank": {"account": "0231000612345", "bank": "Vietcombank – Chi nhánh Đắk Lắk"},
        },
        "referrer": t("Hiệp hội Cà phê Buôn Ma Thuột", "Buon Ma Thuot Coffee Association"),
        "need": {"purpose": t("Vay vốn ngân hàng mở rộng xưởng rang xay", "Bank loan to enlarge the roastery"),
                 "horizon_months": 60},
        "finance": {"employees": 34, "project_vnd": 12_500_000_000, "charter_capital_vnd": 5_000_000_000,
                    "investment_vnd": 8_200_000_000},
        "interests": [t("xuất khẩu nông sản", "farm exports"),
                      t("tín dụng doanh nghiệp nhỏ và vừa", "credit for small and medium enterprises")],
        "monitoring": {"every_months": 1, "visits": 3},
        "questions": [
            {"theme": process.THEMES[item.theme].in_(language), "label": item.label.in_(language),
             "required": item.required, "unit": item.unit, "key": item.key}
            for item in sorted(process.INFORMATION_ITEMS, key=lambda item: list(process.THEMES).index(item.theme))
        ],
        "due": date(2026, 12, 21),
        "answers": [
            {"theme": process.THEMES[item.theme].in_(language), "label": item.label.in_(language),
             "value": answers[item.key]}
            for item in asked if item.key in answers
        ],
        "answer": {item.key: answers.get(item.key, "") for item in process.INFORMATION_ITEMS},
        "missing": [item.label.in_(language) for item in asked if item.key not in answers],
        "papers": [{"label": item.label.in_(language), "file": f"{item.label.in_(language)}.pdf",
                    "sha256": sha} for item in files],
        "contradictions": [
            {"label": "Vốn điều lệ", "where": "Phiếu tiếp nhận", "said": "5.000.000.000 đồng",
             "source": "Phiếu tiếp nhận nhu cầu KHV-2026-0042.docx (số 1, SHA-256 9f86d081884c7d65)",
             "state": "Chưa rõ"},
            {"label": "Vốn điều lệ", "where": "Phần trả lời", "said": "2.000.000.000 đồng",
             "source": "Bảng câu hỏi.xlsx (số 7, SHA-256 9f86d081884c7d65)", "state": "Chưa rõ"},
        ],
        "reasons": [
            {"item": t("Vốn điều lệ", "Charter capital"),
             "reason": t("Khai 20 tỷ đồng, đăng ký 2 tỷ đồng", "VND 20 billion stated, VND 2 billion registered")},
            {"item": t("Báo cáo tài chính", "Financial statements"),
             "reason": t("Số tổng không khớp tờ khai thuế", "Totals do not match the tax filing")},
        ],
        "terms": {
            "version": 2,
            "net_vnd": 185_000_000,
            "vat_percent": "8",
            "vat_vnd": 14_800_000,
            "gross_vnd": 199_800_000,
            "reserve_days": 5,
            "instalments": [
                {"number": 1, "percent": "40", "amount_vnd": 79_920_000,
                 "when": t("trong 05 ngày làm việc kể từ ngày ký hợp đồng",
                           "within 5 working days of signature")},
                {"number": 2, "percent": "40", "amount_vnd": 79_920_000,
                 "when": t("trong 05 ngày làm việc kể từ ngày hội đồng thẩm định đánh giá đạt",
                           "within 5 working days of the appraisal council's approval")},
                {"number": 3, "percent": "20", "amount_vnd": 39_960_000,
                 "when": t("trong 05 ngày làm việc kể từ ngày ký biên bản nghiệm thu",
                           "within 5 working days of the acceptance minutes")},
            ],
        },
        "message": t("Đề nghị chia thành ba đợt thanh toán", "Please split the payment into three instalments"),
        "timetable": [
            {"stage": "delivery", "title": process.STAGES["delivery"].title.in_(language), "days": 20,
             "start": date(2026, 12, 15), "end": date(2027, 1, 12), "reserve": False},
            {"stage": "appraisal", "title": process.STAGES["appraisal"].title.in_(language), "days": 1,
             "start": date(2027, 1, 13), "end": date(2027, 1, 13), "reserve": False},
            {"stage": "handover", "title": process.STAGES["handover"].title.in_(language), "days": 2,
             "start": date(2027, 1, 14), "end": date(2027, 1, 15), "reserve": False},
            {"stage": "reserve", "title": t("Thời gian dự trù", "Reserve"), "days": 5,
             "start": date(2027, 1, 18), "end": date(2027, 1, 22), "reserve": True},
        ],
        "working_days": [each for n in range(39) if (each := date(2026, 12, 15) + timedelta(n)).weekday() < 5
                         and each != date(2027, 1, 1)],
        "work_days": 23,
        "total_days": 28,
        "promised": date(2027, 1, 22),
        "promised_before": date(2027, 1, 20),
        "lost_days": 2,
        "contract": {"number": "12/2026/HĐ-KHV", "day": date(2026, 12, 14)},
        "delivered": date(2027, 1, 15),
        "instalment": {
            "number": 2, "count": 3, "percent": "40", "net_vnd": 74_000_000, "vat_percent": "10",
            "agreed_vat_percent": "8", "rate_changed": True, "vat_vnd": 7_400_000, "amount_vnd": 81_400_000,
            "reference": "KHV-2026-0042 dot 2",
            "when": t("trong 05 ngày làm việc kể từ ngày hội đồng thẩm định đánh giá đạt",
                      "within 5 working days of the appraisal council's approval"),
        },
        "model": {
            "by_year": [
                {"title": t(f"Năm {n} – {2026 + n}", f"Year {n} – {2026 + n}"), "revenue": revenue,
                 "ebitda": ebitda, "net": net, "cash": cash, "service": service, "dscr": dscr}
                for n, (revenue, ebitda, net, cash, service, dscr) in enumerate((
                    (t("5.200", "5,200"), "912", "356", t("1.204", "1,204"), "740", t("1,12", "1.12")),
                    (t("6.100", "6,100"), t("1.143", "1,143"), "501", t("1.377", "1,377"), "772", t("1,31", "1.31")),
                    (t("7.050", "7,050"), t("1.402", "1,402"), "688", t("1.704", "1,704"), "727", t("1,66", "1.66")),
                    (t("7.800", "7,800"), t("1.606", "1,606"), "841", t("2.233", "2,233"), "682", t("2,03", "2.03")),
                    (t("8.300", "8,300"), t("1.742", "1,742"), "948", t("2.901", "2,901"), "637", t("2,36", "2.36")),
                ), 1)
            ],
            "results": [
                {"title": t("NPV của dự án", "NPV of the project"), "value": t("412 triệu đồng", "VND 412 million")},
                {"title": t("Thời gian hoàn vốn có chiết khấu", "Discounted payback"),
                 "value": t("4,6 năm", "4.6 years")},
            ],
            "notes": [t("Tạm tính lãi suất vay 9 %/năm.", "The loan is reckoned at 9 % a year.")],
            "charts": [],
        },
        "appraisal": {
            "round": 1,
            "pass_mark": process.PASS_MARK,
            "points": process.COUNCIL_POINTS,
            "quorum": process.QUORUM,
            "members": [
                {"title": process.COUNCIL[0].title.in_(language), "name": "TS. Đỗ Hữu Phước", "present": True,
                 "points": {"market": "8", "finance": "7", "feasibility": "8"}, "mean": t("7,67", "7.67"),
                 "comment": t("Phân tích thị trường tốt", "The market analysis is good")},
                {"title": process.COUNCIL[1].title.in_(language), "name": "ThS. Trịnh Thị Ngân", "present": True,
                 "points": {"market": "8", "finance": "7", "feasibility": "7"}, "mean": t("7,33", "7.33"),
                 "comment": t("Bổ sung độ nhạy giá nguyên liệu", "Add sensitivity to raw-material prices")},
                {"title": process.COUNCIL[2].title.in_(language), "name": "KS. Bùi Văn Lâm", "present": False,
                 "points": {}, "mean": "", "comment": ""},
            ],
            "criteria": [{"key": c.key, "title": c.title.in_(language), "weight": c.weight}
                         for c in process.CRITERIA],
            "mean": t("7,50", "7.50"),
            "passed": True,
            "reasons": [t("Bổ sung phân tích độ nhạy", "Add a sensitivity analysis")],
            "reserve_left": 5,
            "granted_days": 3,
        },
        "deliverables": [
            {"title": t("Kế hoạch kinh doanh", "Business plan"),
             "file": t("Kế hoạch kinh doanh KHV-2026-0042 v2.docx", "Business plan KHV-2026-0042 v2.docx"),
             "version": 2, "sha256": sha, "size": "182 kB"},
            {"title": t("Mô hình tài chính", "Financial model"),
             "file": t("Mô hình tài chính KHV-2026-0042.xlsx", "Financial model KHV-2026-0042.xlsx"), "version": 1,
             "sha256": sha, "size": "96 kB"},
        ],
        "changes": [t("Bổ sung bảng phân tích độ nhạy", "Add the sensitivity table")],
        "meeting": {"at": t("09 giờ 00, ngày 15 tháng 01 năm 2027", "09:00, 15 January 2027"),
                    "place": t("Văn phòng Kế Hoạch Việt", "Ke Hoach Viet's office")},
        "visit": {
            "number": 2, "of": 3, "day": date(2027, 3, 15),
            "advice": t("Ký hợp đồng nguyên liệu theo quý để giữ giá đầu vào.",
                        "Sign quarterly raw-material contracts to hold input prices."),
            "assessment": t("Đúng hướng", "On track"),
            "history": [
                {"number": 1, "day": date(2027, 2, 15), "revenue_vnd": 1_450_000_000, "cost_vnd": 1_190_000_000,
                 "jobs": 36, "notes": t("Đã lắp máy rang mới", "New roaster installed")},
                {"number": 2, "day": date(2027, 3, 15), "revenue_vnd": 1_610_000_000, "cost_vnd": 1_270_000_000,
                 "jobs": 38, "notes": ""},
            ],
        },
    }


def pictured_facts(language: Language) -> dict[str, Any]:
    """Return the sample facts with the charts of the model, which take a moment to draw."""
    from include.documents.charts import plan_charts

    facts = sample_facts(language)
    model = facts["model"]
    millions = {
        "revenue": (5200, 6100, 7050, 7800, 8300), "costs": (4288, 4957, 5648, 6194, 6558),
        "net": (356, 501, 688, 841, 948), "cash": (1204, 1377, 1704, 2233, 2901), "scenarios": (412, -95, 873),
    }  # fmt: skip
    numbers = {
        **{name: [value * 1e6 for value in values] for name, values in millions.items()},
        "opening_cash": 650e6, "funding": {"loan": 3e9, "own_capital": 2e9},
    }  # fmt: skip
    charts = plan_charts(numbers, [year["title"] for year in model["by_year"]], language)
    return facts | {"model": model | {"charts": list(charts.values())}}


def bare_facts(language: Language) -> dict[str, Any]:
    """Return facts with every optional block None and every list and optional text empty."""
    facts = sample_facts(language)
    for block in ("monitoring", "due", "terms", "promised", "promised_before", "contract", "appraisal", "meeting",
                  "visit", "delivered", "instalment", "model"):
        facts[block] = None
    for listing in ("interests", "questions", "answers", "missing", "papers", "reasons", "contradictions", "timetable",
                    "working_days", "deliverables", "changes"):
        facts[listing] = []
    for text in ("number", "referrer", "message"):
        facts[text] = ""
    facts["answer"] = {key: "" for key in facts["answer"]}
    facts["finance"] = {key: None for key in facts["finance"]}
    facts["need"] = {"purpose": "", "horizon_months": None}
    facts["client"] = {
        "name": facts["client"]["name"], "tax_code": "", "address": "", "sector": "",
        "representative": {"name": "", "title": ""}, "contact": {"name": "", "email": "", "phone": ""},
        "bank": {"account": "", "bank": ""},
    }
    facts["firm"]["bank"] = {"account": "", "bank": ""}
    facts["work_days"] = facts["total_days"] = facts["lost_days"] = 0
    return facts
