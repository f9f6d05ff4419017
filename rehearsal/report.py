"""The result of a rehearsal: ``result.json`` as its reader knows it, with documents and mails beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include import clock
from include.engagement.calendar import WorkingCalendar
from include.register.models import (
    Document,
    Engagement,
    Event,
    Mail,
    ReminderSent,
    Request,
    ReserveEntry,
    ScheduledRun,
    StagePeriod,
)
from rehearsal.letters import Letter
from rehearsal.scenario import Scenario

RESULT = "result.json"


def write_results(
    session: Session,
    played: Sequence[tuple[Scenario, str]],
    *,
    storage: Path,
    letters: Sequence[Letter],
    calendar: WorkingCalendar,
    out: Path,
) -> list[dict[str, Any]]:
    """Write the result of each engagement and return them.

    One scenario: everything into ``out``. Several: each into a folder of its own, and the list into ``out``.
    """
    out.mkdir(parents=True, exist_ok=True)
    results = []
    (out / RESULT).unlink(missing_ok=True)
    for folder, (scenario, engagement_id) in zip(_folders(played, out), played, strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        for earlier in ("documents", "mails"):
            shutil.rmtree(folder / earlier, ignore_errors=True)
        result = make_result(session, scenario, engagement_id, storage=storage, letters=letters, calendar=calendar,
                             out=folder)  # fmt: skip
        _write(folder / RESULT, result)
        results.append(result)
    if len(results) > 1:
        _write(out / RESULT, [{"scenario": folder.name, **_below(result, folder.name)}
                              for folder, result in zip(_folders(played, out), results, strict=True)])  # fmt: skip
    return results


def _folders(played: Sequence[tuple[Scenario, str]], out: Path) -> list[Path]:
    if len(played) == 1:
        return [out]
    names = [scenario.name for scenario, _ in played]
    # The same scenario may be played twice side by side.
    return [out / (name if names.count(name) == 1 else f"{name}-{names[:n].count(name) + 1}")
            for n, name in enumerate(names)]  # fmt: skip


def _below(result: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return a result whose paths start one folder higher."""
    moved = {key: [{**row, "path": f"{folder}/{row['path']}"} for row in result[key]] for key in ("documents", "mails")}
    return {**result, **moved}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def make_result(
    session: Session,
    scenario: Scenario,
    engagement_id: str,
    *,
    storage: Path,
    letters: Sequence[Letter],
    calendar: WorkingCalendar,
    out: Path,
) -> dict[str, Any]:
    """Return one engagement's result; its files are copied into ``out``. Days are ISO dates, durations working days."""
    engagement = session.get_one(Engagement, engagement_id)
    result: dict[str, Any] = {
        "engagement_id": engagement.id,
        "outcome": engagement.status,
        "stages": _stages(session, engagement_id, calendar),
        "documents": _documents(session, engagement_id, storage, out),
        "mails": _mails(session, engagement_id, letters, out),
        "reminders": _reminders(session, engagement_id),
        "reserve": _reserve(session, engagement_id),
        "promised_date": _iso(engagement.promised),
        "delivered_date": _iso(engagement.delivered),
        "scheduled_runs": [
            {"dag_id": run.dag_id, "run_id": run.run_id, "run_after": run.run_after.astimezone(clock.ZONE).isoformat()}
            for run in _scheduled(session, engagement_id)
        ],
    }
    result["expectations"] = expectations(scenario.expect, got={
        "outcome": engagement.status,
        "appraisal_rounds": _appraisal_rounds(session, engagement_id),
        "reserve_left": result["reserve"]["left"],
        "promised_date_kept": promise_kept(engagement.promised, engagement.delivered),
        "monitoring_runs": sum(run.dag_id == "monitoring" and run.status == "done"
                               for run in _scheduled(session, engagement_id)),
    })  # fmt: skip
    return result


