"""What docker-compose.yaml puts up, played on: Celery's workers, two triggerers, a proxy, and parts that are killed."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import select

from chaos.stand import ServiceManager, kill
from include.register.models import Mail
from include.register.session import sessions
from local.airflow_api import AirflowApi
from local.keeper import descendants
from local.ports import HOST
from rehearsal.__main__ import play
from rehearsal.letters import Mailbox
from rehearsal.progress import Progress
from rehearsal.report import unmet
from rehearsal.scenario import FOLDER, read_scenario
from tests.compose import SERVICES
from tests.system.cluster import TWINS, Cluster, await_so, missing_programs

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200), pytest.mark.xdist_group("cluster")]

SCENARIOS = ("refused-for-inaccuracy", "declined-by-client")
WORKERS = ("airflow-worker", "airflow-worker-2")
TRIGGERERS = ("airflow-triggerer", "airflow-triggerer-2")
# PostgreSQL is asked by TCP in its container and listens on a socket here; the others want programs of their images.
NOT_ASKED = ("postgres", "proxy", "backup")
WATCHED = [name for name, row in SERVICES.items() if "healthcheck" in row and name not in NOT_ASKED]
WAIT_SECONDS = 240.0


@dataclass
class Killer:
    """Kills a worker at work, a triggerer that waits and the scheduler, one after the other, while all is played."""

    cluster: Cluster
    killed: dict[str, int] = field(default_factory=dict)

    def work(self) -> None:
        """Kill; what does not come to pass is not in ``killed`` then."""
        login = self.cluster.api_url, "admin", self.cluster.users["admin"]
        with suppress(AssertionError), AirflowApi(*login) as airflow:

            def under_way() -> set[str]:
                return {str(task["pid"]) for task in airflow.task_instances("engagement", states=("queued", "running"))}

            def busy_worker() -> str:
                pids = under_way()
                return self._first(WORKERS, lambda process: process.name in pids)

            self._kill_when("worker", busy_worker, "a task in a worker")
            self._kill_when("triggerer", self._waiting_triggerer, "a wait in a triggerer")
            self._kill_when("scheduler", lambda: "airflow-scheduler" if under_way() else "", "a task under way")

    def _waiting_triggerer(self) -> str:
        """Return the triggerer that holds a wait: it keeps a log open for each."""
        return self._first(TRIGGERERS, lambda process: any(
            ".log.trigger." in os.readlink(file) for file in (process / "fd").iterdir()))  # fmt: skip

    def _first(self, names: tuple[str, ...], is_so: Callable[[Path], bool]) -> str:
        pids = self.cluster.pids()
        for name in names:
            for pid in [pids[name], *descendants(pids[name])] if name in pids else []:
                with suppress(OSError):
                    if is_so(Path("/proc", str(pid))):
                        return name
        return ""

    def _kill_when(self, part: str, found: Callable[[], str], what: str) -> None:
        name = ""

        def is_there() -> bool:
            nonlocal name
            name = found()
            return bool(name)

        await_so(is_there, what, seconds=WAIT_SECONDS)
        self._kill(name, part)

    def _kill(self, name: str, part: str) -> None:
        """Kill as a container dies: with all that is in it."""
        pid = self.cluster.pids()[name]
        kill(self.cluster, name, family=True)
        await_so(lambda: self.cluster.pids().get(name, pid) != pid, f"{name} again", seconds=30)
        self.killed[part] = pid


@dataclass(frozen=True)
class Played:
    """What came of it."""

    cluster: Cluster
    results: list[dict[str, Any]]
    killed: dict[str, int]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if missing := missing_programs():
        assert not os.environ.get("CI"), f"missing: {missing}"
        pytest.skip(f"NO CLUSTER, NOT TESTED: apt-get install {' '.join(missing)}")
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def played(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Played:
    scenarios = [read_scenario(FOLDER / f"{name}.yaml") for name in SCENARIOS]
    killer = Killer(cluster)
    thread = threading.Thread(target=killer.work, daemon=True)
    with ServiceManager(cluster).running():
        thread.start()
        results = play(cluster, scenarios, Progress(), out=tmp_path_factory.mktemp("out"))
        thread.join()
    return Played(cluster, results, killer.killed)


def test_worker_triggerer_and_scheduler_were_killed_in_between(played: Played) -> None:
    assert set(played.killed) == {"worker", "triggerer", "scheduler"}


def test_the_engagements_end_as_expected_all_the_same(played: Played) -> None:
    assert unmet(played.results) == []


def test_every_mail_of_the_ledger_arrived_exactly_once(played: Played) -> None:
    arrived = Counter(letter.message_id for letter in Mailbox(played.cluster.mails).letters())
    with sessions(played.cluster.register_url)() as session:
        sent = {row.message_id: row.state for row in session.scalars(select(Mail))}

    assert set(sent.values()) == {"sent"}
    assert arrived == Counter(dict.fromkeys(sent, 1))


def test_every_service_of_the_file_is_played_with(played: Played) -> None:
    done_once = {"airflow-init", "backup"}
    assert {*played.cluster.pids(), *done_once} - {"mail-catcher"} == {*SERVICES, *(f"{name}-2" for name in TWINS)}


def test_nothing_listens_beyond_this_machine(played: Played) -> None:
    pid = played.cluster.keeper_pid
    assert pid is not None
    addresses = {
        connection.laddr.ip
        for each in psutil.Process(pid).children(recursive=True)
        for connection in each.net_connections("inet") if connection.status == psutil.CONN_LISTEN
    }  # fmt: skip
    assert addresses == {HOST}


@pytest.mark.parametrize("name", WATCHED)
def test_the_health_check_of_the_file_finds_the_service_well(played: Played, name: str) -> None:
    done = played.cluster.check_health(name)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_health_check_of_a_worker_notices_that_it_is_gone(played: Played) -> None:
    assert played.cluster.check_health("airflow-worker", host="airflow-worker-3").returncode != 0


def test_staff_reach_airflow_by_the_proxy_over_tls_and_workers_api_is_not_passed_on(played: Played) -> None:
    with played.cluster.staff_browser() as browser:
        login = {"username": "admin", "password": played.cluster.users["admin"]}
        token = browser.post("/auth/token", json=login).json()["access_token"]
        signed_in = {"Authorization": f"Bearer {token}"}
        assert browser.get("/api/v2/dags/engagement", headers=signed_in).status_code == 200
        assert browser.get("/api/v2/dags/engagement").status_code == 401
        assert browser.get("/execution/", headers=signed_in).status_code == 404
        assert browser.get("/execution/health").status_code == 404


def test_clients_reach_the_portal_and_nothing_of_airflows(played: Played) -> None:
    with httpx.Client(base_url=played.cluster.portal_url, trust_env=False) as browser:
        assert browser.get("/health").status_code == 200
        for host in ("localhost", "airflow.example", "airflow-apiserver"):
            answer = browser.get("/api/v2/version", headers={"Host": host})
            assert "version" not in answer.text, host


@pytest.mark.parametrize(("name", "may_decide"), [("thuha", True), ("phuoc", True), ("ketoan", False)])
def test_the_users_of_the_page_about_operating_it_are_made_as_it_says(
    played: Played, name: str, may_decide: bool
) -> None:
    played.cluster.make_user(name)
    login = {"username": name, "password": played.cluster.users[name]}
    with played.cluster.staff_browser() as browser:
        token = browser.post("/auth/token", json=login).json()["access_token"]
        signed_in = {"Authorization": f"Bearer {token}"}
        assert browser.get("/api/v2/dags/engagement", headers=signed_in).status_code == 200
        answer = browser.patch("/api/v2/dags/engagement/dagRuns/x/taskInstances/x/-1/hitlDetails", headers=signed_in,
                               json={"chosen_options": ["x"], "params_input": {}})  # fmt: skip
        assert (answer.status_code == 403) is not may_decide, answer.text


def test_the_backup_of_the_file_is_made(played: Played, tmp_path: Path) -> None:
    done = played.cluster.back_up(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each for each in tmp_path.iterdir() if each.is_dir()]
