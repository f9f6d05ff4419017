"""The office: the register, the storage and the mail ledger of one installation, opened for a piece of work.

``Office.case`` hands out one engagement's case under a lock, so that two tries of a task never work at the same
time. A case's methods are effects with keys: done twice, they find what is there.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker

from include import clock
from include.casework.working_days import calendar_in_force
from include.documents.libreoffice import ConversionFailed, LibreOffice, find_libreoffice
from include.engagement import process
from include.engagement.calendar import WorkingCalendar
from include.engagement.errors import NotReproducible, RuleBroken, UnknownEngagement
from include.engagement.timetable import moved_due
from include.mail.ledger import MailLedger
from include.mail.record import MailRecord
from include.mail.transport import Transport
from include.register.models import (
    Document,
    Engagement,
    Event,
    Request,
    RequestItem,
    ReserveEntry,
    SignOff,
    StagePeriod,
)
from include.register.numbers import next_number
from include.register.session import advisory_lock, make_engine, sessions
from include.settings import Settings, load_settings
from include.storage import Storage, open_storage

log = logging.getLogger(__name__)

FIRM_ENDED = ("refused", "declined_by_firm", "terminated")
PDF_OF = "/pdf"  # contract/pdf is the PDF of contract, with its version and occasion


@dataclass
class Office:
    """One installation's adapters. ``today`` is fixed when the office opens: a piece of work has one day."""

    settings: Settings
    sessions: sessionmaker[Session]
    storage: Storage
    ledger: MailLedger
    today: date
    libreoffice: LibreOffice | None = None  # None: workbooks go without computed values, clients get no PDFs

    @contextmanager
    def case(self, engagement_id: str, *, today: date | None = None) -> Iterator[Case]:
        """Open the case of an engagement, alone: waits for whoever works on it. Raises UnknownEngagement."""
        engine = make_engine(self.settings.register_url)
        with advisory_lock(engine, f"engagement/{engagement_id}"), self.look(engagement_id, today=today) as case:
            yield case

    @contextmanager
    def look(self, engagement_id: str, *, today: date | None = None) -> Iterator[Case]:
        """Open the case of an engagement to read it, waiting for nobody. Raises UnknownEngagement."""
        with self.sessions() as session:
            engagement = session.get(Engagement, engagement_id)
            if engagement is None:
                raise UnknownEngagement(f"Không có hồ sơ {engagement_id} trong sổ đăng ký.")
            yield Case(self, session, engagement, today or self.today, calendar_in_force(session))


def open_office(
    transport: Transport | None, *, record: MailRecord | None = None, settings: Settings | None = None
) -> Office:
    """Open the office of this installation; mails go out through ``transport``, with None by the DAG ``outbox``.

    ``record`` tells what the transport's relay took.
    """
    settings = settings or load_settings()
    factory = sessions(settings.register_url)
    storage = open_storage(settings.storage_url)
    with factory() as session:
        today = clock.today(session, settings)
    domain = settings.firm["mail"]["reply_to"].rpartition("@")[2]
    ledger = MailLedger(factory, storage, transport, domain=domain, record=record,
                        dry_run=settings.mail_dry_run)
    return Office(settings, factory, storage, ledger, today, find_libreoffice())


