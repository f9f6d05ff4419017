"""The mail record: a folder, a relay's log as real Postfix and Exim wrote it, several of them and their addresses."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from include.mail.imap import ImapServer
from include.mail.record import FolderRecord, ImapRecord, LogRecord, Records, record_at, records_from
from include.mail.transport import TransientMailError

DATA = b"From: a@b.vn\r\nTo: c@d.vn\r\nMessage-ID: <1@b.vn>\r\n\r\nXin chao\r\n"
SINCE = datetime(2024, 11, 26, 11, 31, tzinfo=timezone.utc)


def has(record: FolderRecord | LogRecord, message_id: str = "<1@b.vn>", *, since: datetime = SINCE) -> bool:
    return record.contains(message_id, since=since)


# --- a folder -------------------------------------------------------------------------------------------


def test_the_record_knows_what_lies_in_its_folder(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    assert not has(record)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "7.eml").write_bytes(DATA)
    assert has(record)
    assert not has(record, "<1@b.v>")


def test_a_message_id_in_the_body_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(b"Subject: x\r\n\r\nMessage-ID: <1@b.vn>\r\n")
    assert not has(FolderRecord(tmp_path))


def test_a_folded_message_id_is_found(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(b"message-id:\r\n <1@b.vn>\r\n\r\n")
    assert has(FolderRecord(tmp_path))


def test_a_file_still_being_written_is_read_again(tmp_path: Path) -> None:
    record = FolderRecord(tmp_path)
    (tmp_path / "1.eml").write_bytes(DATA[:20])
    assert not has(record)
    (tmp_path / "1.eml").write_bytes(DATA)
    assert has(record)


def test_a_record_that_is_not_there_does_not_say_no(tmp_path: Path) -> None:
    with pytest.raises(TransientMailError):
        has(FolderRecord(tmp_path / "gone"))


# --- a log ----------------------------------------------------------------------------------------------

# Postfix 3.7.11 and Exim 4.96 of Debian 12 wrote these, about eight conversations of one client each: a mail taken; one
# put on hold by a rule; one refused after the header; one with a Message-ID in its subject; one whose client was gone
# before the last dot; one whose client was gone right after it; and text of a stranger's in HELO and MAIL.
POSTFIX = """\
Nov 26 11:31:40 mx postfix/smtpd[23664]: connect from localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/smtpd[23664]: 28F342145EA: client=localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/cleanup[23667]: 28F342145EA: message-id=<11111111@firm.example>
Nov 26 11:31:40 mx postfix/qmgr[23584]: 28F342145EA: from=<hoso@firm.example>, size=301, nrcpt=1 (queue active)
Nov 26 11:31:40 mx postfix/smtpd[23664]: disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5
Nov 26 11:31:40 mx postfix/smtpd[23664]: connect from localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/smtpd[23664]: 82FA7214032: client=localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/discard[23673]: 28F342145EA: to=<khach@d.example>, relay=none, delay=0.42, delays=0.38/0.04/0/0, dsn=2.0.0, status=sent (d.example)
Nov 26 11:31:40 mx postfix/qmgr[23584]: 28F342145EA: removed
Nov 26 11:31:40 mx postfix/cleanup[23667]: 82FA7214032: hold: header Subject: hold it from localhost[127.0.0.1]; from=<hoso@firm.example> to=<khach@d.example> proto=ESMTP helo=<[127.0.0.1]>
Nov 26 11:31:40 mx postfix/cleanup[23667]: 82FA7214032: message-id=<22222222@firm.example>
Nov 26 11:31:40 mx postfix/smtpd[23664]: 92BCD214034: client=localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/cleanup[23667]: 92BCD214034: reject: header Subject: reject it from localhost[127.0.0.1]; from=<hoso@firm.example> to=<khach@d.example> proto=ESMTP helo=<[127.0.0.1]>: 5.7.1 no thanks
Nov 26 11:31:40 mx postfix/smtpd[23676]: A035F214034: client=localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/cleanup[23667]: A035F214034: warning: header Subject: warn message-id=<77777777@firm.example> from localhost[127.0.0.1]; from=<hoso@firm.example> to=<khach@d.example> proto=ESMTP helo=<[127.0.0.1]>
Nov 26 11:31:40 mx postfix/cleanup[23667]: A035F214034: message-id=<44444444@firm.example>
Nov 26 11:31:40 mx postfix/qmgr[23584]: A035F214034: from=<hoso@firm.example>, size=333, nrcpt=1 (queue active)
Nov 26 11:31:40 mx postfix/discard[23673]: A035F214034: to=<khach@d.example>, relay=none, delay=0.05, delays=0.05/0/0/0, dsn=2.0.0, status=sent (d.example)
Nov 26 11:31:40 mx postfix/qmgr[23584]: A035F214034: removed
Nov 26 11:31:40 mx postfix/smtpd[23664]: AE745214034: client=localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/smtpd[23664]: lost connection after DATA (55 bytes) from localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/cleanup[23667]: AE745214034: message-id=<55555555@firm.example>
Nov 26 11:31:40 mx postfix/smtpd[23676]: B1F18214034: client=localhost[127.0.0.1]
Nov 26 11:31:40 mx postfix/cleanup[23667]: B1F18214034: message-id=<66666666@firm.example>
Nov 26 11:31:40 mx postfix/qmgr[23584]: B1F18214034: from=<hoso@firm.example>, size=297, nrcpt=1 (queue active)
"""  # noqa: E501
EXIM = """\
2026-11-26 11:32:14 exim 4.96 daemon started: pid=24411, no queue runs, listening for SMTP on [127.0.0.1]:28027
2026-11-26 11:32:17 1xWXi5-0006N4-0J <= hoso@firm.example H=([127.0.0.1]) [127.0.0.1] P=esmtp S=238 id=11111111@firm.example
2026-11-26 11:32:17 1xWXi5-0006NC-2A H=([127.0.0.1]) [127.0.0.1] F=<hoso@firm.example> rejected after DATA
2026-11-26 11:32:17 1xWXi5-0006NL-31 <= hoso@firm.example H=([127.0.0.1]) [127.0.0.1] P=esmtp S=270 id=44444444@firm.example
2026-11-26 11:32:18 SMTP connection from ([127.0.0.1]) [127.0.0.1] lost while reading message data
2026-11-26 11:32:18 1xWXi6-0006NT-0m SMTP connection lost after final dot H=([127.0.0.1]) [127.0.0.1] P=esmtp
2026-11-26 11:32:18 rejected HELO from [127.0.0.1]: syntactically invalid argument(s): message-id=<forged2@firm.example>
"""  # noqa: E501
# With log_selector = +all.
EXIM_ALL = """\
2026-11-26 11:32:24.013 [24690] 1xWXiB-0006QE-35 <= hoso@firm.example H=([127.0.0.1]) [127.0.0.1]:52290 I=[127.0.0.1]:28027 P=esmtp L.- S=283 M8S=0 RT=0.047s id=44444444@firm.example T="warn S=1 id=77777777@firm.example" from <hoso@firm.example> for khach@d.example
"""  # noqa: E501
# Debian's OpenSMTPD 6.8.
OPENSMTPD = """\
8dda7a36849254f5 smtp connected address=127.0.0.1 host=localhost
8dda7a36849254f5 smtp message msgid=abed932f size=246 nrcpt=2 proto=ESMTP
8dda7a36849254f5 smtp envelope evpid=abed932ff0de9992 from=<a@x.example> to=<archive@firm.example>
"""


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., LogRecord]:
    """Writes a relay's log; by default one that begins with the line of a mail of long ago."""

    def write(*texts: str, early: str = "2024-11-01T00:00:00+00:00 mx postfix/smtpd[1]: connect from x\n") -> LogRecord:
        (tmp_path / "mail.log").write_text(early + "".join(texts), encoding="utf-8")
        return LogRecord(tmp_path / "mail.log")

    return write


