"""Make the virtual environment ``.venv`` and install the locked packages: ``python3 local/setup.py [--dev]``.

Standard library only: this runs under whatever Python the machine has. Does nothing when everything is in place. The
locks carry hashes, so what is installed is what was locked. Installs with uv (ten times faster): the one on the PATH,
else one from the package index; without either, with pip.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "setup.json"
LOG = VENV / "setup.log"
OLDEST, NEWEST = (3, 10), (3, 13)
NEEDED_BYTES = 2_000_000_000
SIGNS_OF_NO_NETWORK = (
    "dns error",
    "failed to resolve",
    "name resolution",
    "connection refused",
    "connectionerror",
    "timed out",
    "unreachable",
    "error sending request",
    "failed to fetch",
)
LOCKS = {False: ["requirements.txt"], True: ["requirements.txt", "requirements-dev.txt"]}


class SetupError(Exception):
    """Set-up cannot go on; the message says in one sentence why and what to do."""


def set_up(*, dev: bool) -> None:
    """Bring ``.venv`` to what the locks say; ``dev`` adds what tests and linters need. Raises SetupError."""
    wanted = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in LOCKS[dev]}
    found = _stamp()
    if all(found.get(name) == digest for name, digest in wanted.items()) and _works(PYTHON):
        return
    began = time.monotonic()
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise SetupError(
            f"Only {free / 1e9:.1f} GB are free on {ROOT}; {NEEDED_BYTES / 1e9:.0f} GB are needed."
        )
    _make_venv()
    installer, name = _installer()
    locks = LOCKS[dev][-1:]  # the developers' lock holds the other one
    print(f"Installing {', '.join(locks)} with {name} …", flush=True)
    _run([*installer, *(part for lock in locks for part in ("-r", str(ROOT / lock)))], "The packages")
    STAMP.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
    print(f"Set up in {time.monotonic() - began:.0f} s.", flush=True)


def _stamp() -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _make_venv() -> None:
    if _works(PYTHON):
        return
    python, version = _find_python()
    print(f"Making .venv with Python {version} …", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    made = subprocess.run([python, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return
    told = made.stdout + made.stderr
    shutil.rmtree(VENV, ignore_errors=True)
    if "ensurepip" in told:
        if not shutil.which("uv"):
            raise SetupError(
                f"This Python cannot make virtual environments yet: run “apt-get install python{version}-venv” "
                "(or python3-venv), or install uv, and try again."
            )
        made = subprocess.run(
            [python, "-m", "venv", "--without-pip", str(VENV)], capture_output=True, text=True, check=False
        )
        if made.returncode == 0:
            return
    raise SetupError(f"{VENV} could not be made: {_reason(told)}.")


def _find_python() -> tuple[str, str]:
    """Return a Python that Airflow runs on, and its version; PYTHON in the environment is the user's choice."""
    chosen = os.environ.get("PYTHON", "")
    versions = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    candidates = [chosen] if chosen not in ("", "python3") else [sys.executable, *versions]
    seen = []
    for candidate in candidates:
        path = shutil.which(candidate)
        if path is None:
            continue
        version = _version(path)
        if OLDEST <= version <= NEWEST:
            return path, ".".join(map(str, version))
        seen.append(".".join(map(str, version)))
    span = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    there = f"{chosen or 'this machine'} has {', '.join(seen)}" if seen else f"{chosen or 'none'} was not found"
    raise SetupError(f"Python {span} is needed, and {there}: install one, or name it with PYTHON=/path/to/python3.12.")


def _version(python: str) -> tuple[int, ...]:
    command = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return tuple(map(int, told)) if len(told) == 2 else (0, 0)


def _works(python: Path) -> bool:
    return python.exists() and OLDEST <= _version(str(python)) <= NEWEST


def _installer() -> tuple[list[str], str]:
    """Return the command that installs into the virtual environment, and its name."""
    uv = str(VENV / "bin" / "uv") if (VENV / "bin" / "uv").exists() else shutil.which("uv")
    pip = [str(PYTHON), "-m", "pip"]
    if uv is None:
        if not _succeeds([*pip, "--version"]) and not _succeeds([str(PYTHON), "-m", "ensurepip"]):
            raise SetupError("There is neither uv nor pip: install uv, or remove .venv and try again.")
        if _succeeds([*pip, "install", "--quiet", "--disable-pip-version-check", "uv"]):
            uv = str(VENV / "bin" / "uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", str(PYTHON), "--require-hashes", "--compile-bytecode"], "uv"
    return [*pip, "install", "--disable-pip-version-check", "--require-hashes", "--compile"], "pip"


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _run(command: list[str], what: str) -> None:
    with LOG.open("wb") as log:
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        told = LOG.read_text(encoding="utf-8", errors="replace")
        raise SetupError(f"{what} could not be installed: {_reason(told)}. All of it is in {LOG}.")


def _reason(told: str) -> str:
    """Return the sentence of an installer's output that says what went wrong."""
    lowered = told.lower()
    if "no space left" in lowered:
        return "the disk is full"
    if "permission denied" in lowered:
        return "no permission to write there"
    if any(sign in lowered for sign in SIGNS_OF_NO_NETWORK):
        return "the package index does not answer; check the network (or proxy) and try again"
    lines = [line.strip(" ×╰─▶") for line in told.splitlines() if line.strip()]
    return (next((line for line in lines if "error" in line.lower()), lines[-1]) if lines else "no reason").rstrip(".")


def main() -> int:
    """Set up; a problem is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="also install what tests and linters need")
    asked = parser.parse_args()
    try:
        set_up(dev=asked.dev)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        known = {13: "no permission to write", 28: "the disk is full", 30: "the disk is read-only"}
        why = known.get(error.errno or 0, error.strerror)
        print(f"Set-up failed at {error.filename or ROOT}: {why}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
