"""The register: what the firm knows of its engagements, in a database apart from Airflow's.

Client facts live here and nowhere in Airflow. Rows carry natural keys with unique constraints, so that an
effect applied twice is found instead of repeated. Days are calendar dates in Viet Nam; instants are UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Common metadata, with names for constraints so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        int: BigInteger,
        bool: Boolean,
        date: Date,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


def _engagement() -> Mapped[str]:
    return mapped_column(ForeignKey("engagement.id"), index=True)


class Engagement(Base):
    """One engagement; ``form`` is the intake form as checked, corrected by what the client adds."""

    __tablename__ = "engagement"
    __table_args__ = (
        Index("uq_engagement_open_form", "form_digest", unique=True, postgresql_where=text("closed is null")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str]
    form: Mapped[dict[str, Any]]
    form_digest: Mapped[str]  # as registered: the same form is not opened twice at a time
    opened: Mapped[date]
    status: Mapped[str] = mapped_column(default="registered")  # registered | open | one of process.OUTCOMES
    closed: Mapped[date | None]
    terms: Mapped[dict[str, Any] | None]  # the agreed quote: net_vnd, vat_percent, reserve_days, instalments
    signed: Mapped[date | None]
    promised: Mapped[date | None]
    delivered: Mapped[date | None]
    link_version: Mapped[int] = mapped_column(server_default="1")  # links of a lower version no longer work
    archived: Mapped[date | None]  # see include.casework.retention
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NumberSeries(Base):
    """The last number given in a series (``engagement`` or a document kind) in a year: gapless."""

    __tablename__ = "number_series"

    kind: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(Integer, primary_key=True)
    last: Mapped[int]


class StagePeriod(Base):
    """When a stage was open. ``due`` moves with ``client_wait_days`` (working days lost to the client)."""

    __tablename__ = "stage_period"
    __table_args__ = (UniqueConstraint("engagement_id", "stage", "round"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    engagement_id: Mapped[str] = _engagement()
    stage: Mapped[str]
    round: Mapped[int]
    opened: Mapped[date]
    days: Mapped[int]
    due: Mapped[date]
    closed: Mapped[date | None]
    client_waited: Mapped[int] = mapped_column(default=0)
    client_wait_days: Mapped[int] = mapped_column(default=0)


class Request(Base):
    """Something asked of a client or of the service department; ``key`` is its folder in the inbox."""

    __tablename__ = "request"
    __table_args__ = (UniqueConstraint("engagement_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    engagement_id: Mapped[str] = _engagement()
    key: Mapped[str]  # kind, or kind-round from the second round on
    kind: Mapped[str]  # a key of process.REQUESTS
    round: Mapped[int]
    stage: Mapped[str]
    stage_round: Mapped[int]
    asked: Mapped[date]  # when last asked
    due: Mapped[date]
    days: Mapped[int | None]  # working days given when last asked; None: asked before the register kept them
    times_asked: Mapped[int] = mapped_column(default=1)
    status: Mapped[str] = mapped_column(default="open")  # open | answered | withdrawn
    of: Mapped[str]  # client | service_department
    answered: Mapped[date | None]
    reply: Mapped[dict[str, Any] | None]


class RequestItem(Base):
    """One item of a request and where it stands."""

    __tablename__ = "request_item"
    __table_args__ = (UniqueConstraint("request_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    key: Mapped[str]
    required: Mapped[bool]
    state: Mapped[str] = mapped_column(default="missing")  # missing | received | returned
    reason: Mapped[str | None]
    value: Mapped[dict[str, Any] | None]  # {"value": …} for answers
    document_id: Mapped[int | None] = mapped_column(ForeignKey("document.id"))


class Document(Base):
    """A file in storage: made by the firm, or received. A new version is a new row; none is overwritten."""

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("engagement_id", "key", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    engagement_id: Mapped[str] = _engagement()
    key: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    occasion: Mapped[str]  # what it was made for; the same occasion finds the same version again
    stage: Mapped[str]
    direction: Mapped[str]  # made | received
    number: Mapped[str | None] = mapped_column(unique=True)
    path: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    size: Mapped[int]
    media_type: Mapped[str]
    language: Mapped[str | None]
    template_sha256: Mapped[str | None]
    day: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Mail(Base):
    """The mail ledger: one row per reason and recipient; *claimed → handed over → sent*.

    ``state``: claimed (composed once ``path`` is set; due at ``next_try_at``, or now) | handed_over (the relay is
    listening; judged by the mail record from ``next_try_at`` on) | sent | refused | unclear | expired (these three: a
    person decides, and was told at ``told_at``) | cancelled | dry_run.
    """

    __tablename__ = "mail"
    __table_args__ = (
        Index("ix_mail_waiting", "id", postgresql_where=text("state in ('claimed', 'handed_over')")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)  # engagement / reason / recipient
    engagement_id: Mapped[str | None] = mapped_column(ForeignKey("engagement.id"), index=True)
    template: Mapped[str]
    stage: Mapped[str]
    recipient: Mapped[str]
    message_id: Mapped[str] = mapped_column(unique=True)
    thread: Mapped[list[Any]]  # Message-IDs that this one refers to, oldest first
    subject: Mapped[str]
    day: Mapped[date]
    state: Mapped[str] = mapped_column(default="claimed")
    path: Mapped[str | None]  # the message as composed, in storage
    error: Mapped[str | None]
    tries: Mapped[int] = mapped_column(server_default="0")  # in vain, since it was claimed or settled
    next_try_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]


class SignOff(Base):
    """A decision that was asked for, and kept once: the first valid answer for a gate, round and person.

    ``who`` is a council member, else empty. ``outcome`` names what follows; None until it was applied. ``documents``
    are those that the decision was taken on: key, version and sha256 of each. A decision taken anew is another row, the
    next ``attempt``. ``ended``: the day from which it no longer stands (taken anew) or is awaited (engagement ended).
    """

    __tablename__ = "sign_off"
    __table_args__ = (UniqueConstraint("engagement_id", "gate", "round", "who", "attempt"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    engagement_id: Mapped[str] = _engagement()
    gate: Mapped[str]
    round: Mapped[int]
    who: Mapped[str] = mapped_column(default="")
    attempt: Mapped[int] = mapped_column(default=1, server_default="1")
    asked: Mapped[date]
    ended: Mapped[date | None]
    refusal: Mapped[str | None]  # why the last answer was not valid
    decision: Mapped[str | None]
    form: Mapped[dict[str, Any] | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    day: Mapped[date | None]
    documents: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    outcome: Mapped[str | None]


class ReserveEntry(Base):
    """The reserve ledger, in working days: contracted and granted are positive, spent is negative."""

    __tablename__ = "reserve_entry"
    __table_args__ = (UniqueConstraint("engagement_id", "kind", "round"), CheckConstraint("days <> 0", "moves"))

    id: Mapped[int] = mapped_column(primary_key=True)
    engagement_id: Mapped[str] = _engagement()
    kind: Mapped[str]  # contracted | granted | spent
    round: Mapped[int]
    days: Mapped[int]
    day: Mapped[date]
    reason: Mapped[str]


class Event(Base):
    """What happened, in order; never changed or deleted (a trigger refuses it)."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("engagement_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    engagement_id: Mapped[str] = _engagement()
    key: Mapped[str]  # says it happened once: kind, or kind and round
    kind: Mapped[str]
    day: Mapped[date]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    facts: Mapped[dict[str, Any]]


