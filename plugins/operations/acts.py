"""The buttons of an engagement's page. Each shows what it will do and send, and does just that once it is confirmed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import select
from starlette.datastructures import FormData, UploadFile

from include.casework import ending
from include.casework.answers_by_hand import REPLIES, AnswerForClient, File, stage, staged, unstage
from include.casework.corrections import CORRECTABLE, Correct, as_entered, corrected
from include.casework.desks import REQUEST_DESKS
from include.casework.interventions import (
    End,
    ExtendDue,
    Intervention,
    PauseReminders,
    Plan,
    Remind,
    Reopen,
    ResumeReminders,
    RevokeLinks,
    SendLink,
    carry_out,
)
from include.casework.office import Case
from include.casework.receiving import asked_items
from include.casework.work import TASKS
from include.engagement import process
from include.engagement.errors import RuleBroken
from include.engagement.form import FIELDS
from include.engagement.process import Text
from include.engagement.text import cleaned
from include.mail.ledger import paused
from include.register.models import Request as Asked
from plugins.operations.access import Acting, Posted, Signed
from plugins.operations.own_airflow import OwnAirflow
from plugins.operations.page import back_to, office, shown

router = APIRouter(prefix="/e/{engagement_id}/do")
NONCE_LENGTH = 60


@dataclass(frozen=True)
class Act:
    """A button: its ``title``, what is asked before anything is shown, what ``names`` what it is about.

    ``build`` makes the intervention from the form.
    """

    title: Text
    build: Callable[[Mapping[str, Any]], Intervention]
    names: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    grave: bool = False


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 4 else 0


ACTS: dict[str, Act] = {
    "remind": Act(Text("Gửi thư nhắc ngay", "Send a reminder now"), lambda form: Remind(form["key"]), ("key",)),
    "extend": Act(Text("Lùi hạn", "Extend the due date"),
                  lambda form: ExtendDue(form["key"], _day(form["due"]), form["reason"]), ("key",), ("due", "reason")),
    "link": Act(Text("Gửi đường dẫn mới", "Send a new link"), lambda form: SendLink(form["key"]), ("key",)),
    "answer": Act(Text("Ghi câu trả lời thay khách", "Record an answer for the client"), lambda form: form["answer"],
                  ("key",), ("answer", "reason")),
    "pause": Act(Text("Tạm dừng nhắc khách", "Pause reminders"), lambda form: PauseReminders(form["reason"]),
                 asks=("reason",)),
    "resume": Act(Text("Nhắc khách trở lại", "Resume reminders"), lambda form: ResumeReminders()),
    "revoke": Act(Text("Thu hồi đường dẫn của khách", "Revoke the client's links"),
                  lambda form: RevokeLinks(form["reason"]), asks=("reason",)),
    "correct": Act(Text("Sửa thông tin khách hàng", "Correct the client's facts"),
                   lambda form: Correct({path: form[path] for path in CORRECTABLE if path in form}, form["reason"]),
                   asks=("facts", "reason")),
    "reopen": Act(Text("Quyết định lại", "Have it decided anew"),
                  lambda form: Reopen(form["gate"], _number(form["round"]), form["who"], form["reason"]),
                  ("gate", "round", "who"), ("reason",)),
    "end": Act(Text("Dừng hồ sơ", "End the engagement"), lambda form: End(form["outcome"], form["reason"]),
               asks=("outcome", "reason"), grave=True),
}  # fmt: skip
ENDS = {key: words for key, words in process.OUTCOMES.items() if key not in ("completed", "refused")}


@router.get("/{act}")
def look(request: Request, engagement_id: str, act: str, person: Acting) -> Response:
    """Show what is asked before it, or where nothing is asked, what it will do."""
    chosen = _act(act)
    form = {name: request.query_params.get(name, "") for name in chosen.names}
    with office().look(engagement_id) as case:
        if not chosen.asks:
            return _planned(request, case, act, form, secrets.token_urlsafe(16))
        return _asked(request, case, act, form)


@router.post("/{act}")
def take(request: Request, engagement_id: str, act: str, person: Signed, sent: Posted) -> Response:
    """Show what it will do; once just that was confirmed, do it: confirmed twice, it is done once."""
    chosen = _act(act)
    form: dict[str, Any] = {name: str(sent.get(name, "")) for name in (*chosen.names, *_fields(chosen))
                            if name in sent or name not in CORRECTABLE}  # fmt: skip
    confirmed, nonce = str(sent.get("confirmed", "")), str(sent.get("nonce", ""))[:NONCE_LENGTH]
    desk = office()
    with desk.case(engagement_id) as case:
        if not confirmed or not nonce:
            nonce = secrets.token_urlsafe(16)
            try:
                if "answer" in chosen.asks:
                    form["answer"] = _answer(case, form, sent)
                plan = chosen.build(form).plan(case)
            except RuleBroken as error:
                return _asked(request, case, act, form, why=str(error), status=422)
            if "answer" in chosen.asks:
                stage(desk.storage, case.id, nonce, form["answer"])
            return _planned(request, case, act, form, nonce, plan)
        if "answer" in chosen.asks and case.happened(f"{AnswerForClient.kind}/{nonce}") is None:
            form["answer"] = staged(desk.storage, case.id, nonce)
        elif "answer" in chosen.asks:
            return back_to(request, f"/e/{engagement_id}", act)
        intervention = chosen.build(form)
        if not intervention.was_done(case, nonce):
            plan = intervention.plan(case)
            if plan.digest != confirmed:
                return _planned(request, case, act, form, nonce, plan, changed=True)
            carry_out(case, intervention, by=person.name, nonce=nonce)
        if "answer" in chosen.asks:
            unstage(desk.storage, case.id, nonce)
    done = act
    if act == "end" and not OwnAirflow(request).skip_waiting(ending.runs_of(desk, engagement_id)):
        done = "end-waits"
    if act == "reopen" and not _asked_again(request, engagement_id, form):
        done = "reopen-waits"
    return back_to(request, f"/e/{engagement_id}", done)


def _act(act: str) -> Act:
    if act not in ACTS:
        raise HTTPException(404)
    return ACTS[act]


def _fields(act: Act) -> tuple[str, ...]:
    return (*(name for name in act.asks if name not in ("facts", "answer")),
            *(CORRECTABLE if "facts" in act.asks else ()))  # fmt: skip


def _asked_again(request: Request, engagement_id: str, form: Mapping[str, str]) -> bool:
    number = _number(form["round"])
    dag, task = TASKS[form["gate"]]
    run = engagement_id if dag == "engagement" else f"{engagement_id}__{dag}-{number}"
    return OwnAirflow(request).ask_again(dag, run, task.format(number, who=form["who"]))


def _answer(case: Case, form: Mapping[str, str], sent: FormData) -> AnswerForClient:
    answers = {name.removeprefix("a."): text for name, value in sent.multi_items()
               if name.startswith("a.") and isinstance(value, str) and (text := cleaned(value))}  # fmt: skip
    files = {name.removeprefix("f."): file for name, value in sent.multi_items()
             if name.startswith("f.") and (file := _file(value))}  # fmt: skip
    changes = [line for line in cleaned(str(sent.get("changes", ""))).splitlines() if line.strip()]
    known = {item.key for item in asked_items(row, case)} if (row := _request(case, form["key"])) else set()
    return AnswerForClient(
        request=form["key"], answers={key: text for key, text in answers.items() if key in known},
        reply=str(sent.get("reply", "")), message=cleaned(str(sent.get("message", ""))), items=changes,
        files={key: file for key, file in files.items() if key in known},
        evidence=_file(sent.get("evidence")), reason=form["reason"],
    )  # fmt: skip


def _file(value: object) -> File | None:
    if not isinstance(value, UploadFile) or not value.filename:
        return None
    return File(cleaned(value.filename)[-100:], value.file.read())


def _request(case: Case, key: str) -> Asked | None:
    return case.session.scalar(select(Asked).where(Asked.engagement_id == case.id, Asked.key == key))


def _about(case: Case, form: Mapping[str, Any]) -> Text | None:
    """Return what an act is about, where it is not the whole engagement."""
    if row := _request(case, form.get("key", "")):
        return process.REQUESTS[row.kind].title
    if gate := process.SIGN_OFFS.get(form.get("gate", "")):
        return Text(gate.title, gate.title)
    return None


def _asked(
    request: Request, case: Case, act: str, form: Mapping[str, Any], *, why: str = "", status: int = 200
) -> Response:
    """Show the form of an act, with what was typed and why it was not taken."""
    chosen, row = ACTS[act], _request(case, form.get("key", ""))
    if "facts" in chosen.asks:
        form = as_entered(case.form) | dict(form)
    given: AnswerForClient | None = form.get("answer") or None
    refused = corrected(case.form, {path: form[path] for path in CORRECTABLE})[1] if "facts" in chosen.asks else {}
    standing = {item.key: item for item in case.items(row)} if row else {}
    return shown(
        request, "act.html", status=status, engagement=case.engagement, act=act, chosen=chosen, why=why,
        form={name: "" for name in (*chosen.names, *_fields(chosen))} | dict(form),
        about=_about(case, form), outcomes=ENDS, given=given, facts=CORRECTABLE, fields=FIELDS, refused=refused,
        due=row.due if row else None, replies=REPLIES, standing=standing,
        items=[item for item in asked_items(row, case) if item.key in standing] if row and "answer" in chosen.asks
        else [],
        decisions=REQUEST_DESKS[row.kind].replies(row.round) if row else (),
    )  # fmt: skip


def _planned(
    request: Request, case: Case, act: str, form: Mapping[str, Any], nonce: str, plan: Plan | None = None,
    *, changed: bool = False,
) -> Response:  # fmt: skip
    """Show what an act will do, and the button that does it."""
    chosen = ACTS[act]
    plan = plan or chosen.build(form).plan(case)
    return shown(
        request, "plan.html", engagement=case.engagement, act=act, chosen=chosen, plan=plan, nonce=nonce,
        hidden={name: form[name] for name in (*chosen.names, *_fields(chosen)) if name in form},
        about=_about(case, form), changed=changed, mail_paused=bool(plan.mails) and paused(case.session),
    )  # fmt: skip

