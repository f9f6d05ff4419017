"""What every task of an engagement shares: its case, the mail connection, and the way on from an outcome."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseOperator, Label, TriggerRule
from airflow.sdk.bases.skipmixin import SkipMixin
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.casework.office import Case, Office
    from include.mail.imap import ImapServer
    from include.mail.transport import Relay, Transport
    from include.production import Connection
    from include.settings import Settings


DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-")


class ConnectionTransport:
    """Sends through the installation's Airflow ``smtp`` connection, looked up when a mail goes out."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """See ``include.mail.transport.Transport``."""
        self._relay().send(sender, recipients, data)

    @contextmanager
    def session(self) -> Iterator[Transport]:
        """Send a batch over one connection."""
        with self._relay().session() as conversation:
            yield conversation

    def _relay(self) -> Relay:
        from include.mail.connections import relay_of

        return relay_of(connection(self.settings.smtp_conn_id), archive=self.settings.mail_archive)


def connection(conn_id: str) -> Connection:
    """Return a connection of Airflow's as the adapters want it. Raises AirflowNotFoundException."""
    from include.production import Connection

    found = BaseHook.get_connection(conn_id)
    return Connection(found.host or "", found.port or 0, found.login or "", found.password or "", found.extra_dejson)


def imap_server(conn_id: str) -> ImapServer:
    """Return the IMAP server of an Airflow connection. Raises AirflowNotFoundException."""
    from include.mail.connections import imap_server_of

    return imap_server_of(connection(conn_id))


def record_server(conn_id: str) -> ImapServer:
    """Return the IMAP server that keeps a mail record. Raises TransientMailError when there is no such connection."""
    from include.mail.transport import TransientMailError

    try:
        return imap_server(conn_id)
    except AirflowNotFoundException:
        raise TransientMailError(f"there is no connection {conn_id} (see ENGAGEMENT_MAIL_RECORD)") from None


def open_office() -> Office:
    """Open the installation's office, with mail through its Airflow connections. Raises UnsafeInstallation."""
    from include.casework.office import open_office
    from include.mail.record import records_from
    from include.production import engagement_findings, refuse_unsafe_start
    from include.settings import load_settings

    # Where Airflow's plugins folder was not pointed at ours, no component has looked.
    refuse_unsafe_start(os.environ, engagement_findings(os.environ))
    settings = load_settings()
    record = records_from(settings.mail_record, record_server)
    return open_office(ConnectionTransport(settings), record=record, settings=settings)


@contextmanager
def permanent_errors() -> Iterator[None]:
    """Turn errors that no retry mends into a failed task; everything else is retried."""
    from include.engagement.errors import AlreadyOpen, EngagementError, RuleBroken, UnknownEngagement

    try:
        yield
    except (AlreadyOpen, RuleBroken, UnknownEngagement) as error:
        raise AirflowFailException(str(error)) from None
    except EngagementError as error:
        raise AirflowFailException(f"{type(error).__name__}: the engagement's event log says why") from None


