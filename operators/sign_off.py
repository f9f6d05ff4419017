"""A sign-off: a person decides in Airflow's Required Actions, once; the register keeps the decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException

from include.engagement import process
from operators.case import CaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class InvalidAnswer(AirflowException):
    """An answer that cannot be taken; the next try asks again and says why."""


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

    template_fields = ("subject",)

    def __init__(self, *, gate: str, who: str = "", **kwargs: Any) -> None:
        row = process.SIGN_OFFS[gate]
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
        from include.casework.desks import GATE_DESKS
        from include.casework.signing import answer_of, ask_for, sign_off

        desk = GATE_DESKS[self.gate]
        with self.case(context) as case:
            number = self.round(case, context)
            outcome = desk.prepare(case, number)
            row = sign_off(case, self.gate, number, self.who)
            if outcome is None and row is not None and row.decision is not None:
                outcome = self._follow(case, row, answer_of(row))
            if outcome is None:
                row = ask_for(case, self.gate, number, self.who)
                self._word(case, number, row.refusal)
        if outcome is not None:
            return self.go_on(context, outcome)
        return HITLOperator.execute(self, context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """Keep the decision, if the register has none yet, and follow the one that it has.

        Raises InvalidAnswer when the answer cannot be taken: the task is tried again and asks again.
        """
        from include.casework.desks import GATE_DESKS
        from include.casework.signing import answer_of, ask_for, keep, refuse, weigh
        from include.clock import now
        from include.engagement.errors import InvalidSignOff

        if "error" in event:
            self.process_trigger_event_error(event)
        by: Mapping[str, Any] = event.get("responded_by_user") or {}
        at: datetime = event.get("responded_at") or now()
        with self.case(context) as case:
            row = ask_for(case, self.gate, self.round(case, context), self.who)
            if row.decision is None:
                try:
                    answer = weigh(case, row, event["chosen_options"][0], event.get("params_input") or {})
                    GATE_DESKS[self.gate].check(case, answer)
                except InvalidSignOff as error:
                    refuse(case, row, error)
                    raise InvalidAnswer("the answer cannot be taken; the sign-off is asked again") from error
                keep(case, row, answer, by=str(by.get("name") or by.get("id") or ""), at=at)
                case.session.commit()
            outcome = self._follow(case, row, answer_of(row))
        self.go_on(context, outcome)

    def _follow(self, case: Any, row: Any, answer: Any) -> str:
        """Do what the decision entails, once more if a former try died over it; remember the outcome."""
        from include.casework.desks import GATE_DESKS

        if row.outcome is None:
            outcome = GATE_DESKS[self.gate].follow(case, answer)
            row.outcome = outcome
            case.session.commit()
        return str(row.outcome)

    def _word(self, case: Any, number: int, refusal: str | None) -> None:
        """Say what it is about: the engagement's id, the company's name, no personal data."""
        row = process.SIGN_OFFS[self.gate]
        member = next((m.title.vi for m in process.COUNCIL if m.key == self.who), "")
        parts = [row.title, member, f"vòng {number}" if number > 1 else "", case.id, case.form["client"]["name"]]
        self.subject = " – ".join(part for part in parts if part)
        self.body = (f"**Câu trả lời trước chưa dùng được: {refusal}**\n\n" if refusal else "") + row.help
