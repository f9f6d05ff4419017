"""What a rehearsal shows while it goes on, and its summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.status import Status

from include.casework.office import PDF_OF
from include.engagement import process
from rehearsal.letters import Letter
from rehearsal.record import FiledDocument, OpenedStage

_WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")


class Progress:
    """Lines as things happen; on a terminal also one moving line that says what is waited for."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._status: Status | None = None

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self._status = self.console.status("…")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def say(self, text: str, *, style: str = "") -> None:
        """Print a line; text of clients is never read as markup."""
        self.console.print(text, style=style or None, markup=False, soft_wrap=True)

    def day(self, day: date) -> None:
        """A new day of the rehearsal's calendar."""
        self.say(f"── {_WEEKDAYS[day.weekday()]} {day:%d/%m/%Y} ──", style="bold")

    def opened(self, engagement_id: str, title: str) -> None:
        """An engagement was opened."""
        self.say(f"  {engagement_id}  mở hồ sơ: {title}", style="bold green")

    def stage(self, opened: OpenedStage) -> None:
        """A stage of an engagement was opened, or opened again for another round."""
        number = list(process.STAGES).index(opened.stage) + 1
        more = f", vòng {opened.round}" if opened.round > 1 else ""
        title = process.STAGES[opened.stage].title.vi
        self.say(f"  ● {opened.engagement_id}  giai đoạn {number}: {title}{more}", style="bold blue")

    def letter(self, letter: Letter, template: str) -> None:
        """A mail arrived."""
        more = f"  [{', '.join(letter.attachments)}]" if letter.attachments else ""
        style = "yellow" if template in ("reminder", "digest") else "cyan"
        self.say(f"  ✉ {', '.join(letter.to)}: {letter.subject}{more}", style=style)

    def document(self, document: FiledDocument) -> None:
        """A document was made or received."""
        if document.key == "received/reply" or document.key.endswith(PDF_OF):
            return
        row = process.DOCUMENTS.get(document.key)
        title = row.title.vi if row else "đã nhận " + document.key.removeprefix("received/")
        sign = "▤" if document.direction == "made" else "▸"
        version = f" v{document.version}" if document.version > 1 else ""
        self.say(f"  {sign} {document.engagement_id}  {title}{version}", style="dim")

    def answered(self, engagement_id: str, request: str, what: str) -> None:
        """A client or the service department answered."""
        self.say(f"  ◂ {engagement_id}  {request}: {what}", style="green")

    def decided(self, engagement_id: str, subject: str, label: str, note: str) -> None:
        """Staff decided."""
        self.say(f"  ✔ {subject} → {label}" + (f" ({note})" if note else ""), style="magenta")

    def waiting(self, what: Sequence[str]) -> None:
        """Say what is waited for, on a terminal."""
        if self._status is not None:
            text = "; ".join(what[:3]) + (f" … (+{len(what) - 3})" if len(what) > 3 else "")
            self._status.update(f"đang chờ: {text}".replace("[", "(").replace("]", ")") if what else "…")