class CaseOperator(BaseOperator, SkipMixin):
    """A task of one engagement.

    ``number`` is the round; None: the number of the planned run (a monitoring visit, a contact) that it runs in.
    Where outcomes part ways, ``when`` says which task follows which; else whatever is downstream does.

    ``since`` and ``until`` are the first and the last flow (``process.FLOW``) that the task belongs to. An engagement
    that was opened under another passes it: nothing is done, and what follows ``passed_as`` follows.
    """

    inherits_from_skipmixin = True

    def __init__(
        self, *, number: int | None = 1, since: int = 1, until: int | None = None, passed_as: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.number = number
        self.since = since
        self.until = until
        self.passed_as = passed_as
        self.routes: dict[str, str] = {}

    def execute(self, context: Context) -> None:
        """Do the task's work, or pass it in an engagement of another flow."""
        if self._belongs(context):
            return self.work(context)
        self.log.info("%s is no part of the flow that the engagement was opened under", self.task_id)
        return self.go_on(context, self.passed_as)

    def work(self, context: Context) -> None:
        """Do what the task is for."""
        raise NotImplementedError

    def _belongs(self, context: Context) -> bool:
        if self.since == 1 and self.until is None:
            return True
        with self.case(context) as case:
            return self.since <= case.flow and (self.until is None or case.flow <= self.until)

    def when(self, outcome: str, label: str, followed: BaseOperator) -> None:
        """Lay the edge to the task that follows ``outcome``, labelled for the graph.

        Not ``>> Label(…) >>``: between tasks of different groups Airflow turns both ends into their whole groups.
        """
        self.routes[outcome] = followed.task_id
        self.set_downstream(followed, edge_modifier=Label(label))

    @contextmanager
    def case(self, context: Context) -> Iterator[Case]:
        """Open the case of the run's engagement; a failure of the firm's rules fails the task for good."""
        from include.engagement.errors import EngagementError

        engagement_id = engagement_of(context)
        with permanent_errors(), open_office().case(engagement_id) as case:
            skip_if_ended(case)
            try:
                yield case
            except EngagementError as error:
                case.session.rollback()
                case.event("stopped", key=stopped_key(context), task=self.task_id, why=str(error))
                case.session.commit()
                raise

    def round(self, case: Case, context: Context) -> int:
        """Return the round, or the number of the planned run."""
        if self.number is not None:
            return self.number
        from include.casework.planning import begin

        return begin(case, context["run_id"])

    def go_on(self, context: Context, outcome: str | None) -> None:
        """Follow the outcome's route; outcomes are logged, never stored in XCom.

        What follows is begun here: with many runs open it is a while until the scheduler comes to it. Everything that
        can no longer come is skipped at once: left to itself, skipping takes a round of the scheduler for each task of
        an unused round.
        """
        self.log.info("Outcome of %s: %s", self.task_id, outcome)
        if not self.routes:
            return self._begin(context, self.downstream_list)
        if outcome not in self.routes:
            raise AirflowFailException(f"no route for the outcome {outcome!r} of {self.task_id}")
        followed = self.dag.get_task(self.routes[outcome])
        self._begin(context, [followed])
        kept = {followed.task_id, *(task.task_id for task in followed.get_flat_relatives(upstream=False))}
        self.skip(
            context["ti"],
            [task for task in self.get_flat_relatives(upstream=False) if task.task_id not in kept],
        )

    def begin(self, case: Case) -> None:
        """Do what need not wait for this task's own turn; its effects have keys, so that its turn finds them done."""

    def is_done(self, case: Case) -> bool:
        """Say whether the register knows that this task has done its work; False where it cannot tell."""
        return False

    def _begin(self, context: Context, followed: Iterable[Any]) -> None:
        """Have what follows begun; where that fails it is done, or fails, in its own turn."""
        for task in followed:
            if not isinstance(task, CaseOperator) or (task.since, task.until) != (1, None):
                continue
            try:
                with open_office().case(engagement_of(context)) as case:
                    if not case.ended and self._was_last_before(task, case):
                        task.begin(case)
            except Exception:
                self.log.warning("%s could not be begun ahead of its turn", task.task_id, exc_info=True)

    def _was_last_before(self, task: CaseOperator, case: Case) -> bool:
        if task.trigger_rule != TriggerRule.ALL_SUCCESS:
            return True  # of the ways that lead to it only one is gone
        others = [each for each in task.upstream_list if each is not self]
        return all(isinstance(each, CaseOperator) and each.is_done(case) for each in others)


def engagement_of(context: Context) -> str:
    """Return the run's engagement id.

    Raises AirflowSkipException in a run that bears another id than its engagement: a run opened by the trigger form
    hands over to the one that bears it (see ``operators.opening``).
    """
    run = context["dag_run"]
    engagement_id = given_id(context)
    if run.run_id.partition("__")[0] != engagement_id:
        raise AirflowSkipException(f"run {run.run_id} is not the run of {engagement_id}")
    return engagement_id


def given_id(context: Context) -> str:
    """Return the engagement id that a run was given, as ids are written: KHV-2026-0042.

    People type and paste it: small letters, spaces and the full-width forms of East Asian keyboards are one id.
    """
    given = (context["dag_run"].conf or {}).get("engagement_id") or context["params"].get("engagement_id") or ""
    plain = unicodedata.normalize("NFKC", str(given)).translate(DASHES)
    return "".join(c for c in plain if not c.isspace() and unicodedata.category(c) != "Cf").upper()


def skip_if_ended(case: Case) -> None:
    """Raise AirflowSkipException in an engagement that was ended by hand: nothing more is done in it."""
    if case.ended:
        raise AirflowSkipException(f"{case.id} was ended")


def stopped_key(context: Context) -> str:
    """Return the key of the event that says why this try of a task stopped for good."""
    return f"stopped/{context['ti'].id}"


class Step(CaseOperator):
    """Work that waits for nobody: ``action`` names a function of ``include.casework`` (``handover:conclude``).

    The function gets the case and the round, and returns the outcome where ways part.
    """

    def __init__(self, *, action: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.action = action

    def work(self, context: Context) -> None:
        """Do it and follow its outcome."""
        module, _, function = self.action.partition(":")
        act = getattr(import_module(f"include.casework.{module}"), function)
        with self.case(context) as case:
            outcome = act(case, self.round(case, context))
        self.go_on(context, outcome)