def expectations(expect: dict[str, Any], *, got: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare what a scenario expects with what came of it."""
    return [{"expect": key, "wanted": wanted, "got": got[key], "met": wanted == got[key]}
            for key, wanted in expect.items()]  # fmt: skip


def promise_kept(promised: date | None, delivered: date | None) -> bool:
    """Say whether the plan was handed over by the promised date; nothing promised is nothing broken."""
    return promised is None or (delivered is not None and delivered <= promised)


def unmet(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the expectations that were not met, in words."""
    return [
        f"{result['engagement_id']}: {each['expect']} phải là {each['wanted']}, thực tế là {each['got']}"
        for result in results for each in result["expectations"] if not each["met"]
    ]  # fmt: skip


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _stages(session: Session, engagement_id: str, calendar: WorkingCalendar) -> list[dict[str, Any]]:
    periods = session.scalars(
        select(StagePeriod)
        .where(StagePeriod.engagement_id == engagement_id)
        .order_by(StagePeriod.opened, StagePeriod.id)
    )
    return [
        {"stage": p.stage, "round": p.round, "opened": p.opened.isoformat(), "due": p.due.isoformat(),
         "closed": _iso(p.closed), "working_days": calendar.between(p.opened, p.closed) if p.closed else None,
         "client_wait_days": p.client_wait_days}
        for p in periods
    ]  # fmt: skip


def _documents(session: Session, engagement_id: str, storage: Path, out: Path) -> list[dict[str, Any]]:
    """List the documents that lie in storage; each is copied to ``documents/`` under its path there."""
    rows = session.scalars(select(Document).where(Document.engagement_id == engagement_id).order_by(Document.id))
    listed = []
    for row in rows:
        if not (storage / row.path).is_file():
            continue
        inside = PurePosixPath(row.path)
        prefix = ("engagements", engagement_id)
        below = PurePosixPath(*inside.parts[2:]) if inside.parts[:2] == prefix else inside
        copied = PurePosixPath("documents") / below
        (out / copied).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(storage / row.path, out / copied)
        listed.append({"key": row.key, "version": row.version, "stage": row.stage, "path": str(copied),
                       "sha256": row.sha256, "media_type": row.media_type})  # fmt: skip
    return listed


def _mails(session: Session, engagement_id: str, letters: Sequence[Letter], out: Path) -> list[dict[str, Any]]:
    """List what the mail catcher received of this engagement; key and stage come from the ledger's row.

    A mail that tells of several engagements (a digest) stands in the result of each that it names.
    """
    ledger = {row.message_id: row for row in session.scalars(
        select(Mail).where((Mail.engagement_id == engagement_id) | Mail.engagement_id.is_(None)))}  # fmt: skip
    listed = []
    for letter in letters:
        row = ledger.get(letter.message_id)
        if row is None or (row.engagement_id is None and engagement_id not in letter.text):
            continue
        copied = PurePosixPath("mails") / letter.path.name
        (out / copied).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(letter.path, out / copied)
        listed.append({"key": row.template, "stage": row.stage, "to": list(letter.to), "subject": letter.subject,
                       "date": letter.date.isoformat() if letter.date else None, "message_id": letter.message_id,
                       "attachments": list(letter.attachments), "path": str(copied)})  # fmt: skip
    return listed


def _reminders(session: Session, engagement_id: str) -> list[dict[str, Any]]:
    rows = session.execute(
        select(ReminderSent, Request.key, Mail.message_id)
        .join(Request, Request.id == ReminderSent.request_id)
        .outerjoin(Mail, Mail.id == ReminderSent.mail_id)
        .where(Request.engagement_id == engagement_id)
        .order_by(ReminderSent.day, ReminderSent.id)
    )
    return [{"request": key, "day": row.day.isoformat(), "level": row.level, "mail": message_id}
            for row, key, message_id in rows]  # fmt: skip


def _reserve(session: Session, engagement_id: str) -> dict[str, int]:
    entries = session.scalars(select(ReserveEntry).where(ReserveEntry.engagement_id == engagement_id)).all()
    sums = {kind: sum(entry.days for entry in entries if entry.kind == kind)
            for kind in ("contracted", "granted", "spent")}  # fmt: skip
    reserve = {"contracted": sums["contracted"], "spent": -sums["spent"], "left": sum(sums.values())}
    return {**reserve, "granted": sums["granted"]} if sums["granted"] else reserve


def _scheduled(session: Session, engagement_id: str) -> list[ScheduledRun]:
    return list(session.scalars(
        select(ScheduledRun).where(ScheduledRun.engagement_id == engagement_id)
        .order_by(ScheduledRun.run_after, ScheduledRun.id)
    ))  # fmt: skip


def _appraisal_rounds(session: Session, engagement_id: str) -> int:
    rows = session.scalars(select(Event).where(Event.engagement_id == engagement_id, Event.kind == "verdict"))
    return len({row.facts.get("round") for row in rows})