def rfc3339(text: str) -> str:
    """Postfix's lines as Debian 12's rsyslog writes them."""
    return text.replace("Nov 26 11:31:40", "2024-11-26T18:31:40.123456+07:00")


@pytest.mark.parametrize("text", [POSTFIX, rfc3339(POSTFIX)])
@pytest.mark.parametrize(("number", "taken"), [(1, True), (3, False), (4, True), (5, False), (6, True), (7, False)])
def test_postfix_took_what_its_queue_manager_has(
    log: Callable[..., LogRecord], text: str, number: int, taken: bool
) -> None:
    assert has(log(text), f"<{str(number) * 8}@firm.example>") is taken


def test_a_mail_that_postfix_holds_is_for_nobody_to_judge_until_it_is_released(log: Callable[..., LogRecord]) -> None:
    with pytest.raises(TransientMailError, match="on hold"):
        has(log(POSTFIX), "<22222222@firm.example>")
    released = "Nov 26 12:00:00 mx postfix/qmgr[9]: 82FA7214032: from=<h@f.example>, size=9, nrcpt=1 (queue active)\n"
    assert has(log(POSTFIX, released), "<22222222@firm.example>")


def test_a_queue_id_that_postfix_gives_again_is_another_mail(log: Callable[..., LogRecord]) -> None:
    again = (
        "Nov 26 11:40:00 mx postfix/cleanup[1]: AE745214034: message-id=<other@x.example>\n"
        "Nov 26 11:40:00 mx postfix/qmgr[2]: AE745214034: from=<x@x.example>, size=297, nrcpt=1 (queue active)\n"
    )
    assert not has(log(POSTFIX, again), "<55555555@firm.example>")


