"""What every storage promises."""

from __future__ import annotations

import hashlib
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from include.storage import NotStored, Storage, StorageError, UnsafePath, open_storage

PATH = "engagements/KHV-2026-0042/Báo giá v2.docx"


def put(storage: Storage, path: str, data: bytes = b"data") -> None:
    storage.put(path, data, media_type="application/octet-stream")


def test_what_is_put_is_got_back_whole(storage: Storage) -> None:
    put(storage, PATH, b"\x00\xff" * 70_000)
    assert storage.get(PATH) == b"\x00\xff" * 70_000


def test_an_empty_file_is_a_file(storage: Storage) -> None:
    put(storage, PATH, b"")
    assert storage.exists(PATH)
    assert storage.get(PATH) == b""


def test_a_second_put_replaces_the_first_and_changes_the_etag(storage: Storage) -> None:
    put(storage, PATH, b"first")
    before = storage.list("engagements")
    put(storage, PATH, b"other")
    after = storage.list("engagements")
    assert storage.get(PATH) == b"other"
    assert [each.path for each in after] == [PATH]
    assert before[0].etag != after[0].etag


def test_an_unchanged_file_keeps_its_etag(storage: Storage) -> None:
    put(storage, PATH)
    assert storage.list("")[0].etag == storage.list("")[0].etag


def test_listing_is_recursive_ordered_and_relative_to_the_storage(storage: Storage) -> None:
    for path in ("inbox/b/2.pdf", "inbox/a/1.pdf", "inbox/a/deep/er/0.pdf", "engagements/x.pdf"):
        put(storage, path, b"12345")
    found = storage.list("inbox")
    assert [each.path for each in found] == ["inbox/a/1.pdf", "inbox/a/deep/er/0.pdf", "inbox/b/2.pdf"]
    assert {each.size for each in found} == {5}
    assert all(0 <= each.age_seconds < 600 for each in found)


def test_listing_a_folder_leaves_out_names_that_only_begin_alike(storage: Storage) -> None:
    put(storage, "inbox/KHV-2026-0001/quote/reply.json")
    put(storage, "inbox/KHV-2026-0001/quote-2/reply.json")
    for folder in ("inbox/KHV-2026-0001/quote", "inbox/KHV-2026-0001/quote/"):
        assert [each.path for each in storage.list(folder)] == ["inbox/KHV-2026-0001/quote/reply.json"]


def test_more_files_than_fit_on_a_page_are_all_listed(storage: Storage) -> None:
    for number in range(1001):
        put(storage, f"many/{number:04}", b"")
    assert len(storage.list("many")) == 1001


def test_a_folder_that_is_not_there_holds_nothing(storage: Storage) -> None:
    assert storage.list("inbox") == []


def test_reading_what_is_not_there_says_so(storage: Storage) -> None:
    assert not storage.exists(PATH)
    for read in (storage.get, storage.sha256, storage.open):
        with pytest.raises(NotStored, match="Báo giá"):
            read(PATH)


def test_a_folder_is_not_a_file(storage: Storage) -> None:
    put(storage, PATH)
    assert not storage.exists("engagements/KHV-2026-0042")


def test_a_file_moves(storage: Storage) -> None:
    put(storage, "inbox/a.pdf", b"content")
    storage.move("inbox/a.pdf", PATH)
    assert storage.get(PATH) == b"content"
    assert not storage.exists("inbox/a.pdf")


def test_moving_again_is_success(storage: Storage) -> None:
    put(storage, "inbox/a.pdf", b"content")
    storage.move("inbox/a.pdf", PATH)
    storage.move("inbox/a.pdf", PATH)
    assert storage.get(PATH) == b"content"


def test_a_move_that_was_interrupted_is_finished_by_the_next(storage: Storage) -> None:
    put(storage, "inbox/a.pdf", b"content")
    put(storage, PATH, b"content")
    storage.move("inbox/a.pdf", PATH)
    assert [each.path for each in storage.list("")] == [PATH]


def test_moving_a_file_onto_itself_keeps_it(storage: Storage) -> None:
    put(storage, PATH, b"content")
    storage.move(PATH, PATH)
    assert storage.get(PATH) == b"content"