@dataclass
class Case:
    """One engagement in hand."""

    office: Office
    session: Session
    engagement: Engagement
    today: date
    calendar: WorkingCalendar

    @property
    def id(self) -> str:
        """The engagement id."""
        return self.engagement.id

    @property
    def form(self) -> dict[str, Any]:
        """The intake form as it stands."""
        return self.engagement.form

    @property
    def language(self) -> process.Language:
        """What the client reads."""
        return "en" if self.engagement.language == "en" else "vi"

    @property
    def firm(self) -> dict[str, Any]:
        """The firm's own facts."""
        return self.office.settings.firm

    @property
    def ended(self) -> bool:
        """Whether the engagement was ended by hand (see ``include.casework.ending``): nothing more is done in it."""
        return self.happened("ended") is not None

    @property
    def flow(self) -> int:
        """The version of the flow that the engagement was opened under; it goes by that to its end."""
        opened = self.happened("opened")
        return int(opened.facts.get("flow", 1)) if opened else process.FLOW

    # --- the record ---------------------------------------------------------------------------------

    def event(self, kind: str, *, key: str | None = None, **facts: Any) -> None:
        """Write down that something happened, once per ``key`` (default: its kind); part of the transaction."""
        self.session.execute(
            insert(Event)
            .values(engagement_id=self.id, key=key or kind, kind=kind, day=self.today, facts=facts)
            .on_conflict_do_nothing()
        )

    def happened(self, key: str) -> Event | None:
        """Return the event of this key, if it happened."""
        return self.session.scalar(select(Event).where(Event.engagement_id == self.id, Event.key == key))

    def period(self, stage: str, number: int = 1) -> StagePeriod:
        """Return when a stage is or was open."""
        return self.session.scalars(
            select(StagePeriod).where(
                StagePeriod.engagement_id == self.id, StagePeriod.stage == stage, StagePeriod.round == number
            )
        ).one()

    def open_stage(self, stage: str, number: int = 1, *, days: int | None = None) -> StagePeriod:
        """Open a stage today, due after ``days`` working days (default: the stage's own)."""
        if days is None:
            days = process.STAGES[stage].days
        if days is None:
            raise ValueError(f"stage {stage} is periodic: say its days")
        self.session.execute(
            insert(StagePeriod)
            .values(engagement_id=self.id, stage=stage, round=number, opened=self.today, days=days,
                    due=self.calendar.add(self.today, days), client_waited=0, client_wait_days=0)
            .on_conflict_do_nothing()
        )  # fmt: skip
        self.event("stage_opened", key=f"stage_opened/{stage}/{number}", stage=stage, round=number)
        self.session.commit()
        return self.period(stage, number)

    def close_stage(self, stage: str, number: int = 1) -> None:
        """Close a stage today, if it is open."""
        period = self.period(stage, number)
        if period.closed is None:
            period.closed = self.today
            self.event("stage_closed", key=f"stage_closed/{stage}/{number}", stage=stage, round=number)
        self.session.commit()

    def close(self, outcome: str) -> None:
        """Close the engagement with an outcome of ``process.OUTCOMES``; open stages and requests end with it.

        Where the firm ends it, the client's links end too.
        """
        if self.engagement.closed is not None:
            return
        for period in self.session.scalars(
            select(StagePeriod).where(StagePeriod.engagement_id == self.id, StagePeriod.closed.is_(None))
        ):
            period.closed = self.today
        for request in self.session.scalars(
            select(Request).where(Request.engagement_id == self.id, Request.status == "open")
        ):
            request.status = "withdrawn"
        if outcome in FIRM_ENDED:
            self.engagement.link_version += 1
        self.engagement.status = outcome
        self.engagement.closed = self.today
        self.event("closed", outcome=outcome)
        self.session.commit()

    def client_kept_us_waiting(self, stage: str, number: int, days: int, *, moves_promise: bool) -> None:
        """Count ``days`` working days of waiting for the client; part of the transaction.

        Days beyond the client's share stop the firm's clock: the stage's due date moves, and once a contract
        is signed the promised date too if there is still work to deliver (``moves_promise``), with an event that
        the extension appendix is made from.
        """
        period = self.period(stage, number)
        row = process.STAGES[stage]
        before = period.client_wait_days
        period.client_waited += days
        period.due, period.client_wait_days = moved_due(
            opened=period.opened, days=period.days,
            client_days=period.days if row.days is None else row.client_days, client_waited=period.client_waited,
            calendar=self.calendar,
        )  # fmt: skip
        lost = period.client_wait_days - before
        if lost <= 0:
            return
        self.event("clock_stopped", key=f"clock_stopped/{stage}/{number}/{period.client_waited}", stage=stage,
                   round=number, days=lost)  # fmt: skip
        if self.engagement.promised is not None and moves_promise:
            was = self.engagement.promised
            self.engagement.promised = self.calendar.add(was, lost)
            self.event("promised_date_moved", key=f"promised_date_moved/{stage}/{number}/{period.client_waited}",
                       before=was.isoformat(), after=self.engagement.promised.isoformat(), days=lost,
                       stage=stage)  # fmt: skip

    def reserve(self) -> Mapping[str, int]:
        """Return the reserve in working days: ``contracted``, ``granted``, ``spent`` and ``left``."""
        sums = {"contracted": 0, "granted": 0, "spent": 0}
        for entry in self.session.scalars(select(ReserveEntry).where(ReserveEntry.engagement_id == self.id)):
            sums[entry.kind] += abs(entry.days)
        return {**sums, "left": sums["contracted"] + sums["granted"] - sums["spent"]}

    def book_reserve(self, kind: str, number: int, days: int, reason: str) -> None:
        """Book days in the reserve ledger, once per kind and round; part of the transaction."""
        if days == 0:
            return
        self.session.execute(
            insert(ReserveEntry)
            .values(engagement_id=self.id, kind=kind, round=number, days=-days if kind == "spent" else days,
                    day=self.today, reason=reason)
            .on_conflict_do_nothing()
        )  # fmt: skip

    # --- requests -----------------------------------------------------------------------------------

    def request(self, kind: str, number: int = 1) -> Request | None:
        """Return what was asked, if it was."""
        return self.session.scalar(
            select(Request).where(Request.engagement_id == self.id, Request.key == request_key(kind, number))
        )

    def ask(
        self,
        kind: str,
        number: int = 1,
        *,
        items: Sequence[process.Item] = (),
        reasons: Mapping[str, str] | None = None,
        stage_round: int = 1,
        days: int | None = None,
    ) -> Request:
        """Open a request, due after ``days`` working days (default: its row's); ``reasons``: why items came back."""
        row = process.REQUESTS[kind]
        days = row.answer_days if days is None else days
        key = request_key(kind, number)
        new = self.session.scalar(
            insert(Request)
            .values(engagement_id=self.id, key=key, kind=kind, round=number, stage=row.stage, of=row.of,
                    stage_round=stage_round, asked=self.today, times_asked=1, status="open",
                    days=days, due=self.calendar.add(self.today, days))
            .on_conflict_do_nothing()
            .returning(Request.id)
        )  # fmt: skip
        request = self.request(kind, number)
        assert request is not None
        if new is not None:
            for item in items:
                reason = (reasons or {}).get(item.key)
                self.session.add(
                    RequestItem(request_id=request.id, key=item.key, required=item.required,
                                state="returned" if reason else "missing", reason=reason)
                )  # fmt: skip
            self.event("asked", key=f"asked/{key}/1", request=key, due=request.due.isoformat())
        self.session.commit()
        return request

    def items(self, request: Request) -> list[RequestItem]:
        """Return the items of a request in the order they were asked."""
        return list(
            self.session.scalars(
                select(RequestItem).where(RequestItem.request_id == request.id).order_by(RequestItem.id)
            )
        )

    # --- documents ----------------------------------------------------------------------------------

    def latest(self, key: str) -> Document | None:
        """Return the newest version of a document."""
        return self.session.scalar(
            select(Document)
            .where(Document.engagement_id == self.id, Document.key == key)
            .order_by(Document.version.desc())
            .limit(1)
        )

    def made(self, key: str, occasion: str) -> Document | None:
        """Return the document that was made on this occasion."""
        return self.session.scalar(
            select(Document).where(
                Document.engagement_id == self.id, Document.key == key, Document.occasion == occasion
            )
        )

    def made_on(self, occasion: str) -> Document | None:
        """Return the file that was made or received on this occasion, whatever its key."""
        return self.session.scalar(
            select(Document).where(Document.engagement_id == self.id, Document.occasion == occasion).limit(1)
        )

    def document(self, key: str, occasion: str, **more: Any) -> Document:
        """Make a document on an occasion, once: number it, render it, read it back, store it, register it.

        The number is taken in the same transaction as the row, so that none is skipped or given twice. Raises
        FormulaFailed for a workbook whose figures come to an error value, FactsDiffer for a document that does not say
        what it was made from.
        """
        found = self.made(key, occasion) or self._make(key, occasion, **more)
        if process.DOCUMENTS[key].pdf:
            self._make_pdf(found)
        return found

    def _make(self, key: str, occasion: str, **more: Any) -> Document:
        from include.casework.facts import document_facts
        from include.casework.template_editions import template_in_force
        from include.documents import archive
        from include.documents.readback import check_made
        from include.documents.render import render

        row = process.DOCUMENTS[key]
        language = self.language if row.audience == "client" else "vi"
        previous = self.latest(key)
        version = previous.version + 1 if previous else 1
        number = self._next_number(row.number_kind) if row.number_kind else None
        facts = document_facts(self, language=language, number=number or "", version=version, **more)
        template = None if row.format == "xlsx" else template_in_force(
            self.session, self.office.storage, key, language
        )  # fmt: skip
        rendered = render(key, language=language, facts=facts, template=template)
        data = self._with_values(key, rendered.data) if row.format == "xlsx" else rendered.data
        check_made(key, data, facts=facts, language=language, template=rendered.template)
        archive.keep(
            self.office.storage, engagement_id=self.id, key=key, version=version, language=language,
            template=rendered.template, facts=facts,
        )  # fmt: skip
        path = f"engagements/{self.id}/{row.stage}/{key}-v{version}.{rendered.extension}"
        self.office.storage.put(path, data, media_type=rendered.media_type)
        made = Document(
            engagement_id=self.id, key=key, version=version, occasion=occasion, stage=row.stage, direction="made",
            number=number, path=path, sha256=hashlib.sha256(data).hexdigest(), size=len(data),
            media_type=rendered.media_type, language=language, template_sha256=rendered.template_sha256,
            day=self.today,
        )  # fmt: skip
        self.session.add(made)
        self.session.commit()
        return made

    def _with_values(self, key: str, workbook: bytes) -> bytes:
        """Return the workbook with the values of its formulas, where LibreOffice computes them."""
        from include.documents.cached_values import with_cached_values

        if self.office.libreoffice is None:
            log.warning("LibreOffice was not found: %s of %s goes without computed values", key, self.id)
            return workbook
        try:
            return with_cached_values(workbook, self.office.libreoffice)
        except ConversionFailed as error:
            log.warning("%s of %s goes without computed values: %s", key, self.id, error)
            return workbook

    def pdf(self, document: Document) -> Document | None:
        """Return the PDF that was made of a document, if one was."""
        return self.made(f"{document.key}{PDF_OF}", document.occasion)

    def _make_pdf(self, document: Document) -> None:
        """Make the PDF that the client gets, once; without LibreOffice the client gets the Word file instead."""
        not_made = f"pdf_not_made/{document.key}/{document.version}"
        if self.pdf(document) is not None or self.happened(not_made) is not None:
            return
        try:
            if self.office.libreoffice is None:
                raise ConversionFailed("LibreOffice was not found")
            data = self.office.libreoffice.pdf(self.office.storage.get(document.path), extension="docx")
        except ConversionFailed as error:
            log.warning("The client gets %s of %s as a Word file: %s", document.key, self.id, error)
            self.event("pdf_not_made", key=not_made, document=document.key, version=document.version)
            self.session.commit()
            return
        path = f"{document.path.rpartition('.')[0]}.pdf"
        self.office.storage.put(path, data, media_type="application/pdf")
        self.session.add(
            Document(
                engagement_id=self.id, key=f"{document.key}{PDF_OF}", version=document.version,
                occasion=document.occasion, stage=document.stage, direction="made", number=None, path=path,
                sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type="application/pdf",
                language=document.language, template_sha256=document.template_sha256, day=self.today,
            )
        )  # fmt: skip
        self.session.commit()

    def made_again(self, document: Document) -> bytes:
        """Return a Word document of the firm as it was made, from the template of that time and its facts.

        Raises NotReproducible (Vietnamese) when these are not kept, or when the document is no Word document.
        """
        from include.documents import archive

        row = process.DOCUMENTS.get(document.key)
        if row is None or row.format != "docx" or document.template_sha256 is None:
            raise NotReproducible("Chỉ văn bản Word do hệ thống lập mới lập lại được từ mẫu.")
        return archive.made_again(
            self.office.storage, engagement_id=self.id, key=document.key, version=document.version,
            language="en" if document.language == "en" else "vi", sha256=document.template_sha256,
        )  # fmt: skip

    def _next_number(self, kind: str) -> str:
        number = next_number(self.session, kind, self.today.year)
        return f"{number:02d}/{self.today.year}/{kind}-{self.firm['prefix']}"

    def forbid_before_decision(self) -> None:
        """Raise RuleBroken unless the decision of stage 3 was taken: no price and no promise before it."""
        decided = self.session.scalar(
            select(SignOff)
            .where(SignOff.engagement_id == self.id, SignOff.gate == "decision")
            .order_by(SignOff.attempt.desc())
            .limit(1)
        )
        reopened = decided is not None and decided.decision != "accept"
        if self.happened("taken_on") is None or reopened:
            raise RuleBroken("Chưa có quyết định nhận thực hiện: không được gửi báo giá hay cam kết cho khách.")


def request_key(kind: str, number: int) -> str:
    """Return the name of a request: its kind, and from the second round on its round (its inbox folder)."""
    return kind if number == 1 else f"{kind}-{number}"
