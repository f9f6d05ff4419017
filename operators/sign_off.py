"""A sign-off: a person decides in Airflow's Required Actions, once; the register keeps the decision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.execution_time.hitl import HITLUser

from include.engagement import process
from operators.answer_on_file import AnswerOnFile
from operators.case import CaseOperator
from operators.settings import WORK_LIMIT

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.casework.office import Case


def form_param(entry: process.Entry) -> Param:
    """Return a field of the form. All are nullable: an empty-string default would disable Airflow's buttons."""
    limits = {"minimum": entry.minimum, "maximum": entry.maximum}
    schema = {key: value for key, value in limits.items() if value is not None}
    if entry.multiline:
        schema["format"] = "multiline"
    return Param(None, type=["null", entry.kind], title=entry.title, **schema)


class SignOff(CaseOperator, HITLOperator):
    """Asks for the decision of ``gate`` (a key of ``process.SIGN_OFFS``), unless the register has it.

    ``who`` is a council member's key where each member decides for themselves.
    """

    template_fields = ()  # the subject names the client: data, never a template

    def __init__(self, *, gate: str, who: str = "", **kwargs: Any) -> None:
        row = process.SIGN_OFFS[gate]
        kwargs["execution_timeout"] = None  # HITLOperator would take it, or the DAG's default, as the limit of the wait
        kwargs.pop("params", None)  # the DAG's own, which Airflow hands down: the form is the gate's
        super().__init__(
            subject=row.title,
            body=row.help,
            options=list(row.options.values()),
            params={entry.key: form_param(entry) for entry in row.entries},
            **kwargs,
        )
        self.execution_timeout = WORK_LIMIT
        self.gate = gate
        self.who = who

    def work(self, context: Context) -> None:
        """Prepare; go on with the decision that is there, or ask for it."""
        from include.casework.desks import GATE_DESKS, follow
        from include.casework.signing import sign_off

        with self.case(context) as case:
            number = self.round(case, context)
            outcome = GATE_DESKS[self.gate].prepare(case, number)
            row = sign_off(case, self.gate, number, self.who)
            if outcome is None and row is not None and row.decision is not None:
                outcome = follow(case, row)
            # The task may begin anew within the same try: when Airflow cannot read the DAG file as it is resumed.
            asked_before = row is not None
            if outcome is None and not asked_before:
                self._prepare_form(case, number)
        if outcome is not None:
            return self.signed(context, outcome)
        if asked_before:
            return self.defer(trigger=AnswerOnFile(ti_id=str(context["ti"].id)), method_name="ask_again")
        return HITLOperator.execute(self, context)

    def ask_again(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Take the answer that was given before, else ask; one that the register knows is not taken again."""
        from include.casework.signing import ask_for, was_weighed

        with self.case(context) as case:
            number = self.round(case, context)
            row = ask_for(case, self.gate, number, self.who)
            answered_at = (event or {}).get("responded_at")
            lost = answered_at is not None and not was_weighed(case, row, answered_at)
            if not lost:
                self._prepare_form(case, number)
        if event and lost:
            return self.execute_complete(context, event)
        return HITLOperator.execute(self, context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Keep the decision, if the register has none yet, and follow the one that it has.

        Who answered when another decision stood is told so. Whose answer cannot be taken is told why, and asked again.
        """
        from include.casework.desks import decide, follow
        from include.casework.signing import Said, tell_second
        from include.clock import now
        from include.engagement.errors import InvalidSignOff

        if "error" in event:
            self.process_trigger_event_error(event)
        user = event.get("responded_by_user") or {}
        said = Said(
            label=event["chosen_options"][0], entries=event.get("params_input") or {},
            by=str(user.get("name") or user.get("id") or ""), at=event.get("responded_at") or now(),
        )  # fmt: skip
        outcome = None
        with self.case(context) as case:
            number = self.round(case, context)
            try:
                row = decide(
                    case, self.gate, number, self.who, label=said.label, entries=said.entries, by=said.by, at=said.at
                )
            except InvalidSignOff:
                self._prepare_form(case, number)
            else:
                outcome = follow(case, row)
                tell_second(case, row, said)
        if outcome is None:
            return HITLOperator.execute(self, context)
        return self.signed(context, outcome)

    def is_done(self, case: Case) -> bool:
        """Say whether the decision is taken and followed."""
        from include.casework.signing import sign_off

        row = None if self.number is None else sign_off(case, self.gate, self.number, self.who)
        return row is not None and row.outcome is not None

    def signed(self, context: Context, outcome: str) -> None:
        """Follow the outcome of the decision."""
        return self.go_on(context, outcome)

    def _prepare_form(self, case: Case, number: int) -> None:
        """Say what it is about: the engagement's id, the company's name, no personal data; and who alone may answer.

        Why the last answer was not taken is mailed.
        """
        from include.casework.desks import GATE_DESKS
        from include.casework.signing import ask_for, tell_why
        from include.casework.staff import COUNCIL, logins

        tell_why(case, ask_for(case, self.gate, number, self.who))
        row = process.SIGN_OFFS[self.gate]
        if os.environ.get("ENGAGEMENT_REHEARSAL") != "1":  # a rehearsal's player stands for all of the staff
            allowed = logins(case.firm, f"{COUNCIL}.{self.who}" if self.who else row.role)
            self.assigned_users = [HITLUser(id=login, name=login) for login in allowed] or None
        note = GATE_DESKS[self.gate].note(case)
        self.body = f"{note}\n\n{row.help}" if note else row.help
        member = next((m.title.vi for m in process.COUNCIL if m.key == self.who), "")
        parts = [row.title, member, f"vòng {number}" if number > 1 else "", case.id, case.form["client"]["name"]]
        self.subject = " – ".join(part for part in parts if part)