@pytest.mark.parametrize("text", [
    "Nov 26 11:31:40 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x: 550 no; helo=<Q: message-id={id}>\n",
    "Nov 26 11:31:40 mx postfix/cleanup[1]: AAAAAAAAAA: warning: header Subject: BBBBBBBBBB: message-id={id}\n",
    "Nov 26 11:31:40 mx postfix/cleanup[1]: AAAAAAAAAA: message-id=<x@y.example> {id}\n",
    "Nov 26 11:31:40 mx evil[1]: Nov 26 11:31:40 mx postfix/cleanup[1]: AAAAAAAAAA: message-id={id}\n",
    "2026-11-26 11:32:17 1xWXi5-0006N4-0J <= \"a S=1 id=1@b.vn \"@x.example H=x P=esmtp S=2 id=other@x.example\n",
    "2026-11-26 11:32:17 1xWXi5-0006N4-0J <= a@x.example H=x P=esmtp S=2 id=o@x.example T=\"S=1 id=1@b.vn \"\n",
    "2026-11-26 11:32:17 1xWXi5-0006N4-0J => a@x.example S=2 id=1@b.vn\n",
])  # fmt: skip
def test_text_of_a_strangers_in_the_log_is_no_record(log: Callable[..., LogRecord], text: str) -> None:
    queued = "".join(f"Nov 26 11:31:41 mx postfix/qmgr[2]: {each * 10}: from=<a@b>, size=9, nrcpt=1 (queue active)\n"
                     for each in "AB")  # fmt: skip
    assert not has(log(POSTFIX, text.replace("{id}", "<1@b.vn>"), queued))


@pytest.mark.parametrize("text", [EXIM, EXIM_ALL])
def test_exim_took_what_it_says_it_received(log: Callable[..., LogRecord], text: str) -> None:
    record = log(text)
    assert has(record, "<44444444@firm.example>")
    assert not has(record, "<77777777@firm.example>")
    assert not has(record, "<66666666@firm.example>")
    assert not has(record, "<444444.4@firm.example>")


def test_a_message_id_is_no_pattern(log: Callable[..., LogRecord]) -> None:
    assert not has(log(POSTFIX, EXIM), "<.*@firm.example>")


def test_a_log_without_message_ids_does_not_say_no(log: Callable[..., LogRecord]) -> None:
    with pytest.raises(TransientMailError, match="no line of Postfix's or Exim's"):
        has(log(OPENSMTPD, early="2024-11-01 00:00:00 hello\n"))


def test_a_log_that_is_not_there_does_not_say_no(tmp_path: Path) -> None:
    with pytest.raises(TransientMailError, match="cannot be read"):
        has(LogRecord(tmp_path / "mail.log"))


@pytest.mark.parametrize("name", ["mail.log.1", "mail.log.2.gz", "mail.log-20261129", "mail.log-20261129.gz"])
def test_what_was_rotated_away_is_still_the_record(
    log: Callable[..., LogRecord], tmp_path: Path, name: str
) -> None:
    record = log(early="")
    data = ("2024-11-01T00:00:00Z mx x[1]: began\n" + POSTFIX).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert has(record, "<11111111@firm.example>")
    assert not has(record)


def test_a_mail_whose_lines_lie_on_both_sides_of_a_rotation_is_found(
    log: Callable[..., LogRecord], tmp_path: Path
) -> None:
    first, queued, rest = POSTFIX.partition("Nov 26 11:31:40 mx postfix/qmgr[23584]: 28F342145EA: from")
    record = log(queued + rest, early="")
    (tmp_path / "mail.log.1").write_text(first, encoding="utf-8")
    assert has(record, "<11111111@firm.example>")


def test_neighbours_that_are_no_part_of_the_log_are_not_read(log: Callable[..., LogRecord], tmp_path: Path) -> None:
    record = log(rfc3339(POSTFIX))
    for name in ("mail.log.bak", "xmail.log.1", "mail.log.1.txt"):
        (tmp_path / name).write_text(POSTFIX.replace("11111111", "1"), encoding="utf-8")
    assert not has(record, "<1@firm.example>")


