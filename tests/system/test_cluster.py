"""What docker-compose.yaml puts up, played on: Celery's workers, two triggerers, a proxy, and parts that are killed."""

from __future__ import annotations

import os
import re
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

from chaos.stand import ServiceManager, kill, until
from include.register.models import Mail
from include.register.session import sessions
from local.airflow_api import AirflowApi
from local.keeper import descendants
from local.ports import HOST
from rehearsal.__main__ import DAGS, play
from rehearsal.letters import Mailbox
from rehearsal.progress import Progress
from rehearsal.report import unmet
from rehearsal.scenario import FOLDER, read_scenario
from tests.compose import SERVICES
from tests.system.cluster import TWINS, Cluster, missing_programs

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
        with AirflowApi(self.cluster.api_url, "admin", self.cluster.users["admin"]) as airflow:

            def under_way() -> set[str]:
                return {str(task["pid"]) for task in airflow.task_instances("engagement", states=("queued", "running"))}

            def busy_worker() -> str:
                pids = under_way()
                return self._first(WORKERS, lambda process: process.name in pids)

            self._kill_when("worker", busy_worker)
            self._kill_when("triggerer", self._waiting_triggerer)
            self._kill_when("scheduler", lambda: "airflow-scheduler" if under_way() else "")

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

    def _kill_when(self, part: str, found: Callable[[], str]) -> None:
        """Kill what is found as a container dies, with all that is in it, and wait until it was started again."""
        names: list[str] = []
        if not until(lambda: bool(names.append(found()) or names[-1]), seconds=WAIT_SECONDS):
            return
        pid = self.cluster.pids().get(names[-1])
        kill(self.cluster, names[-1], family=True)
        if pid and until(lambda: self.cluster.pids()[names[-1]] != pid, seconds=WAIT_SECONDS):
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
        with AirflowApi(cluster.api_url, "admin", cluster.users["admin"]) as airflow:
            airflow.wait_for_dags(DAGS, seconds=WAIT_SECONDS)
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


def test_every_service_of_the_file_is_played_with(cluster: Cluster) -> None:
    done_once = {"airflow-init", "backup"}
    assert {*cluster.pids(), *done_once} - {"mail-catcher"} == {*SERVICES, *(f"{name}-2" for name in TWINS)}


def test_nothing_listens_beyond_this_machine(cluster: Cluster) -> None:
    assert cluster.keeper_pid is not None
    ours = set(descendants(cluster.keeper_pid))
    listening = [each for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    assert {each.laddr.ip for each in listening if each.pid in ours} == {HOST}


@pytest.mark.parametrize("name", WATCHED)
def test_the_health_check_of_the_file_finds_the_service_well(cluster: Cluster, name: str) -> None:
    # Compose asks again while a service starts.
    assert until(lambda: cluster.check_health(name).returncode == 0, seconds=WAIT_SECONDS), cluster.check_health(name)


def test_the_health_check_of_a_worker_notices_that_it_is_gone(cluster: Cluster) -> None:
    assert cluster.check_health("airflow-worker", host="airflow-worker-3").returncode != 0


def test_staff_reach_airflow_by_the_proxy_over_tls_and_workers_api_is_not_passed_on(cluster: Cluster) -> None:
    with cluster.staff_browser() as browser:
        login = {"username": "admin", "password": cluster.users["admin"]}
        token = browser.post("/auth/token", json=login).json()["access_token"]
        signed_in = {"Authorization": f"Bearer {token}"}
        assert browser.get("/api/v2/dags/engagement", headers=signed_in).status_code == 200
        assert browser.get("/api/v2/dags/engagement").status_code == 401
        assert browser.get("/execution/", headers=signed_in).status_code == 404
        assert browser.get("/execution/health").status_code == 404


def test_staff_sign_in_on_the_page_and_stay_at_the_proxys_address(cluster: Cluster) -> None:
    with cluster.staff_browser() as browser:
        browser.follow_redirects = True
        page = browser.get("/engagements/")
        page = page if "csrf_token" in page.text else browser.get("/auth/login/")
        [token] = re.findall(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
        form = {"csrf_token": token, "username": "admin", "password": cluster.users["admin"]}
        answer = browser.post(page.url, data=form, headers={"Referer": str(page.url)})  # as a browser does
        assert answer.status_code == 200, answer.text
        assert {str(each.url.copy_with(path="/", query=None)) for each in (page, *answer.history, answer)} == {
            f"{cluster.staff_url}/"
        }
        assert all(cookie.secure for cookie in browser.cookies.jar)
        assert "Kế Hoạch Việt" in browser.get("/engagements/").text


def test_clients_reach_the_portal_and_nothing_of_airflows(cluster: Cluster) -> None:
    with httpx.Client(base_url=cluster.portal_url, trust_env=False) as browser:
        assert browser.get("/health").status_code == 200
        for host in ("localhost", "airflow.example", "airflow-apiserver"):
            answer = browser.get("/api/v2/version", headers={"Host": host})
            assert "version" not in answer.text, host


@pytest.mark.parametrize(("name", "opens_engagements"), [("thuha", True), ("phuoc", False), ("ketoan", False)])
def test_the_users_of_the_page_about_operating_it_are_made_as_it_says(
    cluster: Cluster, name: str, opens_engagements: bool
) -> None:
    cluster.make_user(name)
    login = {"username": name, "password": cluster.users[name]}
    with cluster.staff_browser() as browser:
        token = browser.post("/auth/token", json=login).json()["access_token"]
        signed_in = {"Authorization": f"Bearer {token}"}
        assert browser.get("/engagements/", headers=signed_in).status_code == 200
        assert (browser.get("/engagements/new", headers=signed_in).status_code == 200) is opens_engagements


def test_the_backup_of_the_file_is_made(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.back_up(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each for each in tmp_path.iterdir() if each.is_dir()]
