"""When a scoreboard says that the promises were kept."""

from __future__ import annotations

import pytest

from chaos.judge import Verdict
from chaos.monkey import Happened
from chaos.scoreboard import LEAST_FAULTS, held, make


@pytest.mark.parametrize(
    ("survived", "lost", "findings", "kept"),
    [
        (LEAST_FAULTS, 0, [], True),
        (LEAST_FAULTS - 1, 0, [], False),
        (LEAST_FAULTS, 1, [], False),
        (LEAST_FAULTS, 0, ["a mail came twice"], False),
    ],
    ids=["all survived", "too few tried", "one not survived", "something found"],
)
def test_promises_were_kept_when_enough_was_tried_all_survived_and_nothing_found(
    survived: int, lost: int, findings: list[str], kept: bool
) -> None:
    happened = [*[Happened("scheduler killed", True)] * survived, *[Happened("portal killed", False)] * lost]
    verdict = Verdict()
    verdict.findings = findings
    assert held(make(verdict, happened, seed=1, scenarios=["terminated"], minutes=5.0)) is kept
