"""The reply mailbox, whose reading dies in between."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from include.casework.mailbox import address_works_again, read_mailbox
from include.casework.office import Office
from include.register.models import Document, Event, IncomingMail, Request
from tests.casework.mailroom import CLIENT, Box, bounce, read, sent, states, tagged, written
from tests.casework.saboteur import Killed, Saboteur
from tests.firm import GOOD, PDF, QUOTE, Firm


def test_the_same_words_to_an_earlier_request_are_not_taken_for_an_answer_that_a_dead_run_had_filed(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.open().inform().decide().sign("quote", "send", **QUOTE)
    firm.ask("quote")
    box = Box()
    box.deliver(written(to=tagged(firm, "quote"), text="Đồng ý", message_id="<1@banmesom.example>"))
    read(firm, box)
    assert firm.receive("quote") == "accept"
    firm.ask("contract")
    assert firm.put("contract", files={"scan.pdf": PDF}).receive("contract") == "received"
    assert firm.sign("contract_check", "accept") == "accept"
    firm.deliver().score(GOOD).conclude()
    firm.ask("handover")
    box.deliver(written(to=tagged(firm, "handover"), text="Đồng ý", message_id="<2@banmesom.example>"))
    storage = type(firm.office().storage)
    put = storage.put

    def die_in_the_inbox(self: Any, path: str, data: bytes, *, media_type: str) -> None:
        if path.startswith("inbox/"):
            raise Killed
        put(self, path, data, media_type=media_type)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "put", die_in_the_inbox)
        with pytest.raises(Killed):
            read(firm, box)
    read(firm, box)
    assert [state for state, _ in states(firm)] == ["filed", "filed"]
    assert firm.receive("handover") == "accept"


def play(firm: Firm, saboteur: Saboteur, *, received_between: bool) -> dict[str, Any]:
    """A reply, a stranger's mail, a bounce and a notice of absence; run again until the run ends."""
    firm.engagement = ""
    firm.open(referrer=f"{saboteur.kill_at} {saboteur.after} {received_between}")
    firm.ask("information")
    box = Box(name=firm.engagement)
    ours = sent(firm, "information_request").message_id
    box.deliver(written(to=tagged(firm, "information"), text="Gửi hồ sơ", files={"business_registration.pdf": PDF}))
    box.deliver(written(sender="la@khac.example", to=tagged(firm, "information")))
    box.deliver(bounce(ours))
    box.deliver(written(to=tagged(firm, "information"), text="Tôi đi vắng", Auto_Submitted="auto-replied"))
    start = len(firm.outbox.mails)

    def office() -> Office:
        office = firm.office()
        office.storage.put = saboteur.around(office.storage.put)
        box.archive = saboteur.around(box.__class__.archive.__get__(box))
        return saboteur.watch(office)

    for _ in range(3):
        try:
            read_mailbox(office(), box)
            break
        except Killed:
            if received_between:
                firm.receive("information")
    firm.receive("information")
    own = firm.engagement
    with firm.office().sessions() as session:
        address_works_again(session, CLIENT)
        return {
            "states": [row.state for row in session.scalars(
                select(IncomingMail).where(IncomingMail.mailbox == own).order_by(IncomingMail.id))],
            "mails": sorted(str(mail["subject"]).replace(own, "") for mail in firm.outbox.read()[start:]),
            "documents": sorted(key for key in session.scalars(
                select(Document.key).where(Document.engagement_id == own, Document.direction == "received"))),
            "events": sorted(kind for kind in session.scalars(select(Event.kind).where(Event.engagement_id == own))),
            "asked": session.scalars(select(Request.times_asked).where(
                Request.engagement_id == own, Request.key == "information")).one(),
            "inbox": firm.office().storage.list(f"inbox/{own}/"),
            "left": box.inbox, "archived": sorted(box.archived),
        }  # fmt: skip


@pytest.mark.parametrize("received_between", [False, True], ids=["at_once", "received_between"])
def test_killed_at_any_step_and_run_again_comes_to_the_same_end(firm: Firm, received_between: bool) -> None:
    """Killed after a step is killed before the next one; only the last has no next."""
    wanted = play(firm, calm := Saboteur(), received_between=False)
    assert wanted["states"] == ["filed", "triage", "bounced", "automatic"]
    assert wanted["inbox"] == [] and wanted["left"] == {} and calm.count > 15
    for step in range(1, calm.count + 2):
        saboteur = Saboteur(min(step, calm.count), after=step > calm.count)
        found = play(firm, saboteur, received_between=received_between)
        assert found == wanted, f"killed at {step}"
