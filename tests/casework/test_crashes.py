"""A task dies at any of its effects and is run again: the same mails, once, and the same files in their places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from include.casework.office import Office
from include.register.models import Document, Event, Mail
from tests.casework.saboteur import Killed, Saboteur
from tests.firm import ANSWERS, PAPERS, PDF, QUOTE, Firm


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


def inform(firm: FragileFirm, calm: Firm) -> list[Callable[[], Any]]:
    """A client who answers in two goes."""
    return [
        lambda: firm.ask("information"),
        lambda: firm.put_calmly("information", {"answers": {"strategy": "x"}}, {"business_registration.pdf": PDF}),
        lambda: firm.receive("information"),
        lambda: firm.put_calmly("information", {"answers": ANSWERS}, {k: v for k, v in PAPERS.items() if k[0] != "b"}),
        lambda: firm.receive("information"),
    ]


def sign(firm: FragileFirm, calm: Firm) -> list[Callable[[], Any]]:
    """The signed contract is found right: the first instalment is asked for."""
    calm.inform().decide().sign("quote", "send", **QUOTE)
    calm.ask("quote")
    calm.put("quote", {"reply": "accept"}).receive("quote")
    calm.ask("contract")
    calm.put("contract", files={"scan.pdf": PDF}).receive("contract")
    return [lambda: firm.sign("contract_check", "accept")]


Play = Callable[[FragileFirm, Firm], list[Callable[[], Any]]]


def play(firm: FragileFirm, referrer: str, steps_of: Play) -> dict[str, Any]:
    """Play the steps, running each again until it ends; return what came of them."""
    Firm.open(calm := Firm(firm.settings, firm.outbox), referrer=referrer)
    firm.engagement = calm.engagement
    steps = steps_of(firm, calm)
    start = len(firm.outbox.mails)
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
@pytest.mark.parametrize(("steps_of", "mails", "effects"), [(inform, 3, 8), (sign, 2, 2)], ids=["inform", "sign"])
def test_a_task_killed_at_any_effect_and_run_again_has_done_it_once(
    firm: Firm, steps_of: Play, mails: int, effects: int, after: bool
) -> None:
    def fragile(saboteur: Saboteur) -> FragileFirm:
        return FragileFirm(firm.settings, firm.outbox, saboteur=saboteur)

    calm = Saboteur(after=after)
    wanted = play(fragile(calm), "0", steps_of)
    assert wanted["inbox"] == [] and len(wanted["mails"]) == mails
    assert calm.count > effects
    for effect in range(1, calm.count + 1):
        assert play(fragile(Saboteur(effect, after=after)), str(effect), steps_of) == wanted, f"killed at {effect}"
