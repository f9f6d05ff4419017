"""A sign-off: a person decides in Airflow's Required Actions, once; the register keeps the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException

from include.engagement import process
from operators.case import CaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.casework.office import Case


class InvalidAnswer(AirflowException):
    """An answer that cannot be taken; the next try mails why and asks again."""


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
        kwargs["retries"] = 50  # an answer that cannot be taken costs a try
        kwargs.pop("params", None)  # the DAG's own, which Airflow hands down: the form is the gate's
        super().__init__(
            subject=row.title,
            body=row.help,
            options=list(row.options.values()),
            params={entry.key: form_param(entry) for entry in row.entries},
            **kwargs,
        )
        self.gate = gate
        self.who = who

    def execute(self, context: Context) -> None:
        """Prepare; go on with the decision that is there, or ask for it."""
        from include.casework.desks import GATE_DESKS, follow
        from include.casework.signing import ask_for, sign_off, tell_why

        with self.case(context) as case:
            number = self.round(case, context)
            outcome = GATE_DESKS[self.gate].prepare(case, number)
            row = sign_off(case, self.gate, number, self.who)
            if outcome is None and row is not None and row.decision is not None:
                outcome = follow(case, row)
            if outcome is None:
                tell_why(case, ask_for(case, self.gate, number, self.who))
                self._word(case, number)
        if outcome is not None:
            return self.go_on(context, outcome)
        return HITLOperator.execute(self, context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Keep the decision, if the register has none yet, and follow the one that it has.

        Raises InvalidAnswer when the answer cannot be taken: the task is tried again and asks again.
        """
        from include.casework.desks import decide, follow
        from include.clock import now
        from include.engagement.errors import InvalidSignOff

        if "error" in event:
            self.process_trigger_event_error(event)
        by = event.get("responded_by_user") or {}
        with self.case(context) as case:
            try:
                row = decide(
                    case, self.gate, self.round(case, context), self.who,
                    label=event["chosen_options"][0], entries=event.get("params_input") or {},
                    by=str(by.get("name") or by.get("id") or ""), at=event.get("responded_at") or now(),
                )  # fmt: skip
            except InvalidSignOff:
                raise InvalidAnswer("the answer cannot be taken; a mail says why, and it is asked again") from None
            outcome = follow(case, row)
        self.go_on(context, outcome)

    def _word(self, case: Case, number: int) -> None:
        """Say what it is about: the engagement's id, the company's name, no personal data."""
        from include.casework.desks import GATE_DESKS

        row = process.SIGN_OFFS[self.gate]
        note = GATE_DESKS[self.gate].note(case)
        self.body = f"{note}\n\n{row.help}" if note else row.help
        member = next((m.title.vi for m in process.COUNCIL if m.key == self.who), "")
        parts = [row.title, member, f"vòng {number}" if number > 1 else "", case.id, case.form["client"]["name"]]
        self.subject = " – ".join(part for part in parts if part)
