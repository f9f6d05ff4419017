"""Who of the firm is signed in, and who may decide what: the logins that ``firm.yaml`` gives its staff.

``logins`` of a member of staff are their user names in Airflow. A role without any is that of whoever signs in under
its own name (``director``, ``council_chair``), as on one machine, and anybody may decide for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

COUNCIL = "council"


def holders(firm: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each role (``director``, ``council.chair``) with its holder: ``name``, ``email``, perhaps ``logins``."""
    for role, person in firm["staff"].items():
        if role == COUNCIL:
            yield from ((f"{COUNCIL}.{member}", each) for member, each in person.items())
        else:
            yield role, person


def logins(firm: Mapping[str, Any], role: str) -> list[str]:
    """Return who alone may decide for a role; nobody is listed: anybody may."""
    person = next((person for each, person in holders(firm) if each == role), {})
    return [str(login) for login in person.get("logins") or ()]


def roles_of(firm: Mapping[str, Any], login: str) -> list[str]:
    """Return the roles of whoever is signed in as ``login``; none: the firm does not say who that is."""
    return [role for role, _ in holders(firm) if login in (logins(firm, role) or [role.replace(".", "_")])]


def council_only(firm: Mapping[str, Any], login: str) -> tuple[str, ...]:
    """Return the seats on the council (``chair``) of somebody who is nothing else of the staff; else none."""
    roles = roles_of(firm, login)
    seats = tuple(role.removeprefix(f"{COUNCIL}.") for role in roles if role.startswith(f"{COUNCIL}."))
    return seats if len(seats) == len(roles) else ()
