"""Scenario files: how one engagement goes, told by what client and staff do, in order.

The form's structure is kept in ``scenario.schema.json``; what it cannot say (steps that contradict each other,
days that are not working days, files that are missing) is checked here. Every problem names its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from include.engagement import process
from include.engagement.appraisal import Scorecard, tally
from include.engagement.calendar import working_calendar
from include.engagement.errors import InvalidInput, Problem
from include.engagement.form import check_form
from include.engagement.yaml_lines import load_with_lines
from rehearsal.attachments import AUTO_KINDS

FOLDER = Path(__file__).resolve().parent / "scenarios"
SCHEMA = Path(__file__).resolve().parent / "scenario.schema.json"

LineOf = Callable[[str], int]


@dataclass(frozen=True)
class Answer:
    """One entry of what a client (or the service department) does.

    ``after_days`` counts working days after the request; None: on its due day. ``files`` maps items to a path
    or ``auto:kind``; ``more_files`` belong to no item in particular. ``reply`` is empty where items are answered.
    """

    after_days: int | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    more_files: tuple[str, ...] = ()
    reply: str = ""
    message: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """An option of a sign-off and its reason: a text, or one reason an item."""

    option: str
    reasons: dict[str, str] | str = ""

    @property
    def reason(self) -> str:
        """The reason as the form takes it: one line ``item: reason`` an item."""
        if isinstance(self.reasons, str):
            return self.reasons
        return "\n".join(f"{item}: {reason}" for item, reason in self.reasons.items())


@dataclass(frozen=True)
class Appraisal:
    """One round of the council: ``scores`` by member and criterion; None: everybody gives full marks."""

    scores: dict[str, dict[str, float]] | None = None
    comments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Care:
    """How one care call goes."""

    outcome: str
    reached: bool = True


@dataclass(frozen=True)
class Staff:
    """What the firm's people decide; an absent step is a yes."""

    first_meeting: bool = True
    information_review: tuple[Decision, ...] = ()
    decision: Decision = Decision("accept")
    quote: dict[str, Any] | None = None
    revised_quotes: tuple[dict[str, Any], ...] = ()
    contract_check: tuple[Decision, ...] = ()
    appraisal: tuple[Appraisal, ...] = ()
    granted_days: int | None = None
    terminate: bool = False
    care: tuple[Care, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """One scenario as read; ``answers`` maps a kind of ``process.REQUESTS`` to its entries in order."""

    path: Path
    title: str
    today: date
    form: dict[str, Any]
    answers: dict[str, tuple[Answer, ...]]
    staff: Staff
    expect: dict[str, Any]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem


def find_scenario(argument: str) -> Path:
    """Return the file meant by ``argument``: a path, or the bare name of one in ``rehearsal/scenarios``.

    Raises InvalidInput when there is no such file.
    """
    path = Path(argument)
    for candidate in (path, FOLDER / argument, FOLDER / f"{argument}.yaml"):
        if candidate.is_file():
            return candidate.resolve()
    known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
    raise InvalidInput([Problem(1, argument, f"không tìm thấy tệp kịch bản; các kịch bản có sẵn: {known}")])


def read_scenario(path: Path) -> Scenario:
    """Read the scenario at ``path``. Raises InvalidInput with every problem, its line and its reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput([Problem(1, path.name, "tệp phải được ghi bằng mã UTF-8")]) from error
    except OSError as error:
        raise InvalidInput([Problem(1, path.name, f"không đọc được tệp: {error.strerror}")]) from error
    data, line_of = load_with_lines(text)
    if not isinstance(data, dict):
        raise InvalidInput([Problem(1, path.name, "kịch bản phải là các cặp “khóa: giá trị”")])
    data = {key: value for key, value in data.items() if value is not None}
    problems = list(_structure_problems(_plain(data), line_of))
    if not problems:
        form, problems = _checked_form(data["engagement"], line_of)
        scenario = _scenario(data, path, form)
        problems += _contradictions(scenario, data, line_of)
        if not problems:
            return scenario
    raise InvalidInput(sorted(set(problems), key=lambda problem: (problem.line, problem.field)))


# --- Structure ------------------------------------------------------------------------------------------


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: keys are texts, dates their ISO form."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value


_TYPES = {
    "object": "các cặp “khóa: giá trị”", "array": "một danh sách", "string": "chữ", "integer": "số nguyên",
    "number": "số", "boolean": "true hoặc false",
}


def _structure_problems(data: Any, line_of: LineOf) -> Iterator[Problem]:
    validator = Draft202012Validator(_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in validator.iter_errors(data):
        path = _dotted(error.absolute_path)
        if error.validator == "additionalProperties":
            allowed = ", ".join(error.schema.get("properties", {}))
            for key in error.instance:
                if key not in error.schema.get("properties", {}):
                    name = f"{path}.{key}" if path else key
                    yield Problem(line_of(name), name, f"khóa không có trong mẫu; các khóa được dùng: {allowed}")
        elif error.validator == "required":
            for key in error.validator_value:
                if key not in error.instance:
                    yield Problem(line_of(path), f"{path}.{key}" if path else key, "còn thiếu")
        else:
            yield Problem(line_of(path), path or "kịch bản", _reason(error))


def _reason(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "type":
        kinds = [str(kind) for kind in (wanted if isinstance(wanted, list) else [wanted])]
        return "phải là " + " hoặc ".join(_TYPES.get(kind, kind) for kind in kinds)
    reasons: dict[str, str] = {
        "enum": f"phải là một trong: {', '.join(map(str, wanted))}" if isinstance(wanted, list) else "",
        "minimum": f"phải từ {wanted} trở lên",
        "exclusiveMinimum": f"phải lớn hơn {wanted}",
        "maximum": f"không được quá {wanted}",
        "minItems": "không được để trống",
        "minLength": "không được để trống",
        "minProperties": "không được để trống",
        "format": "phải là ngày dạng YYYY-MM-DD",
        "anyOf": f"phải là {schema.get('title', '')}",
    }
    return reasons.get(str(error.validator)) or f"không hợp lệ ({error.message})"


def _dotted(path: Iterable[Any]) -> str:
    """Return a path as ``load_with_lines`` writes it: ``client.quote[0].reply``."""
    dotted = ""
    for part in path:
        dotted += f"[{part}]" if isinstance(part, int) else f".{part}" if dotted else str(part)
    return dotted


def _checked_form(raw: dict[str, Any], line_of: LineOf) -> tuple[dict[str, Any], list[Problem]]:
    """Return the intake form as the firm's own rules take it (as given when they refuse it), and the problems."""
    try:
        return check_form(raw, line_of=lambda path: line_of(f"engagement.{path}" if path else "engagement")), []
    except InvalidInput as error:
        return raw, [Problem(p.line, _join("engagement", p.field), p.reason) for p in error.problems]


def _join(parent: str, field: str) -> str:
    return f"{parent}.{field}" if field else parent


# --- Meaning --------------------------------------------------------------------------------------------


def _scenario(data: dict[str, Any], path: Path, form: dict[str, Any]) -> Scenario:
    client, staff = data.get("client", {}), data.get("staff", {})
    today = data["today"]
    folder = path.resolve().parent
    answers: dict[str, tuple[Answer, ...]] = {
        kind: tuple(_answer(kind, entry, folder) for entry in (entries if isinstance(entries, list) else [entries]))
        for kind, entries in client.items()
    }
    answers["delivery"] = tuple(_delivery(entry, folder) for entry in staff.get("delivery", []))
    return Scenario(
        path=path,
        title=data.get("title", path.stem),
        today=today if isinstance(today, date) else date.fromisoformat(today),
        form=form,
        answers={kind: entries for kind, entries in answers.items() if entries},
        staff=_staff(staff),
        expect=data.get("expect", {}),
    )


def _path(value: str, folder: Path) -> str:
    return value if value.startswith("auto:") else str(folder / value)


def _answer(kind: str, entry: dict[str, Any], folder: Path) -> Answer:
    answers = dict(entry.get("answers", {}))
    files = {item: _path(value, folder) for item, value in entry.get("files", {}).items()}
    if kind == "contract" and "file" in entry:
        files["signed_contract"] = _path(entry["file"], folder)
    if kind == "monitoring":
        answers = {**entry.get("figures", {}), **_given(entry, "notes")}
    if kind == "evaluation":
        answers = {**entry.get("scores", {}), **_given(entry, "recommend", "comment")}
    return Answer(
        after_days=entry.get("after_days"), answers=answers, files=files, reply=entry.get("reply", ""),
        message=entry.get("message", ""), items=tuple(entry.get("items", ())),
    )


def _given(entry: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: entry[key] for key in keys if entry.get(key) not in (None, "")}


def _ending(value: str) -> str:
    return value[5:] if value.startswith("auto:") else PurePosixPath(value).suffix.lstrip(".").lower()


def _delivery(entry: dict[str, Any], folder: Path) -> Answer:
    """The first Word file is the business plan, the first workbook the financial model."""
    files: dict[str, str] = {}
    more: list[str] = []
    for value in (_path(value, folder) for value in entry["files"]):
        item = {"docx": "business_plan", "xlsx": "financial_model"}.get(_ending(value))
        if item is None or item in files:
            more.append(value)
        else:
            files[item] = value
    return Answer(after_days=entry.get("after_days"), files=files, more_files=tuple(more))


def _decision(value: str | dict[str, Any]) -> Decision:
    if isinstance(value, str):
        return Decision(value)
    ((option, reasons),) = value.items()
    return Decision(option, reasons)


def _staff(staff: dict[str, Any]) -> Staff:
    exhausted = staff.get("after_reserve_exhausted")
    granted = exhausted.get("grant_days") if isinstance(exhausted, dict) else None
    if isinstance(exhausted, str) and exhausted.startswith("grant_days"):
        granted = int(exhausted.split(":")[1])
    return Staff(
        first_meeting=staff.get("first_meeting", True),
        information_review=tuple(_decision(value) for value in staff.get("information_review", ())),
        decision=_decision(staff.get("decision", "accept")),
        quote=staff.get("quote"),
        revised_quotes=tuple(staff.get("revised_quotes", ())),
        contract_check=tuple(_decision(value) for value in staff.get("contract_check", ())),
        appraisal=tuple(
            Appraisal(round_.get("scores"), round_.get("comments", {})) for round_ in staff.get("appraisal", ())
        ),
        granted_days=granted,
        terminate=exhausted == "terminate",
        care=tuple(Care(call["outcome"], call.get("reached", True)) for call in staff.get("care", ())),
    )


# --- Contradictions -------------------------------------------------------------------------------------

# Steps in the order in which they happen: what ends an engagement leaves nothing after it.
_ORDER = (
    "client.intake", "staff.first_meeting", "client.information", "staff.information_review", "staff.decision",
    "staff.quote", "client.quote", "staff.revised_quotes", "client.contract", "staff.contract_check",
    "staff.delivery", "staff.appraisal", "staff.after_reserve_exhausted", "client.handover", "client.monitoring",
    "client.evaluation", "staff.care",
)


def _contradictions(scenario: Scenario, data: dict[str, Any], line_of: LineOf) -> Iterator[Problem]:
    def problem(path: str, reason: str) -> Problem:
        return Problem(line_of(path), path, reason)

    calendar = working_calendar()
    if not calendar.is_working_day(scenario.today):
        yield problem("today", f"{scenario.today:%d/%m/%Y} không phải là ngày làm việc")
    for check in (_review_problems, _quote_problems, _signature_problems, _appraisal_problems, _handover_problems):
        yield from check(scenario, problem)
    yield from _after_the_end(scenario, data, problem)
    yield from _file_problems(data, scenario.path.resolve().parent, problem)


ProblemAt = Callable[[str, str], Problem]


def _rounds_end(path: str, entries: Iterable[str], ending: Iterable[str], problem: ProblemAt) -> Iterator[Problem]:
    """Report the entries that follow one which ends the rounds."""
    ended = ""
    for number, entry in enumerate(entries):
        if ended:
            yield problem(f"{path}[{number}]", f"không thể có bước này sau khi đã “{ended}”")
        elif entry in ending:
            ended = entry


def _review_problems(scenario: Scenario, problem: ProblemAt) -> Iterator[Problem]:
    reviews = [review.option for review in scenario.staff.information_review]
    yield from _rounds_end("staff.information_review", reviews, ("accept", "refuse"), problem)
    if len(reviews) > process.INFORMATION_ROUNDS:
        yield problem(f"staff.information_review[{process.INFORMATION_ROUNDS}]",
                      f"chỉ có {process.INFORMATION_ROUNDS} vòng thẩm tra thông tin")
    elif len(reviews) == process.INFORMATION_ROUNDS and reviews[-1] == "ask_again":
        yield problem(f"staff.information_review[{len(reviews) - 1}]",
                      "vòng cuối cùng chỉ có thể chấp nhận hoặc từ chối")


def _quote_problems(scenario: Scenario, problem: ProblemAt) -> Iterator[Problem]:
    staff = scenario.staff
    replies = [answer.reply for answer in scenario.answers.get("quote", ())]
    yield from _rounds_end("client.quote", replies, ("accept", "decline"), problem)
    negotiations = replies.count("negotiate")
    if negotiations >= process.QUOTE_ROUNDS:
        yield problem(f"client.quote[{process.QUOTE_ROUNDS - 1}]",
                      f"khách chỉ được thương lượng tối đa {process.QUOTE_ROUNDS - 1} lần")
    if staff.revised_quotes and len(staff.revised_quotes) != negotiations:
        yield problem("staff.revised_quotes", f"có {len(staff.revised_quotes)} báo giá sửa đổi cho {negotiations} "
                                              "lần thương lượng; mỗi lần cần đúng một báo giá")
    quotes = [("staff.quote", staff.quote or {})]
    quotes += [(f"staff.revised_quotes[{n}]", quote) for n, quote in enumerate(staff.revised_quotes)]
    for path, quote in quotes:
        instalments = quote.get("instalments_percent")
        if instalments is not None and abs(sum(instalments) - 100) > 1e-9:
            yield problem(f"{path}.instalments_percent",
                          f"tổng các đợt thanh toán là {sum(instalments):g}%, phải bằng 100%")


def _signature_problems(scenario: Scenario, problem: ProblemAt) -> Iterator[Problem]:
    checks = [check.option for check in scenario.staff.contract_check]
    yield from _rounds_end("staff.contract_check", checks, ("accept",), problem)
    rounds = checks.count("ask_again") + 1
    if rounds > process.SIGNATURE_ROUNDS:
        yield problem(f"staff.contract_check[{process.SIGNATURE_ROUNDS - 1}]",
                      f"hợp đồng chỉ được gửi ký tối đa {process.SIGNATURE_ROUNDS} lần")
    signed = [n for n, answer in enumerate(scenario.answers.get("contract", ())) if answer.files]
    if len(signed) > rounds:
        yield problem(f"client.contract[{signed[rounds]}]", f"hợp đồng đã hợp lệ sau lần ký thứ {rounds}")


def _handover_problems(scenario: Scenario, problem: ProblemAt) -> Iterator[Problem]:
    answers = scenario.answers.get("handover", ())
    yield from _rounds_end("client.handover", [answer.reply for answer in answers], ("accept",), problem)
    for number, answer in enumerate(answers):
        path = f"client.handover[{number}]"
        if answer.reply == "changes" and not (answer.items or answer.message):
            yield problem(path, "yêu cầu chỉnh sửa phải nêu ít nhất một nội dung trong “items”")
        if answer.reply == "accept" and answer.items:
            yield problem(path, "đã nhận bàn giao thì không còn nội dung chỉnh sửa")
        if answer.reply == "changes" and number >= process.HANDOVER_ROUNDS - 1:
            yield problem(path, f"khách chỉ được yêu cầu chỉnh sửa tối đa {process.HANDOVER_ROUNDS - 1} lần")
    monitoring = scenario.answers.get("monitoring", ())
    visits = int(((scenario.form.get("add_ons") or {}).get("monitoring") or {}).get("visits") or 0)
    if len(monitoring) > visits:
        yield problem(f"client.monitoring[{visits}]",
                      f"hợp đồng có {visits} lần theo dõi, kịch bản trả lời {len(monitoring)} lần"
                      if visits else "hợp đồng không mua dịch vụ theo dõi thực hiện")
    if len(scenario.staff.care) > len(process.CARE_AFTER_MONTHS):
        yield problem(f"staff.care[{len(process.CARE_AFTER_MONTHS)}]",
                      f"chỉ có {len(process.CARE_AFTER_MONTHS)} lần gọi điện chăm sóc")


def _appraisal_problems(scenario: Scenario, problem: ProblemAt) -> Iterator[Problem]:
    members = {member.key for member in process.COUNCIL}
    criteria = {criterion.key for criterion in process.CRITERIA}
    verdicts: list[str] = []
    for number, appraisal in enumerate(scenario.staff.appraisal):
        path = f"staff.appraisal[{number}]"
        sound = True
        for member, points in (appraisal.scores or {}).items():
            if member not in members:
                yield problem(f"{path}.scores.{member}", f"hội đồng không có ủy viên này: {', '.join(sorted(members))}")
                sound = False
                continue
            for criterion, given in points.items():
                if criterion not in criteria:
                    yield problem(f"{path}.scores.{member}.{criterion}",
                                  f"không có tiêu chí này: {', '.join(sorted(criteria))}")
                    sound = False
                elif not 0 <= given <= process.COUNCIL_POINTS:
                    yield problem(f"{path}.scores.{member}.{criterion}",
                                  f"điểm phải từ 0 đến {process.COUNCIL_POINTS}")
                    sound = False
            if missing := sorted(criteria - points.keys()):
                yield problem(f"{path}.scores.{member}", f"thiếu điểm của tiêu chí: {', '.join(missing)}")
                sound = False
        for member in appraisal.comments:
            if member not in members:
                yield problem(f"{path}.comments.{member}",
                              f"hội đồng không có ủy viên này: {', '.join(sorted(members))}")
            elif appraisal.scores is not None and member not in appraisal.scores:
                yield problem(f"{path}.comments.{member}", "ủy viên vắng mặt không thể có nhận xét")
        if sound and appraisal.scores is not None and len(appraisal.scores) < process.QUORUM:
            yield problem(f"{path}.scores", f"không đủ túc số {process.QUORUM} ủy viên")
        elif sound:
            verdicts.append("đạt" if passes(appraisal) else "không đạt")
    if len(verdicts) < len(scenario.staff.appraisal):
        return
    yield from _rounds_end("staff.appraisal", verdicts, ("đạt",), problem)
    most = process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS
    if len(verdicts) > most:
        yield problem(f"staff.appraisal[{most}]", f"hội đồng chỉ họp tối đa {most} vòng")
    # A delivery without the plan itself is asked for again and so takes an entry more in its round.
    rounds = len(verdicts) + (0 if verdicts and verdicts[-1] == "đạt" else 1)
    delivered = [n for n, answer in enumerate(scenario.answers.get("delivery", ()))
                 if "business_plan" in answer.files]
    if len(delivered) > rounds:
        yield problem(f"staff.delivery[{delivered[rounds]}]",
                      f"sau {rounds} vòng hội đồng đã thông qua, không còn lần nộp sản phẩm này")


def passes(appraisal: Appraisal) -> bool:
    """Say whether the council's points pass, by the firm's own rule."""
    if appraisal.scores is None:
        return True
    cards = [Scorecard(member, True, points, "") for member, points in appraisal.scores.items()]
    return tally(cards).passed


def _after_the_end(scenario: Scenario, data: dict[str, Any], problem: ProblemAt) -> Iterator[Problem]:
    """Report steps given after the one that ends the engagement."""
    ends: list[tuple[str, str]] = []
    if any(review.option == "refuse" for review in scenario.staff.information_review):
        ends.append(("staff.information_review", "công ty đã từ chối dịch vụ"))
    if scenario.staff.decision.option == "decline":
        ends.append(("staff.decision", "công ty không nhận thực hiện"))
    if any(answer.reply == "decline" for answer in scenario.answers.get("quote", ())):
        ends.append(("client.quote", "khách không đồng ý báo giá"))
    for end, why in ends[:1]:
        for path in _ORDER[_ORDER.index(end) + 1:]:
            part, key = path.split(".")
            happens_before = path == "staff.revised_quotes" and end == "client.quote"
            if (data.get(part) or {}).get(key) and not happens_before:
                yield problem(path, f"không thể có bước này: {why}")


def _file_problems(data: dict[str, Any], folder: Path, problem: ProblemAt) -> Iterator[Problem]:
    for path, value in _file_paths(data):
        if value.startswith("auto:"):
            if value[5:] not in AUTO_KINDS:
                yield problem(path, f"tệp tự tạo phải là một trong: {', '.join('auto:' + k for k in AUTO_KINDS)}")
        elif not (folder / value).is_file():
            yield problem(path, f"không có tệp “{value}” (đường dẫn tính từ tệp kịch bản)")


def _file_paths(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, entries in (data.get("client") or {}).items():
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            for item, value in entry.get("files", {}).items():
                yield f"client.{kind}[{number}].files.{item}", value
            if "file" in entry:
                yield f"client.{kind}[{number}].file", entry["file"]
    for number, entry in enumerate((data.get("staff") or {}).get("delivery", [])):
        for position, value in enumerate(entry["files"]):
            yield f"staff.delivery[{number}].files[{position}]", value
