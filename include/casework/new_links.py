"""New links: whoever opens a link that has expired can ask for another; it goes to the address on file, nowhere else.

The portal puts an empty file ``<engagement>.<request>.json`` into ``inbox/_portal/``; what stands in it is not read.
"""

from __future__ import annotations

import logging
import re

from sqlalchemy import select

from include.casework.correspondence import portal_link, post
from include.casework.office import Case, Office
from include.engagement.errors import EngagementError, UnknownEngagement
from include.engagement.replies import UNFINISHED
from include.register.models import Request

FOLDER = "_portal"  # within the inbox; no engagement's id looks like it
_NAME = re.compile(r"(?P<engagement>[A-Za-z0-9-]{1,40})\.(?P<request>[a-z_]{1,40}(-[0-9]{1,3})?)\.json")
log = logging.getLogger(__name__)


def answer_requests(office: Office) -> int:
    """Send every new link that was asked for, once per request and day; return how many went out.

    What is closed gets nothing. A mail that cannot be composed is an event of its engagement and holds up nobody else.
    """
    folder, sent = f"inbox/{FOLDER}/", 0
    for entry in office.storage.list(folder):
        name = entry.path.removeprefix(folder)
        if name.startswith(".") or name.endswith(UNFINISHED):
            continue
        asked = _NAME.fullmatch(name)
        if asked:
            sent += _answer(office, asked["engagement"], asked["request"])
        else:
            log.warning("a file in %s names no request, it is removed", folder)
        office.storage.delete(entry.path)
    return sent


def _answer(office: Office, engagement_id: str, request_key: str) -> int:
    try:
        with office.case(engagement_id) as case:
            return _send(case, request_key)
    except UnknownEngagement:
        log.warning("a new link was asked for an engagement that is not registered")
        return 0


def _send(case: Case, request_key: str) -> int:
    request = case.session.scalar(
        select(Request).where(Request.engagement_id == case.id, Request.key == request_key)
    )
    if request is None or not portal_link(case, request):
        log.info("no new link for %s of %s: nothing is open there", request_key, case.id)
        return 0
    occasion = f"new_link/{request.key}/{case.today.isoformat()}"
    try:
        post(case, "new_link", occasion, request=request, stage=request.stage)
    except EngagementError as error:
        case.session.rollback()
        case.event("new_link_not_sent", key=occasion, request=request_key, why=str(error))
        case.session.commit()
        log.warning("the new link for %s of %s was not sent: %s", request_key, case.id, type(error).__name__)
        return 0
    return 1