def test_moving_what_was_never_there_says_so(storage: Storage) -> None:
    with pytest.raises(NotStored, match=r"a\.pdf"):
        storage.move("inbox/a.pdf", PATH)


def test_deleting_twice_is_success(storage: Storage) -> None:
    put(storage, PATH)
    storage.delete(PATH)
    storage.delete(PATH)
    assert not storage.exists(PATH)


def test_the_hash_is_that_of_the_content(storage: Storage) -> None:
    data = b"x" * 3_000_001
    put(storage, PATH, data)
    assert storage.sha256(PATH) == hashlib.sha256(data).hexdigest()


def test_an_opened_file_can_be_read_as_an_archive(storage: Storage) -> None:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        writing.writestr("mục lục.txt", "nội dung")
    put(storage, PATH, archive.getvalue())
    with storage.open(PATH) as file, zipfile.ZipFile(file) as reading:
        assert reading.read("mục lục.txt").decode() == "nội dung"


def test_the_check_leaves_nothing_behind(storage: Storage) -> None:
    storage.check()
    assert storage.list("") == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "a/./b", "a\0b", "a/"])
def test_no_path_leaves_the_storage(storage: Storage, path: str) -> None:
    for use in (storage.get, storage.exists, storage.delete, storage.sha256, storage.open, storage.url):
        with pytest.raises(UnsafePath):
            use(path)
    put(storage, "here")
    for act in (lambda: put(storage, path), lambda: storage.move("here", path), lambda: storage.move(path, "there")):
        with pytest.raises(UnsafePath):
            act()


def test_a_name_written_on_a_mac_can_be_read_and_moved(storage: Storage) -> None:
    decomposed = "inbox/Ba\u0301o ca\u0301o.pdf"
    with pytest.raises(UnsafePath, match="NFC"):
        put(storage, decomposed)
    put(storage, "inbox/x", b"content")
    _put_as_an_outsider(storage, decomposed, b"content")
    assert decomposed in [each.path for each in storage.list("inbox")]
    storage.move(decomposed, "engagements/Báo cáo.pdf")
    assert storage.get("engagements/Báo cáo.pdf") == b"content"


def _put_as_an_outsider(storage: Storage, path: str, data: bytes) -> None:
    from include.storage.local import LocalStorage
    from include.storage.s3 import S3Storage

    if isinstance(storage, LocalStorage):
        (storage.root / path).write_bytes(data)
    else:
        assert isinstance(storage, S3Storage)
        storage._client.put_object(Bucket=storage.bucket, Key=storage.prefix + path, Body=data)


@pytest.mark.parametrize("url", ["", "/folder", "file://host/folder", "ftp://x/y", "s3:///x", "s3://b/p?endpiont=x"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(StorageError):
        open_storage(url)


def test_a_file_of_this_machine_is_put_whole_and_replaces_the_former(storage: Storage, tmp_path: Path) -> None:
    storage.put("a/tệp.pdf", b"old", media_type="application/pdf")
    source = tmp_path / "source-of-put"
    source.write_bytes(b"new" * 700_000)
    storage.put_file("a/tệp.pdf", source, media_type="application/pdf")
    assert storage.get("a/tệp.pdf") == b"new" * 700_000
    assert [entry.path for entry in storage.list("a")] == ["a/tệp.pdf"]


def test_an_address_for_uploads_is_signed_for_just_these_bytes(storage: Storage) -> None:
    address = storage.upload("inbox/x/a.pdf.part", size=5, sha256=hashlib.sha256(b"hello").hexdigest(),
                             media_type="application/octet-stream", seconds=60)  # fmt: skip
    if address is None:
        assert storage.url("x").startswith("file:")  # nobody reaches a folder from outside
        return
    signed = parse_qs(urlsplit(address.url).query)
    assert set(signed["X-Amz-SignedHeaders"][0].split(";")) >= {"content-length", "content-type", "host",
                                                                "x-amz-checksum-sha256"}  # fmt: skip
    assert signed["X-Amz-Expires"] == ["60"]
    assert httpx.put(address.url, content=b"hello", headers=address.headers).status_code == 200
    assert storage.get("inbox/x/a.pdf.part") == b"hello"
