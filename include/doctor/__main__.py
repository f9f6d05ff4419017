"""``python -m include.doctor [--portal] [FILE]``: what is unsafe or missing in a production installation, and the mend.

Run it where the installation's processes run, with what they get: their environment, or FILE, which holds it as lines
``NAME=value``. ``--portal``: it is the portal's, else that of Airflow's components. One line for each finding; the exit
code is 1 when something is refused. Nothing waits longer than SECONDS; no secret is printed; what is written as a trial
is deleted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from include import clock
from include.doctor.backups import backup_findings
from include.doctor.certificates import certificate_findings
from include.doctor.databases import airflow_database_findings, read_register, register_findings
from include.doctor.environment import environment_from
from include.doctor.files import storage_findings
from include.doctor.installation import airflow_setup_findings, mode_findings, portal_findings, readable_settings
from include.doctor.look import in_time
from include.doctor.machine import antivirus_findings, font_findings, installed_fonts, office_findings
from include.doctor.mail import RECORD, mail_findings, mailbox_findings, record_findings, relay_findings
from include.doctor.workers import broker_findings, open_files, triggerer_findings
from include.documents.libreoffice import find_libreoffice
from include.mail.record import addresses
from include.production import (
    REGISTER,
    Environment,
    Finding,
    airflow_findings,
    engagement_findings,
    file_finding,
)


def examine(env: Environment, *, portal: bool) -> Iterator[Finding]:
    """Look at everything, at the network last. ``env`` is this process's own environment too."""
    yield from mode_findings(env)
    yield from engagement_findings(env)
    yield from readable_settings()
    if portal:
        yield from portal_findings(env)
    else:
        yield from airflow_findings(env)
        yield from airflow_setup_findings(env)
        yield from mail_findings(env)
        yield from office_findings(find_libreoffice())
        yield from antivirus_findings()
        yield from in_time("Fonts", lambda: font_findings(installed_fonts()))
        yield from in_time("Airflow's database", lambda: airflow_database_findings(env))
        yield from in_time("Mail relay", lambda: relay_findings(env))
        yield from in_time("Reply mailbox", lambda: mailbox_findings(env))
        for address in addresses(env.get(RECORD)):
            yield from in_time(RECORD, partial(record_findings, env, address))
        yield from in_time("Backups", lambda: backup_findings(env, now=clock.now()))
        yield from in_time("Broker", lambda: broker_findings(env))
    yield from in_time("Certificate", lambda: certificate_findings(env, now=clock.now()))
    yield from in_time("Register", lambda: kept_findings(env, portal=portal))
    yield from in_time("Storage", lambda: storage_findings(env, portal=portal))


def kept_findings(env: Environment, *, portal: bool) -> Iterator[Finding]:
    """Judge the register, and for Airflow's components what its open requests ask of the triggerer."""
    facts = read_register(env.get(REGISTER, ""))
    yield from register_findings(facts, portal=portal)
    if not portal:
        yield from triggerer_findings(env, waits=facts.waits, files=open_files())


def main(arguments: list[str]) -> int:
    """Print the findings, the worst last; returns 1 when something is refused, 2 when it was not asked properly."""
    portal, files = "--portal" in arguments, [Path(each) for each in arguments if each != "--portal"]
    if len(files) > 1:
        print("Usage: python -m include.doctor [--portal] [FILE]", file=sys.stderr)
        return 2
    try:
        env = environment_from(files[0] if files else None, os.environ)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    # Libraries that are tried look there.
    for name in set(os.environ) - set(env):
        del os.environ[name]
    os.environ.update(env)
    found = [file_finding(file, file.stat().st_mode) for file in files]
    found += examine(env, portal=portal)
    order = ("ok", "warning", "refused")
    for each in sorted(found, key=lambda each: order.index(each.level)):
        print(f"{each.level:8} {each}")
    counts = {level: sum(each.level == level for each in found) for level in order}
    print(f"{counts['refused']} refused, {counts['warning']} to look at, {counts['ok']} in order")
    return 1 if counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
