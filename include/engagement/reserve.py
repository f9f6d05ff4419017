"""The reserve: working days agreed at signature that pay for failed appraisals (stages 3 and 5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Balance:
    """The reserve of an engagement in working days; all three are counted positive."""

    contracted: int = 0
    granted: int = 0
    spent: int = 0

    @property
    def left(self) -> int:
        """Working days that can still be spent; never below 0."""
        return max(0, self.contracted + self.granted - self.spent)


def round_cost(*, days_taken: int, left: int) -> int:
    """Return the working days that a round of rework takes from the reserve: what it took, at most what is left."""
    return max(0, min(days_taken, left))
