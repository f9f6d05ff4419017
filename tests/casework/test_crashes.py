"""A task dies at any of its effects and is run again: the same mails, once, and the same files in their places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from include.casework.office import Office
from include.register.models import Document, Event, Mail
from tests.firm import ANSWERS, PAPERS, PDF, Firm


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


@dataclass
class FragileFirm(Firm):
    """A firm whose storage a saboteur watches; a crash around the relay is the ledger's own test."""

    saboteur: Saboteur = field(default_factory=Saboteur)

    def office(self) -> Office:
        office = super().office()
        for name in ("put", "delete"):
            object.__setattr__(office.storage, name, self.saboteur.around(getattr(office.storage, name)))
        return office

    def put_calmly(self, *args: Any, **kwargs: Any) -> None:
        Firm(self.settings, self.outbox, self.engagement).put(*args, **kwargs)


def play(firm: FragileFirm, referrer: str) -> dict[str, Any]:
    """Play intake and information, running each step again until it ends; return what came of it."""
    Firm.open(calm := Firm(firm.settings, firm.outbox), referrer=referrer)
    firm.engagement = calm.engagement
    start = len(firm.outbox.mails)
    steps: list[Callable[[], Any]] = [
        lambda: firm.ask("information"),
        lambda: firm.put_calmly("information", {"answers": {"strategy": "x"}}, {"business_registration.pdf": PDF}),
        lambda: firm.receive("information"),
        lambda: firm.put_calmly("information", {"answers": ANSWERS}, {k: v for k, v in PAPERS.items() if k[0] != "b"}),
        lambda: firm.receive("information"),
    ]
    for step in steps:
        for _ in range(3):
            try:
                step()
                break
            except Killed:
                continue
    with firm.office().sessions() as session:
        own = firm.engagement
        return {
            "mails": [str(mail["subject"]).replace(own, "") for mail in firm.outbox.read()[start:]],
            "ledger": sorted(
                key.replace(own, "") for key in session.scalars(select(Mail.key).where(Mail.engagement_id == own))
            ),
            "documents": sorted(
                (key, version) for key, version in session.execute(
                    select(Document.key, Document.version).where(Document.engagement_id == own))
            ),
            "events": sorted(session.scalars(select(Event.key).where(Event.engagement_id == own))),
            "inbox": firm.office().storage.list(f"inbox/{own}/"),
        }  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_task_killed_at_any_effect_and_run_again_has_done_it_once(firm: Firm, after: bool) -> None:
    def fragile(saboteur: Saboteur) -> FragileFirm:
        return FragileFirm(firm.settings, firm.outbox, saboteur=saboteur)

    calm = Saboteur(after=after)
    wanted = play(fragile(calm), "0")
    assert wanted["inbox"] == [] and len(wanted["mails"]) == 3
    assert calm.count > 8
    for effect in range(1, calm.count + 1):
        assert play(fragile(Saboteur(effect, after=after)), str(effect)) == wanted, f"killed at effect {effect}"
