"""What only a folder can get wrong."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.storage import NotStored, StorageError, StorageFull, UnsafePath
from include.storage.local import LocalStorage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_reader_never_sees_a_part_of_a_file(storage: LocalStorage) -> None:
    contents = {bytes([letter]) * 400_000 for letter in b"ab"}
    storage.put("x/file", b"a" * 400_000, media_type="text/plain")
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(storage.get("x/file"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        for content in contents:
            storage.put("x/file", content, media_type="text/plain")
    done.set()
    reader.join()
    assert seen <= contents


def test_a_put_that_fails_leaves_the_old_file_and_no_trace(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("x/file", b"old", media_type="text/plain")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(StorageError):
        storage.put("x/file", b"new", media_type="text/plain")
    assert storage.get("x/file") == b"old"
    assert os.listdir(storage.root / "x") == ["file"]


def test_bytes_reach_the_disk_before_the_name_does(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("sync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("rename"), replace(a, b))[1])
    storage.put("file", b"data", media_type="text/plain")
    assert order == ["sync", "rename", "sync"]


def test_what_a_killed_writer_left_is_not_listed(storage: LocalStorage) -> None:
    storage.put("x/file", b"data", media_type="text/plain")
    (storage.root / "x" / ".put-0123456789abcdef").write_bytes(b"half of")
    assert [each.path for each in storage.list("")] == ["x/file"]


def test_nobody_can_write_under_the_names_of_unfinished_files(storage: LocalStorage) -> None:
    with pytest.raises(UnsafePath):
        storage.put("x/.put-mine", b"", media_type="text/plain")


def test_a_full_disk_is_called_so(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(StorageFull, match="full"):
        storage.check()


def test_a_disk_that_is_really_full_is_called_so() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    storage = LocalStorage("/dev")
    with pytest.raises(StorageFull, match="full"), storage._reported("full"), open("/dev/full", "wb") as full:
        full.write(b"x" * 100_000)


def test_a_folder_without_permission_is_called_so(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", failing(errno.EACCES))
    with pytest.raises(StorageError, match="permission"):
        storage.check()


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StorageError):
        LocalStorage(tmp_path / "store").check()


def test_links_out_of_the_storage_are_neither_listed_nor_followed(storage: LocalStorage, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    storage.put("inbox/own", b"", media_type="text/plain")
    (storage.root / "inbox" / "link").symlink_to(secret / "key")
    (storage.root / "inbox" / "folder").symlink_to(secret)
    assert [each.path for each in storage.list("inbox")] == ["inbox/own"]
    with pytest.raises(StorageError):
        storage.get("inbox/link")
    for act in (
        lambda: storage.get("inbox/folder/key"),
        lambda: storage.put("inbox/folder/new", b"", media_type="text/plain"),
        lambda: storage.move("inbox/folder/key", "taken"),
    ):
        with pytest.raises(UnsafePath):
            act()
    assert os.listdir(secret) == ["key"]


def test_a_pipe_does_not_hold_the_reader_up(storage: LocalStorage) -> None:
    storage.put("inbox/own", b"", media_type="text/plain")
    os.mkfifo(storage.root / "inbox" / "pipe")
    with pytest.raises(NotStored):
        storage.get("inbox/pipe")


def test_a_move_between_file_systems_copies(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put("inbox/a", b"content", media_type="text/plain")
    replace = os.replace

    def across(source: Path, target: Path) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "across")
        replace(source, target)

    monkeypatch.setattr(os, "replace", across)
    storage.move("inbox/a", "engagements/a")
    assert storage.get("engagements/a") == b"content"
    assert [each.path for each in storage.list("")] == ["engagements/a"]


def test_the_age_of_a_file_counts_from_its_last_change(storage: LocalStorage) -> None:
    storage.put("inbox/a", b"", media_type="text/plain")
    file = storage.root / "inbox" / "a"
    os.utime(file, (1_000_000_000, 1_000_000_000))
    assert storage.list("inbox")[0].age_seconds > 100_000_000


def test_a_file_dated_ahead_still_grows_old(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put("inbox/a", b"", media_type="text/plain")
    file = storage.root / "inbox" / "a"
    os.utime(file, (9_000_000_000, 9_000_000_000))
    later = file.stat().st_ctime + 100
    monkeypatch.setattr(time, "time", lambda: later)
    assert storage.list("inbox")[0].age_seconds == pytest.approx(100)


def test_the_address_of_a_file_is_a_link(storage: LocalStorage) -> None:
    assert storage.url("a/Báo giá.docx").startswith("file:///")
    assert storage.url("a/Báo giá.docx").endswith("/store/a/B%C3%A1o%20gi%C3%A1.docx")
