"""A mail server in bad moods: the mail catcher, which meets some mails with what relays do to senders.

``python -m chaos.relay FOLDER --smtp-port N --page-port N``. The mood is drawn from the seed, the recipient and the
subject, and strikes a mail once: tried again, it is taken. What happened stands in ``moods.jsonl``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from chaos.points import FOLDER, SEED
from local.mail_catcher import Receiver, main

MOODS = {
    "try later (4xx)": 8,
    "refused (5xx)": 4,
    "taken, no answer": 6,
    "broken off, not taken": 4,
    "taken, answer hangs": 2,
}
"""How many mails of a hundred are met so."""
REFUSED_RECIPIENT = 12
"""How many recipients of a hundred are refused once; the others of the same occasion get theirs."""
HANG_SECONDS = 12.0
FIRM_TAG = "+"  # replies of clients go to hoso+<request>@…; nobody sends those again


class MoodyReceiver(Receiver):
    """Takes a mail as the catcher does, or as its mood is."""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Refuse a recipient for good, or take it."""
        refused = FIRM_TAG not in address and _draw(address) < REFUSED_RECIPIENT
        if refused and _strikes(address, "recipient refused (5xx)"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Meet a mail."""
        mood = self._mood(envelope)
        if mood == "try later (4xx)":
            return "451 4.3.0 Try again later"
        if mood == "refused (5xx)":
            return "550 5.7.1 Not wanted"
        if mood != "broken off, not taken":
            answer = await super().handle_DATA(server, session, envelope)
            if mood is None:
                return answer
        if mood == "taken, answer hangs":
            await asyncio.sleep(HANG_SECONDS)
        server.transport.abort()
        return "421 4.3.0 Gone"

    def _mood(self, envelope: Envelope) -> str | None:
        recipients = envelope.rcpt_tos
        head = BytesHeaderParser(policy=default).parsebytes(envelope.original_content or b"")
        message_id = str(head["Message-ID"] or "").strip()
        if not message_id or any(FIRM_TAG in each for each in recipients):
            return None
        draw = _draw(f"{recipients}|{head['Subject']}")
        for mood, share in MOODS.items():
            if draw < share:
                return mood if _strikes(message_id, mood) else None
            draw -= share
        return None


def _draw(place: str) -> float:
    """Return a number from 0 to 100 that the seed draws for a place."""
    return int.from_bytes(hashlib.sha256(f"{os.environ[SEED]}|{place}".encode()).digest()[:6], "big") / 2**48 * 100


def _strikes(what: str, mood: str) -> bool:
    """Say whether a mood strikes for the first time, and write down that it did."""
    folder = Path(os.environ[FOLDER]) / "moods"
    folder.mkdir(exist_ok=True)
    try:
        (folder / hashlib.sha256(what.encode()).hexdigest()[:32]).open("x").close()
    except FileExistsError:
        return False
    with (folder.parent / "moods.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"mood": mood}) + "\n")
    return True


if __name__ == "__main__":
    main(MoodyReceiver)
