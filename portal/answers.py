"""A posted form as an answer: checked by the rules that the pipeline itself goes by, before anything is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.engagement.items import Standing, assess
from include.engagement.replies import Reply
from include.engagement.text import cleaned
from portal.reading import Asked

LONGEST_MESSAGE = 10_000  # characters
MOST_CHANGES = 100
ANSWER, FILE, OTHER = "answer.", "file.", "file.other"


@dataclass(frozen=True)
class Answer:
    """What a client typed: ``answers`` by item, a decision with its message and the changes asked for."""

    answers: dict[str, str] = field(default_factory=dict)
    reply: str | None = None
    message: str = ""
    items: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Nothing was typed or chosen."""
        return not (self.answers or self.reply or self.message or self.items)


def read(seen: Asked, fields: Sequence[tuple[str, str]]) -> Answer:
    """Return what the text fields of a form say; fields that the page does not have are left aside."""
    given = {name: cleaned(value) for name, value in fields}
    typed = {item.row.key: given[name] for item in seen.items
             if item.row.kind != "file" and (name := ANSWER + item.row.key) in given and given[name]}  # fmt: skip
    if not seen.decisions:
        return Answer(answers=typed)
    changes = [line for raw in given.get("items", "").splitlines() if (line := cleaned(raw))]
    return Answer(typed, given.get("reply") or None, given.get("message", ""), changes)


def problems(seen: Asked, answer: Answer, files: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return why an answer cannot be taken, by field; an empty mapping when it can.

    ``files``: file names by item. Values are sentences for the client, or keys of ``portal.wording.WORDS``.
    """
    found = {ANSWER + key: reason.in_(seen.language) for key, reason in _assessed(seen, answer).items()}
    for item in seen.file_items:
        for name in files.get(item.row.key, ()):
            if name.rpartition(".")[2].casefold() not in item.row.formats:
                found[FILE + item.row.key] = "wrong_format"
    if len(answer.message) > LONGEST_MESSAGE or len(answer.items) > MOST_CHANGES:
        found["message"] = "too_long"
    if seen.decisions:
        if answer.reply not in seen.decisions:
            found["reply"] = "choose"
        elif answer.reply == "changes" and not answer.items:
            found["items"] = "name_changes"
    elif answer.empty and not any(files.values()):
        found["form"] = "nothing"
    return found


def _assessed(seen: Asked, answer: Answer) -> dict[str, Any]:
    standing = {item.row.key: Standing(item.row.key, False, item.state, None) for item in seen.items}
    reply = Reply(answers=dict(answer.answers), files={}, reply=None, message="", items=[], manifest={})
    return assess([item.row for item in seen.items], standing, reply, []).returned