class ReminderSent(Base):
    """A reminder that went out: each row of ``process.REMINDERS`` at most once per request and time asked."""

    __tablename__ = "reminder_sent"
    __table_args__ = (UniqueConstraint("request_id", "times_asked", "reminder"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    times_asked: Mapped[int]
    reminder: Mapped[str]
    level: Mapped[str]
    day: Mapped[date]
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("mail.id"))


class ScheduledRun(Base):
    """A monitoring visit, evaluation or care contact, planned as an Airflow run of its own."""

    __tablename__ = "scheduled_run"
    __table_args__ = (UniqueConstraint("dag_id", "run_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    engagement_id: Mapped[str] = _engagement()
    dag_id: Mapped[str]
    run_id: Mapped[str]
    number: Mapped[int]
    run_after: Mapped[datetime]
    status: Mapped[str] = mapped_column(default="planned")  # planned | running | done | dropped


class Installation(Base):
    """Settings of the installation that move while it runs; one row. ``rehearsal_day``: see include.clock.

    While ``mail_paused_at`` is set no mail leaves the installation. Message-IDs are derived from ``message_id_secret``.
    ``restored_at``: when the register was last restored from a backup, which knows nothing after ``restored_to``.
    """

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", "one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, default=1)
    rehearsal_day: Mapped[date | None]
    mail_paused_at: Mapped[datetime | None]
    mail_paused_by: Mapped[str | None]
    mail_paused_why: Mapped[str | None]
    message_id_secret: Mapped[str] = mapped_column(server_default=text("gen_random_uuid()::text"))
    restored_at: Mapped[datetime | None]
    restored_to: Mapped[datetime | None]


class CalendarEdition(Base):
    """The firm's own days, as staff saved them; the newest is in force (see ``include.casework.working_days``).

    ``days``: day, kind (off | worked | ordinary) and occasion of each. ``confirmed_years``: compared with the official
    announcement.
    """

    __tablename__ = "calendar_edition"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    days: Mapped[list[Any]]
    confirmed_years: Mapped[list[Any]]
    by: Mapped[str]
    note: Mapped[str]
    day: Mapped[date]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class TemplateEdition(Base):
    """A version of a Word template put into use; the newest holds (see ``include.casework.template_editions``).

    ``sha256`` None: the file that comes with the program.
    """

    __tablename__ = "template_edition"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    language: Mapped[str]
    sha256: Mapped[str | None]
    by: Mapped[str]
    note: Mapped[str]
    day: Mapped[date]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class IncomingMail(Base):
    """A message of the reply mailbox, once, and where it stands.

    ``content`` is the digest of what its sender wrote: the same mail delivered again is a ``duplicate`` without one.
    """

    __tablename__ = "incoming_mail"
    __table_args__ = (UniqueConstraint("mailbox", "uidvalidity", "uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox: Mapped[str]
    uidvalidity: Mapped[int]
    uid: Mapped[int]
    message_id: Mapped[str] = mapped_column(default="", index=True)  # as its sender gave it; two mails may claim one
    content: Mapped[str | None] = mapped_column(unique=True)
    path: Mapped[str | None]  # the message as it came, in storage; None: too large, it stays on the server
    size: Mapped[int]
    day: Mapped[date]
    # kept | filing | filed | triage | dismissed | automatic | bounced | delayed | own | duplicate
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")  # a key of include.casework.matching.REASONS, or staff's words
    engagement_id: Mapped[str | None] = mapped_column(ForeignKey("engagement.id"), index=True)
    request_key: Mapped[str | None]
    reply_sha256: Mapped[str | None]  # of the reply.json that it is being filed with
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class UndeliverableAddress(Base):
    """An address that relays report as failing; while its row stands nobody is chased there."""

    __tablename__ = "undeliverable_address"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(unique=True)  # casefolded
    since: Mapped[date]
    diagnostic: Mapped[str]  # what the relay said
    incoming_id: Mapped[int] = mapped_column(ForeignKey("incoming_mail.id"))


class Draft(Base):
    """An intake form that staff fill in, and what became of it: once ``engagement_id`` is set it is registered.

    ``nonce`` is the form's own (of a page, or of what a sheet's row says): sent twice it is one engagement. ``entries``
    are what was typed, by the paths of ``form.ENTRIES``; emptied at registration.
    """

    __tablename__ = "draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(unique=True)
    entries: Mapped[dict[str, Any]]
    saved_by: Mapped[str]
    saved_at: Mapped[datetime] = mapped_column(server_default=func.now())
    engagement_id: Mapped[str | None] = mapped_column(ForeignKey("engagement.id"), unique=True)


class IntakeSheet(Base):
    """A sheet of many intake forms as it was read: ``rows`` are its row numbers and entries. The file is not kept."""

    __tablename__ = "intake_sheet"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    rows: Mapped[list[Any]]
    read_by: Mapped[str]
    read_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Erasure(Base):
    """A person's request to be erased, and what was done (Law 91/2025/QH15); holds nothing of the person.

    ``pseudonym`` stands wherever the person stood, in ``engagements``. ``asked``: the day of the request. ``kept``:
    what the law has the firm keep, each with ``what``, ``until`` (ISO date), ``why``. No ``finished_at``: not done yet.
    """

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonym: Mapped[str]
    by: Mapped[str]
    reason: Mapped[str]
    asked: Mapped[date]
    day: Mapped[date]
    engagements: Mapped[list[Any]]
    kept: Mapped[list[Any]]
    finished_at: Mapped[datetime | None]


class ErasedFile(Base):
    """What stands for a file that was erased: its path, SHA-256 and size. ``erasure_id`` None: its time had come."""

    __tablename__ = "erased_file"

    path: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    size: Mapped[int]
    day: Mapped[date]
    erasure_id: Mapped[int | None] = mapped_column(ForeignKey("erasure.id"))
