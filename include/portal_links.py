"""Links to the portal: signed, for one request of one engagement and one person; nothing of a link is stored.

The signature says that the firm made the link and when. Whether it is still good (the request, the engagement's
``link_version``) is for whoever opens it to ask the register.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

DAYS = 60  # calendar days that a link works
LONGEST_TOKEN = 1000  # characters; one that was made here has some 120
_SALT = "engagement-portal-link"


@dataclass(frozen=True)
class Link:
    """What a link opens. ``person`` is ``person_of`` the mail address that it was made for.

    ``version`` is the engagement's ``link_version`` when it was made: raising that revokes every older link.
    """

    engagement_id: str
    request_key: str
    person: str
    version: int


class BadLink(Exception):
    """The link was not made here, or was changed."""


class ExpiredLink(BadLink):
    """The link was made here and is too old; ``link`` is what it opened, so that a new one can be asked for."""

    def __init__(self, link: Link) -> None:
        self.link = link
        super().__init__("The link has expired.")


def person_of(address: str) -> str:
    """Return the digest that stands for a mail address in a link, so that no address stands in it."""
    return hashlib.sha256(address.strip().casefold().encode()).hexdigest()[:16]


def link_for(
    engagement_id: str, request_key: str, recipient: str, version: int, *, public_url: str, keys: Sequence[str]
) -> str:
    """Return the address at which ``recipient`` (a mail address) answers a request.

    ``keys`` are the installation's, newest first; the newest signs. Raises ValueError without a key.
    """
    token = _serializer(keys).dumps([engagement_id, request_key, person_of(recipient), version])
    return f"{public_url.rstrip('/')}/r/{token}"


def read_link(token: str, *, keys: Sequence[str], days: int = DAYS) -> Link:
    """Return what ``token`` opens; each of ``keys`` is good for reading, for ``days`` calendar days after signing.

    Raises ExpiredLink, and BadLink for everything else that is wrong with it; ValueError without a key.
    """
    serializer = _serializer(keys)
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise BadLink("The link was not made here.")
    try:
        return _link(serializer.loads(token, max_age=days * 86_400))
    except SignatureExpired as error:
        if error.payload is None:
            raise BadLink("The link was not made here.") from None
        raise ExpiredLink(_link(serializer.load_payload(error.payload))) from None
    except BadData:
        raise BadLink("The link was not made here.") from None  # the error would carry parts of the token


def _link(content: Any) -> Link:
    match content:
        case [str(engagement_id), str(request_key), str(person), int(version)] if not isinstance(version, bool):
            return Link(engagement_id, request_key, person, version)
    raise BadLink("The link was not made for this portal.")


def _serializer(keys: Sequence[str]) -> URLSafeTimedSerializer:
    if not keys or not all(keys):
        raise ValueError("ENGAGEMENT_PORTAL_KEYS must hold at least one key, and no empty one.")
    return URLSafeTimedSerializer(list(reversed(keys)), salt=_SALT)  # itsdangerous signs with its last key
