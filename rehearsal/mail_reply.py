"""A client's reply to a mail, written as people write: a word, a line for each answer, files attached."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import make_msgid
from typing import Any

from include.engagement import process
from include.engagement.items import item_named
from rehearsal.letters import Letter

_WORDS = {
    "vi": {"accept": "Đồng ý", "decline": "Không đồng ý", "negotiate": "Thương lượng", "changes": "Đề nghị chỉnh sửa"},
    "en": {"accept": "Agreed", "decline": "Declined", "negotiate": "Negotiate", "changes": "Request changes"},
}


def reply_to(
    letter: Letter, kind: str, reply: Mapping[str, Any], files: Mapping[str, bytes], *, sender: str, language: str
) -> EmailMessage | None:
    """Return the reply to a mail that asks for ``kind``; None when a mail cannot say such an answer."""
    lines = []
    if reply.get("reply"):
        word = _WORDS[language].get(reply["reply"])
        if word is None:
            return None
        lines.append(word)
    if reply.get("message"):
        lines += ["", reply["message"]] if lines and not reply.get("items") else [reply["message"]] * (not lines)
    lines += [f"- {item}" for item in reply.get("items", ())]
    rows = {item.key: item for item in process.REQUESTS[kind].items}
    for key, value in reply.get("answers", {}).items():
        if not isinstance(value, (str, int, float)) or "\n" in str(value):
            return None
        label = (rows.get(key) or item_named(key)).label
        lines.append(f"{label.en if language == 'en' else label.vi}: {value}")
    asked = BytesParser(policy=policy.default).parsebytes(letter.path.read_bytes())
    message = EmailMessage()
    message["From"] = sender
    message["To"] = str(asked["Reply-To"])
    message["Subject"] = f"Re: {letter.subject}"
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["In-Reply-To"] = letter.message_id
    message.set_content("\n".join(lines) + "\n")
    for name, data in files.items():
        main, _, sub = (mimetypes.guess_type(name)[0] or "application/octet-stream").partition("/")
        message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message
