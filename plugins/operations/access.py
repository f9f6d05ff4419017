"""Who may see and do what: Airflow's own login and permissions, for every route at once.

Who may read the DAG ``engagement`` reads these pages; who may edit it acts on them. Who moreover may change Airflow's
Variables, which are its settings for the whole installation, changes what holds for the whole installation here. That
is asked of the auth manager, not read from names of roles; with Airflow's own managers, Op and Admin may.
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
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import FormData

DAG_ID = "engagement"
SAFE = ("GET", "HEAD")
FORM_SECONDS = 12 * 3600
LARGEST_FORM = 12 << 20  # bytes, a file included


@dataclass(frozen=True)
class Person:
    """Who is signed in: ``name`` goes into the record of what they do, ``login`` is the id that Airflow has."""

    name: str
    login: str
    may_act: bool
    may_administer: bool
    form_token: str


async def admitted(request: Request, user: Annotated[BaseUser, Depends(get_user)]) -> Person:
    """Return the person if they may do this. Raises HTTPException: 401 not signed in, 403 not allowed."""
    details = DagDetails(id=DAG_ID)
    manager = get_auth_manager()
    may_act = manager.is_authorized_dag(method="PUT", details=details, user=user)
    if not manager.is_authorized_dag(method="GET", details=details, user=user):
        raise HTTPException(403, "reading")
    name = str(user.get_name())
    if request.method not in SAFE:
        if not may_act:
            raise HTTPException(403, "acting")
        _check_origin(request)
        _check_size(request)
        _check_form_token(str((await request.form()).get("form_token", "")), name)
    may_administer = may_act and manager.is_authorized_variable(method="PUT", user=user)
    person = Person(name, str(user.get_id()), may_act, may_administer, _signer().dumps(name))
    request.state.person = person
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
