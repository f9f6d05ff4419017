"""The drill: a machine is lost after its last backup, and an empty one goes on from it.

What outlives the machine is what does in the field: the backup, and the mail record of what the relay took. Airflow's
database is held at an earlier moment than the register, and engagements go on in between.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from include.backup.backups import Sources, make_backup, read_manifest
from include.backup.databases import Snapshot, snapshot
from include.casework.verification import deviations
from include.mail.ledger import resume
from include.register.models import Engagement, Installation, Mail
from include.register.session import sessions
from include.settings import load_settings
from include.storage import open_storage
from local import backup
from local.airflow_api import AirflowApi
from local.stack import Stack
from local.wake import wake
from rehearsal.letters import Mailbox
from rehearsal.record import Record
from rehearsal.rehearsal import PARKING_SECONDS
from tests.firm import ANSWERS, GOOD, PAPERS
from tests.system.test_change import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(1500), pytest.mark.xdist_group("restore")]

TUESDAY = date(2026, 12, 1)
CLIENT, REVIEW, COUNCIL = range(3)


def settings_of(patch: pytest.MonkeyPatch, stack: Stack) -> None:
    for name, value in stack.environment().items():
        if name.startswith("ENGAGEMENT_"):
            patch.setenv(name, value)


def open_three(site: Site) -> None:
    """One waits for the client, one for a sign-off, one for the council."""
    for number in (CLIENT, REVIEW, COUNCIL):
        site.ids.append("")
        firm = site.firm(number).open(referrer=str(number))
        site.ids[number] = firm.engagement
        if number != CLIENT:
            firm.inform() if number == COUNCIL else firm.ask("information")
        if number == REVIEW:
            firm.put("information", {"answers": ANSWERS}, PAPERS).receive("information")
        if number == COUNCIL:
            firm.decide().contract().deliver()
        firm.sign("first_meeting", "no")
        site.airflow.trigger("engagement", firm.engagement, {"engagement_id": firm.engagement})
    site.until(lambda: site.waits(CLIENT, "deferred", "information.collect_information_1"), "the client's wait")
    site.until(lambda: site.pending(REVIEW, "information.collect_information_1"), "the review")
    site.until(lambda: site.pending(COUNCIL, "round_1.appraisal.score"), "the scorecards")
    time.sleep(PARKING_SECONDS)


def client_and_review_go_on(site: Site) -> None:
    site.firm(CLIENT).put("information", {"answers": ANSWERS}, PAPERS)
    site.answer(REVIEW, "information.collect_information_1", "information_review", "accept")
    they_went_on(site)


def they_went_on(site: Site) -> None:
    site.until(lambda: site.pending(CLIENT, "information.collect_information_1"), "the answer that was taken in")
    site.until(lambda: site.pending(REVIEW, "contract.decide"), "the decision")


def council_decides(site: Site) -> None:
    site.answer(COUNCIL, "round_1.appraisal.score", "scorecard", "submit", **GOOD)
    site.until(lambda: site.waits(COUNCIL, "deferred", "handover.accept_1"), "the handover")


@contextmanager
def register_held_late(site: Site, url: str) -> Iterator[Snapshot]:
    """Hold a database; before the register is held, Airflow being held already, engagements go on."""
    if url == site.stack.register_url:
        client_and_review_go_on(site)
    with snapshot(url) as held:
        yield held


def to_the_end(site: Site) -> None:
    time.sleep(PARKING_SECONDS)
    site.answer(CLIENT, "information.collect_information_1", "information_review", "accept")
    site.until(lambda: site.pending(CLIENT, "contract.decide"), "the decision after the client's answer")
    time.sleep(PARKING_SECONDS)
    for number in (CLIENT, REVIEW):
        site.answer(number, "contract.decide", "decision", "decline", reason="không đủ người")
    site.firm(COUNCIL).put("handover", {"reply": "accept"})
    for engagement in site.ids:
        site.until(lambda e=engagement: site.airflow.run("engagement", e)["state"] == "success", "the run's end")


def mails_of(stack: Stack) -> list[str]:
    return [letter.message_id for letter in Mailbox(stack.mails).letters()]


def test_an_empty_machine_goes_on_from_the_backup_and_mails_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "none")
    ids = list[str]()
    with Stack(tmp_path / "lost", rehearsal=True) as lost, monkeypatch.context() as patch:
        settings_of(patch, lost)
        Record(load_settings()).set_day(TUESDAY)
        with AirflowApi(lost.api_url, "admin", lost.users["admin"]) as airflow:
            airflow.wait_for_dags(["engagement"])
            site = Site(lost, airflow, ids)
            open_three(site)
            sources = Sources(lost.register_url, lost.metadata_url, lost.storage.as_uri())
            patch.setattr("include.backup.backups.snapshot", lambda url: register_held_late(site, url))
            make_backup(sources, tmp_path / "backups", add=[lost.data / "secrets"])
            before = len(mails_of(lost))
            council_decides(site)
            site.until(lambda: len(mails_of(lost)) > before, "a mail after the backup")
        sent_before = mails_of(lost)

    monkeypatch.setenv("DATA", str(tmp_path / "new"))
    assert backup.main(["check", str(tmp_path / "backups")]) == 0
    assert backup.main(["restore", str(tmp_path / "backups")]) == 0
    assert backup.main(["restore", str(tmp_path / "backups")]) == 1, "over what was restored"
    shutil.copytree(tmp_path / "lost" / "mails", tmp_path / "new" / "mails", dirs_exist_ok=True)

    with Stack(tmp_path / "new", rehearsal=True) as new, monkeypatch.context() as patch:
        settings_of(patch, new)
        for key in ("portal-links", "fernet"):
            assert (new.data / "secrets" / key).read_text() == (lost.data / "secrets" / key).read_text()
        with sessions(load_settings().register_url)() as session:
            assert session.get_one(Installation, 1).mail_paused_at is not None
        with AirflowApi(new.api_url, "admin", new.users["admin"]) as airflow:
            airflow.wait_for_dags(["engagement"])
            site = Site(new, airflow, ids)
            assert site.waits(CLIENT, "deferred", "information.collect_information_1"), "Airflow knows of no answer"
            assert wake(airflow) >= len(ids)
            they_went_on(site)
            site.until(lambda: site.pending(COUNCIL, "round_1.appraisal.score"), "the scorecards, asked for again")
            time.sleep(PARKING_SECONDS)
            council_decides(site)
            assert mails_of(new) == sent_before, "nothing goes before a person has looked"
            with sessions(load_settings().register_url)() as session:
                resume(session)
            to_the_end(site)
            for number in (CLIENT, REVIEW, COUNCIL):
                assert not {"failed", "upstream_failed"} & site.states(number).keys(), site.ids[number]

        went = Counter(mails_of(new))
        assert [message_id for message_id, times in went.items() if times > 1] == []
        with sessions(load_settings().register_url)() as session:
            outcomes = {row.id: row.status for row in session.scalars(select(Engagement))}
            assert [outcomes[each] for each in ids] == ["declined_by_firm", "declined_by_firm", "completed"]
            known = set(session.scalars(select(Mail.message_id).where(Mail.state == "sent")))
            assert set(sent_before) <= known, "what went before is in the ledger"
            assert list(deviations(session, open_storage(load_settings().storage_url))) == []
        patch.delenv("ENGAGEMENT_REGISTER_URL")
        assert backup.main(["make", str(tmp_path / "backups of the new one")]) == 0
    [place] = [path.parent for path in (tmp_path / "backups").glob("*/manifest.json")]
    assert json.loads((place / "manifest.json").read_text())["airflow_version"] == read_manifest(place).airflow_version
