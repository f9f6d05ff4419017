"""Dying at a chosen effect, for tests that run the work again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from include.casework.office import Office


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Saboteur:
    """Counts effects and kills at one of them: before it happens, or right after."""

    kill_at: int = -1
    after: bool = False
    count: int = field(default=0, init=False)

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def sabotaged(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            here = self.count == self.kill_at
            if here and not self.after:
                raise Killed
            done = effect(*args, **kwargs)
            if here:
                raise Killed
            return done

        return sabotaged

    def watch(self, office: Office) -> Office:
        """Make the office's mails and commits effects."""
        office.ledger.post = self.around(office.ledger.post)
        sessions = office.sessions

        def watched() -> Any:
            session = sessions()
            session.commit = self.around(session.commit)
            return session

        watched.begin = sessions.begin
        office.sessions = watched
        return office
