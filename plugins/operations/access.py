"""Who may see and do what: Airflow's own login and permissions, for every route at once.

Who may read the DAG ``engagement`` reads these pages; who may edit it acts on them. Who moreover may change Airflow's
Variables, which are its settings for the whole installation, changes what holds for the whole installation here. That
is asked of the auth manager, not read from names of roles; with Airflow's own managers, Op and Admin may.
Who by the firm's file sits on the council and is nothing else of the staff sees the engagements whose work they were
asked to judge, reads only, and comes to no other page: a page that is added later is closed to them too.
A form is taken only from a page of ours that was served to the same person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import FormData

from include.casework.board import judged_by
from include.casework.staff import council_only
from include.register.models import SignOff
from include.register.session import sessions
from include.settings import load_settings

DAG_ID = "engagement"
SAFE = ("GET", "HEAD")
FORM_SECONDS = 12 * 3600
COUNCIL_PAGES = ("/", "/work")  # what a member of the council reads besides their engagements
LARGEST_FORM = 12 << 20  # bytes, a file included


@dataclass(frozen=True)
class Person:
    """Who is signed in: ``name`` is the user name, which the firm's file lists and the record of what they do keeps.

    ``members`` are the seats on the council of whoever is nothing else; for anybody else empty.
    """

    name: str
    may_act: bool
    may_administer: bool
    form_token: str
    members: tuple[str, ...] = ()


async def admitted(request: Request, user: Annotated[BaseUser, Depends(get_user)]) -> Person:
    """Return the person if they may do this. Raises HTTPException: 401 not signed in, 403 not allowed."""
    details = DagDetails(id=DAG_ID)
    manager = get_auth_manager()
    may_act = manager.is_authorized_dag(method="PUT", details=details, user=user)
    may_administer = may_act and manager.is_authorized_variable(method="PUT", user=user)
    if not manager.is_authorized_dag(method="GET", details=details, user=user):
        raise HTTPException(403, "reading")
    name = str(user.get_name())
    members = () if may_administer else council_only(load_settings().firm, name)
    may_act = may_act and not members
    if request.method not in SAFE:
        if not may_act:
            raise HTTPException(403, "acting")
        _check_origin(request)
        _check_size(request)
        _check_form_token(str((await request.form()).get("form_token", "")), name)
    person = Person(name, may_act, may_administer, _signer().dumps(name), members)
    request.state.person = person
    if members:
        await run_in_threadpool(_refuse_what_others_judge, request, members)
    return person


Signed = Annotated[Person, Depends(admitted)]


async def acting(person: Signed) -> Person:
    """Return the person of a page that only helps to act. Raises HTTPException 403."""
    if not person.may_act:
        raise HTTPException(403, "acting")
    return person


async def administering(person: Signed) -> Person:
    """Return the person who may change what holds for the whole installation. Raises HTTPException 403."""
    if not person.may_administer:
        raise HTTPException(403, "administering")
    return person


async def posted(request: Request, person: Signed) -> FormData:
    """Return the form that was sent. Nothing of it is read before it is known who sent it."""
    return await request.form()


Acting = Annotated[Person, Depends(acting)]
Administering = Annotated[Person, Depends(administering)]
Posted = Annotated[FormData, Depends(posted)]


def _refuse_what_others_judge(request: Request, members: tuple[str, ...]) -> None:
    engagement_id = request.path_params.get("engagement_id")
    if engagement_id is None:
        if request.scope["route"].path not in COUNCIL_PAGES:
            raise HTTPException(403, "council")
        return
    with sessions(load_settings().register_url)() as session:
        if session.scalar(judged_by(members).where(SignOff.engagement_id == engagement_id).limit(1)) is None:
            raise HTTPException(404)


def _check_origin(request: Request) -> None:
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site is not None and site != "same-origin"
    if foreign or (origin and urlsplit(origin).netloc != request.headers.get("host", "")):
        raise HTTPException(403, "another site")


def _check_size(request: Request) -> None:
    size = request.headers.get("content-length", "")
    if not size.isdecimal() or int(size) > LARGEST_FORM:
        raise HTTPException(413, "too large")


def _check_form_token(token: str, name: str) -> None:
    try:
        whose = _signer().loads(token, max_age=FORM_SECONDS)
    except BadData:
        whose = None
    if whose != name:
        raise HTTPException(403, "form")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt="engagement-pages-form")
