"""Dying at a chosen effect, for tests that run the work again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


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
