"""The reply mailbox on one machine: what the mail catcher took for the firm."""

from __future__ import annotations

from pathlib import Path

from include.mail.catcher_mailbox import CatcherMailbox
from local.mail_catcher import MailFolder

MESSAGE = b"Message-ID: <%d@banmesom.example>\r\n\r\nxin chao\r\n"


def test_only_what_was_sent_to_the_firm_waits_until_it_is_put_away(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path)
    to = ["hoso+KHV-2026-0001.quote@kehoachviet.example", "HoSo@KeHoachViet.example", "ketoan@banmesom.example",
          "hoso@elsewhere.example", "hosong@kehoachviet.example"]  # fmt: skip
    for number, address in enumerate(to, 1):
        folder.add(MESSAGE % number, sender="ketoan@banmesom.example", recipients=[address])
    box = CatcherMailbox(tmp_path, "hoso@kehoachviet.example")
    assert [(each.uid, each.size) for each in box.waiting()] == [(1, len(MESSAGE) - 1), (2, len(MESSAGE) - 1)]
    assert box.fetch(1) == MESSAGE % 1 and box.fetch(99) is None
    box.archive(1)
    box.archive(1)
    box.archive(99)
    assert [each.uid for each in box.waiting()] == [2] and len(folder.names()) == len(to)


def test_a_message_whose_envelope_is_not_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "000001-x.eml").write_bytes(MESSAGE % 1)
    assert CatcherMailbox(tmp_path, "hoso@kehoachviet.example").waiting() == []
