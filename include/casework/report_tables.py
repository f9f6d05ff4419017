"""The report in words: tables that the page and the workbook show alike, and the figures that stand out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.casework.reports import AT_ONCE, DETRACTOR, PROMOTER, RATINGS, SOON, Report, StageFlow
from include.documents.workbooks.report import Cell, Column, Table
from include.engagement import process
from include.engagement.process import Text

MONTH = Column(Text("Tháng", "Month"), "month")
OUTCOMES: dict[str, Text] = {
    key: Text(process.OUTCOMES[key], english)
    for key, english in (
        ("completed", "Completed"), ("refused", "Refused for inaccurate information"),
        ("declined_by_firm", "Declined by the firm"), ("declined_by_client", "Quote declined by the client"),
        ("terminated", "Contract terminated"), ("withdrawn", "Withdrawn by the client"),
    )
}  # fmt: skip
STATUSES = {"registered": Text("Vừa ghi nhận", "Registered"), "open": Text("Đang thực hiện", "Open"), **OUTCOMES}
LEVELS = {
    "client": Text("khách", "client"), "account_manager": Text("phụ trách khách hàng", "account manager"),
    "director": Text("giám đốc", "director"),
}  # fmt: skip


def share(part: int, whole: int) -> float | None:
    """Return a part of the whole, None of nothing."""
    return part / whole if whole else None


def reminder_name(row: process.Reminder) -> Text:
    """Return what a reminder is called: when it goes, and to whom."""
    if row.offset == 0:
        when = Text("Đúng ngày hạn", "On the due day")
    elif row.offset < 0:
        when = Text(f"Trước hạn {-row.offset} ngày", f"{-row.offset} day before")
    else:
        when = Text(f"Quá hạn {row.offset} ngày", f"{row.offset} days late" if row.offset > 1 else "1 day late")
    return Text(f"{when.vi} – {LEVELS[row.level].vi}", f"{when.en} – {LEVELS[row.level].en}")


def tables(found: Report) -> dict[str, Table]:
    """Return the tables of a report by key."""
    return {table.key: table for table in (
        _flow(found), _outcomes(found), _stages(found.stages), _times(found), _lost(found), _council(found),
        _rounds(found), _criteria(found), _reserve(found), _reminders(found), _ratings(found), _recommend(found),
    )}  # fmt: skip


def _flow(found: Report) -> Table:
    rows = tuple((m.month, m.opened, m.closed, m.open_at_end) for m in found.flow.months)
    return Table(
        "flow", Text("Hồ sơ theo tháng", "Engagements by month"),
        Text("Hồ sơ mở và đóng trong tháng; số đang mở tính đến cuối tháng.",
             "Opened and closed in the month; open at its end."),
        (MONTH, _count("Mở", "Opened"), _count("Đóng", "Closed"), _count("Đang mở cuối tháng", "Open at the end")),
        rows,
    )  # fmt: skip


def _outcomes(found: Report) -> Table:
    return Table(
        "outcomes", Text("Kết quả hồ sơ đã đóng", "How engagements ended"),
        Text("Hồ sơ đóng trong kỳ.", "Engagements closed in the period."),
        (_text("Kết quả", "Outcome"), _count("Hồ sơ", "Engagements"), Column(Text("Tỷ lệ", "Share"), "share")),
        tuple((OUTCOMES[key], count, share(count, found.flow.closed))
              for key, count in found.flow.outcomes.items()),
    )  # fmt: skip


def _stages(stages: Sequence[StageFlow]) -> Table:
    months = [month for month, _, _ in stages[0].months]
    columns = [_text("Giai đoạn", "Stage"), _count("Đang mở", "Open now")]
    for month in months:
        columns += [_count(f"{month:%m/%Y} mở", f"{month:%m/%Y} opened"),
                    _count(f"{month:%m/%Y} đóng", f"{month:%m/%Y} closed")]  # fmt: skip
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (_stage(each.stage), each.open_now, *(n for _, opened, closed in each.months for n in (opened, closed)))
        for each in stages
    )
    return Table(
        "stages", Text("Giai đoạn theo tháng", "Stages by month"),
        Text("Số lần một giai đoạn được mở và đóng trong tháng, kể cả vòng làm lại.",
             "How often a stage was opened and closed in the month, rework included."), tuple(columns), rows,
    )  # fmt: skip


def _times(found: Report) -> Table:
    return Table(
        "times", Text("Thời gian từng giai đoạn so với chuẩn", "Lead times against the standard"),
        Text("Ngày làm việc, vòng đầu của giai đoạn hoàn thành trong kỳ. “9/10 hồ sơ”: chín trên mười hồ sơ không lâu "
             "hơn. Chuẩn của giai đoạn ký hợp đồng không gồm thời gian khách xem báo giá.",
             "Working days; first rounds of stages finished in the period. “9 in 10”: nine in ten took no longer. The "
             "contract stage’s standard leaves out the client’s time to consider the quote."),
        (_text("Giai đoạn", "Stage"), _count("Chuẩn", "Standard"), _count("Đã xong", "Finished"),
         _mean("Trung vị", "Median"), _mean("9/10 hồ sơ", "9 in 10"),
         Column(Text("Trong chuẩn", "Within"), "share")),
        tuple((_stage(each.stage), each.standard, each.first_rounds, each.median, each.slowest_tenth,
               share(each.within, each.first_rounds)) for each in found.times),
    )  # fmt: skip


def _lost(found: Report) -> Table:
    return Table(
        "lost", Text("Thời gian đi đâu: công ty và khách", "Where time goes: firm and client"),
        Text("Ngày làm việc của mọi vòng hoàn thành trong kỳ. Trễ: phần vượt số ngày được giao; của khách là phần vượt "
             "số ngày dành cho khách, còn lại là của công ty.",
             "Working days of all rounds finished in the period. Late: beyond the days given; the client’s part is "
             "what went beyond the client’s share, the rest is the firm’s."),
        (_text("Giai đoạn", "Stage"), _count("Vòng", "Rounds"), _count("Công ty", "Firm"),
         _count("Chờ khách", "Client"), _count("Trễ do công ty", "Late: firm"),
         _count("Trễ do khách", "Late: client")),
        tuple((_stage(each.stage), each.rounds, each.firm_days, each.client_days, each.late_firm, each.late_client)
              for each in found.times),
    )  # fmt: skip


def _council(found: Report) -> Table:
    return Table(
        "council", Text("Hội đồng: đạt ngay vòng đầu", "Council: passed at first"),
        Text("Kết luận vòng 1 trong tháng.", "First verdicts of the month."),
        (MONTH, _count("Đạt", "Passed"), _count("Không đạt", "Failed"),
         Column(Text("Tỷ lệ đạt", "Pass rate"), "share")),
        tuple((m, passed, failed, share(passed, passed + failed)) for m, passed, failed in found.council.months),
    )  # fmt: skip


def _rounds(found: Report) -> Table:
    return Table(
        "rounds", Text("Hội đồng: theo vòng", "Council: by round"),
        Text("Mọi kết luận trong kỳ.", "All verdicts of the period."),
        (_count("Vòng", "Round"), _count("Đạt", "Passed"), _count("Không đạt", "Failed"),
         Column(Text("Tỷ lệ đạt", "Pass rate"), "share")),
        tuple((number, passed, failed, share(passed, passed + failed))
              for number, passed, failed in found.council.rounds),
    )  # fmt: skip


def _criteria(found: Report) -> Table:
    titles = {criterion.key: criterion.title for criterion in process.CRITERIA}
    mark = process.PASS_MARK
    return Table(
        "criteria", Text("Hội đồng: vì sao không đạt", "Council: why it failed"),
        Text(f"Điểm trung bình vòng 1 của từng tiêu chí, thang {process.COUNCIL_POINTS}; mức đạt {mark}.",
             f"Mean points of first rounds by criterion, of {process.COUNCIL_POINTS}; pass mark {mark}."),
        (_text("Tiêu chí", "Criterion"), _mean("Khi đạt", "When passed"), _mean("Khi không đạt", "When failed"),
         _count(f"Lần dưới mức {mark}", f"Times below {mark}"),
         Column(Text("Trong số không đạt", "Of those failed"), "share")),
        tuple((titles[each.key], each.passed, each.failed, each.below, share(each.below, found.council.failed))
              for each in found.council.criteria),
    )  # fmt: skip


def _reserve(found: Report) -> Table:
    used = found.reserve
    return Table(
        "reserve", Text("Thời gian dự trù", "Reserve"),
        Text(f"Ngày làm việc. Trong {used.engagements} hồ sơ có hợp đồng đóng trong kỳ, {used.used} hồ sơ dùng đến dự "
             f"trù, {used.used_up} hồ sơ dùng hết: {used.spent} trên {used.contracted} ngày hợp đồng và "
             f"{used.granted} ngày cấp thêm.",
             f"Working days. Of {used.engagements} engagements with a contract closed in the period {used.used} used "
             f"reserve, {used.used_up} all of it: {used.spent} of {used.contracted} contracted days and "
             f"{used.granted} granted ones."),
        (MONTH, _count("Đã dùng", "Spent"), _count("Cấp thêm", "Granted")), used.months,
    )  # fmt: skip


def _reminders(found: Report) -> Table:
    rows = {row.key: row for row in process.REMINDERS}
    return Table(
        "reminders", Text("Nhắc việc có tác dụng không", "What reminders do"),
        Text("Lời nhắc gửi trong kỳ. Một câu trả lời được tính cho lời nhắc gần nhất trước đó; ngày làm việc.",
             "Reminders sent in the period. An answer counts for the reminder last sent before it; working days."),
        (_text("Lời nhắc", "Reminder"), _count("Đã gửi", "Sent"),
         _count(f"Trả lời trong {AT_ONCE} ngày", f"Answered within {AT_ONCE}"),
         _count(f"Trong {SOON} ngày", f"Within {SOON}"), _count("Muộn hơn", "Later"),
         _count("Chưa trả lời", "Not answered")),
        tuple((reminder_name(rows[each.key]), each.sent, each.at_once, each.soon, each.later, each.unanswered)
              for each in found.reminders),
    )  # fmt: skip


def _ratings(found: Report) -> Table:
    items = {item.key: item.label for item in process.REQUESTS["evaluation"].items}
    return Table(
        "ratings", Text("Khách đánh giá dịch vụ", "Clients’ evaluation"),
        Text("Điểm trung bình 1–5 của phiếu nhận trong tháng.", "Mean of 1–5 of the forms answered in the month."),
        (MONTH, _count("Phiếu", "Forms"),
         *(Column(_without_scale(items[key]), "mean") for key in RATINGS)),
        tuple((each.month, each.answers, *each.ratings) for each in found.evaluations.months),
    )  # fmt: skip


def _recommend(found: Report) -> Table:
    return Table(
        "recommend", Text("Khách có giới thiệu không", "Would clients recommend us"),
        Text(f"Thang 0–10. Chỉ số: % người cho {PROMOTER}–10 trừ % người cho 0–{DETRACTOR}, từ −100 đến 100.",
             f"Of 0–10. The score: % who gave {PROMOTER}–10 less % who gave 0–{DETRACTOR}, from −100 to 100."),
        (MONTH, _count("Phiếu", "Forms"), _mean("Trung bình", "Mean"),
         _count(f"{PROMOTER}–10", f"{PROMOTER}–10"), _count(f"0–{DETRACTOR}", f"0–{DETRACTOR}"),
         _count("Chỉ số", "Score")),
        tuple((each.month, each.recommended, each.recommend, each.promoters, each.detractors, each.score)
              for each in found.evaluations.months),
    )  # fmt: skip


def engagements_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the list of engagements, for the workbook."""
    return Table(
        "engagements", Text("Danh sách hồ sơ", "Engagements"),
        Text("Hồ sơ còn mở ít nhất một ngày trong kỳ.", "Engagements that were open on a day of the period."),
        (_text("Mã hồ sơ", "Engagement"), _text("Khách hàng", "Client"), _day("Mở", "Opened"),
         _day("Ký hợp đồng", "Signed"), _day("Hẹn khách", "Promised"), _day("Bàn giao", "Delivered"),
         _day("Đóng", "Closed"), _text("Kết quả", "Outcome")),
        tuple((row["id"], row["client"], row["opened"], row["signed"], row["promised"], row["delivered"], row["closed"],
               STATUSES.get(row["status"], row["status"])) for row in rows),
    )  # fmt: skip


def _stage(key: str) -> Text:
    return process.STAGES[key].title


def _without_scale(label: Text) -> Text:
    return Text(label.vi.rpartition(" (")[0], label.en.rpartition(" (")[0])


def _text(vi: str, en: str) -> Column:
    return Column(Text(vi, en), "text")


def _count(vi: str, en: str) -> Column:
    return Column(Text(vi, en), "count")


def _mean(vi: str, en: str) -> Column:
    return Column(Text(vi, en), "mean")


def _day(vi: str, en: str) -> Column:
    return Column(Text(vi, en), "day")