def test_a_log_that_begins_after_the_mail_does_not_say_no(log: Callable[..., LogRecord], tmp_path: Path) -> None:
    record = log(rfc3339(POSTFIX), early="")
    with pytest.raises(TransientMailError, match="begins after"):
        has(record, since=datetime(2024, 11, 26, 11, 31, 39, tzinfo=timezone.utc))
    assert not has(record, since=datetime(2024, 11, 26, 11, 31, 41, tzinfo=timezone.utc))
    old = tmp_path / "mail.log.1"
    old.write_text("whatever\n", encoding="utf-8")
    os.utime(old, (0, SINCE.timestamp() - 60))
    assert not has(record, since=SINCE)


def test_a_log_that_names_no_year_began_in_the_year_before_its_last_line(
    log: Callable[..., LogRecord], tmp_path: Path
) -> None:
    record = log("Nov 26 11:31:40 mx postfix/smtpd[1]: 28F342145EA: client=x\n", early="")
    written = datetime(2027, 1, 3, tzinfo=timezone.utc)
    os.utime(tmp_path / "mail.log", (0, written.timestamp()))
    assert not has(record, since=datetime(2026, 12, 1, tzinfo=timezone.utc))
    with pytest.raises(TransientMailError, match="begins after"):
        has(record, since=datetime(2026, 11, 20, tzinfo=timezone.utc))


def test_a_cut_off_archive_does_not_say_no(log: Callable[..., LogRecord], tmp_path: Path) -> None:
    record = log(rfc3339(POSTFIX))
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(POSTFIX.encode())[:-20])
    with pytest.raises(TransientMailError, match="cannot be read"):
        has(record)


# --- several, and their addresses -----------------------------------------------------------------------


class Fixed:
    """A record that says one thing; None: it cannot tell."""

    def __init__(self, says: bool | None, minutes: int = 0) -> None:
        self.says, self.patience = says, timedelta(minutes=minutes)

    def contains(self, message_id: str, *, since: datetime) -> bool:
        if self.says is None:
            raise TransientMailError("away")
        return self.says


@pytest.mark.parametrize(("says", "together"), [
    ((False, True), True), ((None, True), True), ((False, False), False), ((None, False), None), ((False, None), None),
])  # fmt: skip
def test_of_several_records_one_yes_is_enough_and_a_no_takes_all(
    says: tuple[bool | None, ...], together: bool | None
) -> None:
    records = Records([Fixed(each) for each in says])
    if together is None:
        with pytest.raises(TransientMailError, match="away"):
            records.contains("<1@b.vn>", since=SINCE)
    else:
        assert records.contains("<1@b.vn>", since=SINCE) is together


def test_several_records_are_as_patient_as_the_slowest() -> None:
    assert Records([Fixed(True, 1), Fixed(True, 15), Fixed(True, 2)]).patience == timedelta(minutes=15)


def no_server(conn_id: str) -> ImapServer:
    raise TransientMailError(f"asked for {conn_id}")


def test_records_are_named_by_their_addresses_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "thư đi, lưu"
    folder.mkdir()
    (folder / "1.eml").write_bytes(DATA)
    here = folder.as_uri().replace(",", "%2C")
    listed = f" imap://Archive_imap/Th%C6%B0%2C%20%C4%91i?seconds=900 , log:///var/log/mail.log,{here}"
    found = records_from(listed, no_server)
    assert isinstance(found, Records)
    assert [type(record) for record in found.records] == [ImapRecord, LogRecord, FolderRecord]
    assert found.patience == timedelta(minutes=15)
    assert found.records[2].contains("<1@b.vn>", since=SINCE)
    with pytest.raises(TransientMailError, match=r"Thư, đi cannot be asked: asked for Archive_imap"):
        found.records[0].contains("<1@b.vn>", since=SINCE)
    assert records_from(None, no_server) is None
    assert records_from(" , ", no_server) is None


def test_a_records_patience_can_be_set() -> None:
    assert record_at("log:///var/log/mail.log?seconds=120", no_server).patience == timedelta(minutes=2)


@pytest.mark.parametrize("address", [
    "imap://archive_imap", "imap://archive_imap/", "imap:///Sent", "imap://u:p@host/Sent", "http://x/y", "/mail.log",
    "log://host/var/mail.log", "file://host/folder", "log:///x?seconds=-1", "log:///x?seconds=a", "log:///x?minutes=1",
    "log:///x?seconds=1&seconds=2", "log:///x?seconds=1&x=2", "file:///x#y",
])  # fmt: skip
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="must list imap://connection/folder, log:///file or file:///folder"):
        record_at(address, no_server)


def test_a_server_that_does_not_answer_is_left_alone_for_a_while() -> None:
    asked: list[str] = []

    def away() -> ImapServer:
        asked.append("once")
        raise TransientMailError("away")

    record = ImapRecord(away, "Archive")
    for _ in range(3):
        with pytest.raises(TransientMailError):
            record.contains("<1@b.vn>", since=SINCE)
    assert asked == ["once"]
