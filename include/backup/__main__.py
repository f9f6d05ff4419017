"""``python -m include.backup make|check|restore|settle``: backups of the installation that the environment names.

::

    make FOLDER [--keep 30] [--add /etc/engagement]   a backup in FOLDER; afterwards keeps the newest of each of 30 days
    check BACKUP|FOLDER                               reads a backup (of a folder: the newest), compares every checksum
    restore BACKUP|FOLDER [--storage-stays]           into empty databases and an empty storage, everything stopped
    settle BACKUP                                     does the last step of a restore again that was broken off

Needs ``ENGAGEMENT_REGISTER_URL``, ``ENGAGEMENT_STORAGE_URL`` and ``AIRFLOW__DATABASE__SQL_ALCHEMY_CONN``, with
accounts that own the databases. The exit code is 1 when something failed or a file is not as the register says.
docs/operations.md has the whole procedure.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from include.backup.backups import Sources, backups, faults, make_backup, read_manifest
from include.backup.errors import BackupError
from include.backup.restoring import Restored, restore, settle
from include.storage import StorageError

SHOWN = 20  # paths of each kind that are printed


def main(arguments: Sequence[str], env: Mapping[str, str] = os.environ) -> int:
    """Do what the command line says, for the installation that ``env`` names; return the exit code."""
    given = _parsed(arguments)
    try:
        if given.command == "make":
            return _make(given.folder, Sources.from_environment(env), given.add, given.keep)
        place = newest(given.folder)
        if given.command == "check":
            return _check(place)
        target = Sources.from_environment(env)
        if given.command == "settle":
            return _told(settle(place, target))
        return _told(restore(place, target, storage_stays=given.storage_stays))
    except (BackupError, StorageError) as error:
        print(error, file=sys.stderr)
        return 1


def newest(folder: Path) -> Path:
    """Return the backup itself, or the newest in a folder of backups. Raises BackupError when there is none."""
    if (folder / "manifest.json").exists():
        return folder
    made = backups(folder)
    if not made:
        raise BackupError(f"There is no backup in {folder}.")
    return made[-1]


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m include.backup")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make a backup")
    make.add_argument("--keep", type=_days, help="days of which the newest backup is kept; default: all are kept")
    make.add_argument("--add", type=Path, action="append", default=[], help="a folder or file that belongs to it")
    check = commands.add_parser("check", help="compare every checksum of a backup")
    restoring = commands.add_parser("restore", help="restore into something empty")
    restoring.add_argument("--storage-stays", action="store_true", help="only the databases were lost")
    settling = commands.add_parser("settle", help="do the last step of a restore again")
    for each in (make, check, restoring, settling):
        each.add_argument("folder", type=Path)
    return parser.parse_args(arguments)


def _days(value: str) -> int:
    days = int(value)
    if days < 1:
        raise argparse.ArgumentTypeError("at least one backup is kept")
    return days


def _make(folder: Path, sources: Sources, add: Sequence[Path], keep: int | None) -> int:
    place = make_backup(sources, folder, add=add, keep=keep)
    manifest = read_manifest(place)
    print(f"{place}: {manifest.files} files, {manifest.bytes} bytes, register of {manifest.moment}")
    if manifest.deviations:
        print("Not in storage as the register says, so not in the backup either; older backups are all kept:")
        _listed(manifest.deviations)
    return 1 if manifest.deviations else 0


def _check(place: Path) -> int:
    found = list(faults(place))
    _listed(found)
    print(f"{place} is damaged." if found else f"{place} is whole.")
    return 1 if found else 0


def _told(done: Restored) -> int:
    print(f"Restored as of {done.moment.isoformat()}. All mail is paused.")
    print(f"Mails that waited then and may have gone since: {done.in_doubt}. The mail record is asked about each.")
    for paths, what in ((done.back, "Answers put back into the inbox, the register did not know them"),
                        (done.aside, "Files that came later, set aside; some may have been sent"),
                        (done.off, "Not in storage as the register says")):  # fmt: skip
        if paths:
            print(f"{what}: {len(paths)}")
            _listed(paths)
    print("Go on as docs/operations.md says, “After a restore”; then let mail go on the page Cần người xử lý.")
    return 1 if done.off else 0


def _listed(found: Sequence[str]) -> None:
    for each in found[:SHOWN]:
        print(f"  {each}")
    if len(found) > SHOWN:
        print(f"  and {len(found) - SHOWN} more")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
