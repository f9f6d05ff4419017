"""``python -m local.audit``: no secret in the repository's files, no known hole in the locked packages.

Secrets are looked for by detect-secrets; ``.secrets.baseline`` holds those that were looked at and are none. Holes are
asked for by pip-audit of a public service; where none can be asked, that is said loudly and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / ".secrets.baseline"
LOCK = ROOT / "requirements-dev.txt"  # holds what requirements.txt holds
SERVICES = ("pypi", "osv")
# A service that knows no hole in this knows nothing: a mirror without advisories, say.
FULL_OF_HOLES = "jinja2==2.10\n"
SECONDS = 600.0
# Holes that do not concern this project: their id, and why not.
ACCEPTED: dict[str, str] = {}

Audit = Callable[[Path, str], "dict[str, Any] | None"]


def tracked_files() -> list[str]:
    """Return the repository's files, as git knows them, but the locks: those hold nothing but hashes."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and not name.startswith(("requirements", BASELINE.name))]


def secrets_in(files: Iterable[str], *, root: Path = ROOT, baseline: Path = BASELINE) -> Iterator[str]:
    """Yield where something that looks like a secret stands which the baseline does not hold, wherever in its file."""
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import transient_settings

    content = json.loads(baseline.read_text(encoding="utf-8"))
    known = {(file, each["type"], each["hashed_secret"]) for file, rows in content["results"].items() for each in rows}
    with transient_settings({key: content[key] for key in ("plugins_used", "filters_used")}):
        for file in files:
            for secret in scan_file(str(root / file)):
                if (file, secret.type, secret.secret_hash) not in known:
                    yield f"{file}:{secret.line_number}: {secret.type}"


def pip_audit(lock: Path, service: str) -> dict[str, Any] | None:
    """Return what a service knows of the packages of a lock; None when it cannot be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--no-deps", "--disable-pip",
               "--format", "json", "--progress-spinner", "off", "--timeout", "10",
               "--vulnerability-service", service]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        found: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return found


def holes(report: dict[str, Any]) -> list[str]:
    """Return the known holes of a report that nobody has accepted, each with the version that mends it."""
    return [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'none'}"
        for package in report["dependencies"] for hole in package.get("vulns", ())
        if not ACCEPTED.keys() & {hole["id"], *hole.get("aliases", ())}
    ]  # fmt: skip


def service_that_knows(audit: Audit) -> str | None:
    """Return the first service that knows the holes of an old package."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "old.txt")
        lock.write_text(FULL_OF_HOLES, encoding="utf-8")
        for service in SERVICES:
            report = audit(lock, service)
            if report is not None and any(package.get("vulns") for package in report["dependencies"]):
                return service
    return None


def audit_packages(audit: Audit = pip_audit) -> int:
    """Say what is known of the locked packages; returns 1 for a hole."""
    service = service_that_knows(audit)
    report = audit(LOCK, service) if service else None
    if report is None:
        print(f"NOT AUDITED: {LOCK.name}, for no service that knows of holes answers ({', '.join(SERVICES)}).")
        return 0
    left = [package["name"] for package in report["dependencies"] if "skip_reason" in package]
    if left:
        print(f"NOT AUDITED: {', '.join(left)}")
    found = holes(report)
    print("\n".join(found) or f"No known hole in the packages of {LOCK.name}.")
    return 1 if found else 0


def main() -> int:
    """Look for both; returns 1 when either finds something."""
    secrets = list(secrets_in(tracked_files()))
    print("\n".join(secrets) or "No secret in the repository's files.")
    if secrets:
        print("Take them out and make new ones. What is no secret goes into the baseline: see CONTRIBUTING.md.")
    return audit_packages() | bool(secrets)


if __name__ == "__main__":
    sys.exit(main())
