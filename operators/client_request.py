"""A request and its answer, in one task: ask, wait, receive, check, answer, ask again, go on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from operators.case import CaseOperator
from operators.inbox import InboxTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.casework.office import Case

LONGEST_WAIT = timedelta(days=400)


class ClientRequest(CaseOperator):
    """Asks a client (or the service department) for something and ends when it is answered.

    ``kind`` is a key of ``process.REQUESTS``; the outcome is what its desk in ``casework.desks`` names.
    """

    def __init__(self, *, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def work(self, context: Context) -> None:
        """Ask, then wait for the answer; when there is nothing to ask, go on. What was answered is not asked again."""
        from include.casework.desks import REQUEST_DESKS

        with self.case(context) as case:
            number = self.round(case, context)
            asked = case.request(self.kind, number)
            if asked is None or asked.status != "answered":
                asked = REQUEST_DESKS[self.kind].ask(case, number)
        if asked is None:
            return self.answered(context, "complete")
        return self.receive(context)

    def begin(self, case: Case) -> None:
        """Ask before this task's turn comes: the task that it follows is done, and the client need not wait for it."""
        from include.casework.desks import REQUEST_DESKS

        if self.number is not None and case.request(self.kind, self.number) is None:
            REQUEST_DESKS[self.kind].ask(case, self.number)

    def is_done(self, case: Case) -> bool:
        """Say whether the request is answered."""
        request = None if self.number is None else case.request(self.kind, self.number)
        return request is not None and request.status == "answered"

    def answered(self, context: Context, outcome: str) -> None:
        """Follow the outcome of the answer."""
        return self.go_on(context, outcome)

    def receive(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Take in what lies ready; go on when that answers the request, else wait for more."""
        from include.casework.contract import notify_of_extension
        from include.casework.desks import REQUEST_DESKS
        from include.casework.receiving import take_in

        desk = REQUEST_DESKS[self.kind]
        with self.case(context) as case:
            number = self.round(case, context)
            request = case.request(self.kind, number)
            assert request is not None
            take_in(case, request, replies=desk.replies(number))
            notify_of_extension(case)
            outcome = desk.answered(case, request) if request.status == "answered" else None
            folder, settings = f"{case.id}/{request.key}", case.office.settings
        if outcome is not None:
            return self.answered(context, outcome)
        return self.defer(
            trigger=InboxTrigger(
                folder=folder,
                poll_seconds=settings.inbox_poll_seconds,
                settle_seconds=settings.inbox_settle_seconds,
            ),
            method_name="receive",
            timeout=LONGEST_WAIT,
        )
