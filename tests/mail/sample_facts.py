"""Facts of one engagement as every mail gets them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

HANOI = timezone(timedelta(hours=7))


def sample_facts(**changes: Any) -> dict[str, Any]:
    """Return all facts a mail may use, each filled; ``changes`` replaces some. Unknown names are refused."""
    facts: dict[str, Any] = {
        "recipient_name": "Trần Đức Hữu",
        "firm": {
            "name": "Công ty TNHH Tư vấn Kế Hoạch Việt",
            "short_name": "Kế Hoạch Việt",
            "phone": "024 3936 1234",
            "email": "lienhe@kehoachviet.example",
            "website": "https://kehoachviet.example",
            "account_manager": {"name": "Nguyễn Thu Hà", "email": "thuha@kehoachviet.example",
                                "phone": "0912 000 111"},
        },
        "engagement": {"id": "KHV-2026-0042"},
        "client": {"name": "Công ty TNHH Cà phê Ban Mê Sớm", "contact": {"name": "Trần Đức Hữu"}},
        "stage_title": "Yêu cầu cung cấp thông tin",
        "due": date(2026, 12, 9),
        "days_left": 1,
        "missing": [{"label": "Báo cáo tài chính", "reason": "Thiếu trang 3"}, {"label": "Sản phẩm", "reason": ""}],
        "received": ["Giấy chứng nhận đăng ký kinh doanh"],
        "files": [{"title": "Giấy chứng nhận đăng ký kinh doanh", "size": "248.112", "sha256": "9f" * 32}],
        "set_aside": [{"name": "anh.exe", "reason": "Tệp là chương trình nên chúng tôi không mở."}],
        "set_aside_more": 2,
        "questions": ["Hai nơi ghi khác nhau về số lao động: phiếu tiếp nhận ghi 34, phần trả lời ghi 340. Quý khách "
                      "vui lòng cho biết nội dung nào đúng."],
        "items": [
            {"label": "Định hướng chiến lược", "unit": "", "required": True},
            {"label": "Công suất", "unit": "tấn/tháng", "required": False},
        ],
        "meeting": {"at": datetime(2026, 12, 3, 9, 0, tzinfo=HANOI), "place": "18 Lý Thường Kiệt, Hà Nội"},
        "terms": {"gross_vnd": 199_800_000, "version": 2, "last": False},
        "instalment": {"number": 2, "count": 3, "amount_vnd": 81_400_000, "vat_percent": "10",
                       "agreed_vat_percent": "8", "rate_changed": True, "reference": "KHV-2026-0042 dot 2"},
        "promised": date(2031, 1, 22),
        "promised_before": date(2031, 1, 20),
        "lost_days": 2,
        "reason": "Trang 4 chưa có chữ ký",
        "reasons": [{"item": "Vốn điều lệ", "reason": "Không khớp giấy đăng ký"}],
        "changes": ["Bổ sung biểu đồ doanh thu"],
        "attachments": ["Bảng câu hỏi"],
        "round": 2,
        "visit": {"number": 1, "of": 3},
        "request_title": "Thông tin lập kế hoạch kinh doanh",
        "level": "director",
        "overdue_days": 3,
        "topics": ["xuất khẩu nông sản"],
        "topic_links": [{"title": "Cẩm nang xuất khẩu", "url": "https://kehoachviet.example/xuat-khau?a=1&b=2"}],
        "digest": [
            {"engagement": "KHV-2026-0042", "company": "Ban Mê Sớm", "what": "Thông tin lập kế hoạch",
             "since": date(2026, 12, 1), "overdue": True},
            {"engagement": "KHV-2026-0043", "company": "Tân & Phát", "what": "Trả lời báo giá", "since": None,
             "overdue": False},
        ],
        "work_page": "https://airflow.kehoachviet.example/engagements/work",
        "portal_link": "https://hoso.kehoachviet.example/r/WyJLSFYtMjAyNi0wMDQyIl0.alJfbg.kQ3-_x1",
        "day": date(2026, 12, 14),
        "second": {"answer": "Từ chối dịch vụ", "by": "viet", "stands": "Chấp nhận", "decided_by": "thuha",
                   "decided_on": date(2026, 12, 3)},
    }
    unknown = changes.keys() - facts.keys()
    if unknown:
        raise KeyError(f"no mail knows the facts {sorted(unknown)}")
    return {**facts, **changes}
