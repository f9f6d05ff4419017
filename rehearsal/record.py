"""What a rehearsal looks up in the register: who waits for what, what was decided, which runs are planned."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from include import clock
from include.register.models import Document, Engagement, Mail, Request, RequestItem, ScheduledRun, SignOff, StagePeriod
from include.register.session import sessions
from include.settings import Settings


@dataclass(frozen=True)
class OpenRequest:
    """A request that waits for its answer; ``missing`` are the required items that have not come."""

    engagement_id: str
    key: str
    kind: str
    round: int
    asked: date
    due: date
    times_asked: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class AskedDecision:
    """A sign-off that waits; ``refusal`` says why the last answer was not valid."""

    gate: str
    round: int
    who: str
    refusal: str | None


@dataclass(frozen=True)
class PlannedRun:
    """A run planned for ``day``."""

    engagement_id: str
    dag_id: str
    run_id: str
    day: date


@dataclass(frozen=True)
class FiledDocument:
    """A document as it appears: shown while the rehearsal goes on."""

    id: int
    engagement_id: str
    key: str
    version: int
    direction: str


@dataclass(frozen=True)
class OpenedStage:
    """A stage as it is opened; ``round`` counts from 1."""

    id: int
    engagement_id: str
    stage: str
    round: int


class Record:
    """The register of one installation, as a rehearsal reads it; the day is all that it writes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sessions = sessions(settings.register_url)

    def set_day(self, day: date) -> None:
        """Move the installation's day. Raises RuleBroken in production."""
        with self._sessions() as session:
            clock.set_rehearsal_day(session, self._settings, day)

    def statuses(self, ids: Collection[str]) -> dict[str, str]:
        """Return where engagements stand: ``registered``, ``open`` or their outcome."""
        with self._sessions() as session:
            rows = session.execute(select(Engagement.id, Engagement.status).where(Engagement.id.in_(ids)))
            return {id_: status for id_, status in rows}

    def open_requests(self, ids: Collection[str]) -> list[OpenRequest]:
        """Return what clients and the service department have not answered yet."""
        with self._sessions() as session:
            requests = session.scalars(
                select(Request).where(Request.engagement_id.in_(ids), Request.status == "open").order_by(Request.id)
            ).all()
            missing: dict[int, list[str]] = {}
            for request_id, key in session.execute(
                select(RequestItem.request_id, RequestItem.key)
                .where(RequestItem.request_id.in_([request.id for request in requests]), RequestItem.required,
                       RequestItem.state != "received")
                .order_by(RequestItem.id)
            ):  # fmt: skip
                missing.setdefault(request_id, []).append(key)
            return [
                OpenRequest(r.engagement_id, r.key, r.kind, r.round, r.asked, r.due, r.times_asked,
                            tuple(missing.get(r.id, ())))
                for r in requests
            ]  # fmt: skip

    def asked_decision(self, engagement_id: str, gate: str, who: str) -> AskedDecision | None:
        """Return the sign-off of ``gate`` that waits for a decision; None when there is none."""
        with self._sessions() as session:
            row = session.scalar(
                select(SignOff)
                .where(SignOff.engagement_id == engagement_id, SignOff.gate == gate, SignOff.who == who,
                       SignOff.decision.is_(None), SignOff.ended.is_(None))
                .order_by(SignOff.round.desc())
                .limit(1)
            )  # fmt: skip
            return AskedDecision(gate, row.round, who, row.refusal) if row else None

    def decided(self, engagement_id: str, gate: str) -> int:
        """Return how often a gate was decided."""
        with self._sessions() as session:
            return session.scalar(
                select(func.count()).select_from(SignOff).where(
                    SignOff.engagement_id == engagement_id, SignOff.gate == gate, SignOff.decision.is_not(None),
                    SignOff.ended.is_(None))
            ) or 0  # fmt: skip

    def planned_runs(self, ids: Collection[str]) -> list[PlannedRun]:
        """Return the runs that have not begun."""
        with self._sessions() as session:
            rows = session.scalars(
                select(ScheduledRun)
                .where(ScheduledRun.engagement_id.in_(ids), ScheduledRun.status == "planned")
                .order_by(ScheduledRun.run_after, ScheduledRun.id)
            )
            return [PlannedRun(row.engagement_id, row.dag_id, row.run_id, row.run_after.astimezone(clock.ZONE).date())
                    for row in rows]  # fmt: skip

    def templates(self, ids: Collection[str]) -> dict[str, str]:
        """Return which mail template each Message-ID was made from; mails of no engagement included."""
        with self._sessions() as session:
            rows = session.execute(
                select(Mail.message_id, Mail.template).where(Mail.engagement_id.in_(ids) | Mail.engagement_id.is_(None))
            )
            return {message_id: template for message_id, template in rows}

    def documents(self, ids: Collection[str], *, after: int) -> list[FiledDocument]:
        """Return the documents registered after the row ``after``."""
        with self._sessions() as session:
            rows = session.scalars(
                select(Document).where(Document.engagement_id.in_(ids), Document.id > after).order_by(Document.id)
            )
            return [FiledDocument(row.id, row.engagement_id, row.key, row.version, row.direction) for row in rows]

    def stages(self, ids: Collection[str], *, after: int) -> list[OpenedStage]:
        """Return the stage periods opened after the row ``after``."""
        with self._sessions() as session:
            rows = session.scalars(
                select(StagePeriod)
                .where(StagePeriod.engagement_id.in_(ids), StagePeriod.id > after)
                .order_by(StagePeriod.id)
            )
            return [OpenedStage(row.id, row.engagement_id, row.stage, row.round) for row in rows]
