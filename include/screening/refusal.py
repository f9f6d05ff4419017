"""Why a file is refused: a code that has its words in ``include.engagement.items.FILE_PROBLEMS``."""

from __future__ import annotations


class Refused(Exception):
    """The file is not taken: ``code`` is for people's wording, ``detail`` (English) for logs and evidence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
