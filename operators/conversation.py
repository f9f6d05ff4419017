"""A client's part and the staff's part in one task: what follows an answer does not wait for the scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operators.client_request import ClientRequest
from operators.sign_off import SignOff

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.casework.office import Case


class ReviewedRequest(ClientRequest, SignOff):
    """A request, then the sign-off on its answer.

    ``reviewed`` is the one outcome of the request that is signed off; None: every one.
    """

    def __init__(self, *, reviewed: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reviewed = reviewed

    def answered(self, context: Context, outcome: str) -> None:
        """Have the answer signed off, or go on."""
        if self.reviewed in (None, outcome):
            return SignOff.work(self, context)
        return self.go_on(context, outcome)

    def is_done(self, case: Case) -> bool:
        """Say whether the answer is signed off."""
        return SignOff.is_done(self, case)


class OfferedRequest(ClientRequest, SignOff):
    """A sign-off, then the request that it lets out."""

    def work(self, context: Context) -> None:
        """Have it signed off first."""
        return SignOff.work(self, context)

    def begin(self, case: Case) -> None:
        """Nothing: the client is not asked before the sign-off."""

    def signed(self, context: Context, outcome: str) -> None:
        """Ask the client."""
        return ClientRequest.work(self, context)
