"""Gapless numbers: of engagements, and of documents by kind, each year from 1."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from include.register.models import NumberSeries


def next_number(session: Session, kind: str, year: int) -> int:
    """Take the next number of a series, as part of the transaction: rolled back, it is given again.

    The series stays locked until the transaction ends, so that no two take the same and none is skipped.
    """
    first = insert(NumberSeries).values(kind=kind, year=year, last=1)
    number: int = session.scalars(
        first.on_conflict_do_update(
            index_elements=[NumberSeries.kind, NumberSeries.year], set_={"last": NumberSeries.last + 1}
        ).returning(NumberSeries.last)
    ).one()
    return number
