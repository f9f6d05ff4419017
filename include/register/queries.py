"""Queries that several parts ask in the same words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Subquery, func, select

from include.register.models import Base


def first_of_each(model: type[Base], condition: ColumnElement[bool], *order: Any) -> Subquery:
    """Select each engagement's first row of ``model`` in an order.

    PostgreSQL's DISTINCT ON would say it too; SQLAlchemy 2.0 and 2.1, which serve different Pythons, spell it
    differently.
    """
    table = model.__table__
    place = func.row_number().over(partition_by=table.c.engagement_id, order_by=order)
    ranked = select(table, place.label("place")).where(condition).subquery()
    return select(ranked).where(ranked.c.place == 1).subquery()
