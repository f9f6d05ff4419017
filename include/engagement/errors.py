"""The errors of the domain. Messages are in the language of whoever reads them: Vietnamese for people."""

from __future__ import annotations

from dataclasses import dataclass


class EngagementError(Exception):
    """Base of all errors that the firm's rules raise; none of them is mended by trying again unchanged."""


@dataclass(frozen=True)
class Problem:
    """What is wrong in an input file: ``line`` counts from 1; ``field`` is its dotted path."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"dòng {self.line}, mục “{self.field}”: {self.reason}"


class InvalidInput(EngagementError):
    """An intake form or scenario that is refused, with every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class InvalidReply(EngagementError):
    """A ``reply.json`` that cannot be read or does not fit its request."""


class InvalidSignOff(EngagementError):
    """A sign-off whose form does not allow the decision; the message says what to fill in."""


class AlreadyOpen(EngagementError):
    """The engagement was opened before."""


class UnknownEngagement(EngagementError):
    """No engagement of this id is registered."""


class RuleBroken(EngagementError):
    """A step was asked for that the procedure forbids at this point (see the rules in the stages)."""


class NotReproducible(EngagementError):
    """What an old document was made from is no longer kept; the stored file is what is left."""


class TemplateBroken(EngagementError):
    """A Word template that cannot be filled: a tag that is no Jinja, or a field that the facts lack or do not know.

    ``title`` is the document's, ``reason`` what was found wrong.
    """

    def __init__(self, title: str, reason: str) -> None:
        self.title = title
        self.reason = reason
        super().__init__(
            f"Không điền được mẫu Word “{title}”: {reason}. Hãy mở mẫu trong Word, sửa trường đó (trường có thể trống "
            "phải đặt trong {% if … %} … {% endif %}), rồi kiểm tra lại bằng “make templates”."
        )


class FormulaFailed(EngagementError):
    """A workbook's formula comes to an error value; the message names sheet and cell."""


class FactsDiffer(EngagementError):
    """Documents that state a fact differently, or otherwise than the facts they were made from; nothing is sent."""
