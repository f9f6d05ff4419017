"""``python -m include.personal_data export|erase ADDRESS``: what is kept about a person, handed out or erased.

::

    export ADDRESS --to FILE.zip                          everything kept, as data.json and files
    erase ADDRESS --reason "…" [--asked 2026-12-01]       shows what would be erased and what the law has the firm keep
    erase ADDRESS --reason "…" --confirm 0123456789ab     erases just that

``--also "Nguyễn Thị A"`` names what else stands for the person: another spelling, a number. Works on the installation
that the environment names. What it prints is for whoever answers the request, in Vietnamese. docs/operations.md has the
rules.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from include.casework.office import Office, open_office
from include.casework.personal_data import KEPT_WHY, Holdings, erase, export, find
from include.casework.retention import kept_until
from include.engagement.dates import short_date
from include.engagement.errors import EngagementError
from include.register.models import Erasure
from include.storage import StorageError

WHAT = {"mail": "thư đã gửi", "incoming_mail": "thư đến", "facts": "số liệu đã dùng để lập văn bản nội bộ",
        "inbox": "tệp chưa đọc", "portal": "biên nhận trên cổng khách hàng"}  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit code: 1 when refused, 3 when a confirmation is awaited."""
    given = _parsed(arguments)
    try:
        office = open_office(None)
        if given.command == "export":
            return _export(office, given.address, given.also, given.to)
        found, record = erase(office, given.address, also=given.also, by=given.by, reason=given.reason,
                              asked=given.asked or office.today, confirmed=given.confirm)  # fmt: skip
    except (EngagementError, StorageError) as error:
        print(error, file=sys.stderr)
        return 1
    if record is not None:
        return _erased(found, record)
    return _plan(found, given.confirm)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m include.personal_data")
    commands = parser.add_subparsers(dest="command", required=True)
    exporting = commands.add_parser("export", help="trích xuất mọi dữ liệu về một người")
    exporting.add_argument("--to", type=Path, required=True, help="tệp ZIP sẽ được tạo")
    erasing = commands.add_parser("erase", help="xoá dữ liệu của một người")
    erasing.add_argument("--reason", required=True, help="lý do, được ghi vào sổ")
    erasing.add_argument("--asked", type=date.fromisoformat, help="ngày nhận yêu cầu; để trống: hôm nay")
    erasing.add_argument("--by", default=getpass.getuser(), help="người thực hiện")
    erasing.add_argument("--confirm", help="mã mà lần chạy trước in ra")
    for each in (exporting, erasing):
        each.add_argument("address", help="địa chỉ thư điện tử của người đó")
        each.add_argument("--also", action="append", default=[], help="tên hoặc số khác của người đó")
    return parser.parse_args(arguments)


def _export(office: Office, address: str, also: Sequence[str], target: Path) -> int:
    if target.exists():
        print(f"{target} đã có; xin chọn tên khác.", file=sys.stderr)
        return 1
    with office.sessions() as session:
        found = find(office, session, address, also=also)
        if found.nothing and not found.kept:
            print("Không lưu gì về người này.")
            return 0
        count = export(office, session, found, target)
    print(f"{target}: {len(found.rows)} dòng trong sổ, {count} tệp.")
    return 0


def _plan(found: Holdings, confirmed: str | None) -> int:
    if found.nothing:
        print("Không có gì để xoá: sổ và tệp không nhắc đến người này nữa.")
        return 0
    if confirmed:
        print("Mã xác nhận không đúng, hoặc dữ liệu đã thay đổi từ lúc đó; xin xem lại:")
    print(f"Sẽ xoá (thay bằng {found.person.pseudonym}), không khôi phục được:")
    print(f"  {len(found.rows)} dòng trong sổ, phiếu nháp và bảng nhập")
    files = Counter(WHAT.get(file.what, "giấy tờ khách nộp, văn bản nội bộ") for file in found.files)
    for what, count in sorted(files.items()):
        print(f"  {count} {what}")
    _kept(found)
    print(f"Đồng ý thì chạy lại lệnh này, thêm: --confirm {found.digest}")
    return 3


def _erased(found: Holdings, record: Erasure) -> int:
    asked = short_date(record.asked)
    print(f"Đã xoá, ghi trong sổ dưới số {record.id}, bí danh {record.pseudonym}, yêu cầu ngày {asked}.")
    _kept(found)
    print("Bản sao lưu cũ còn dữ liệu này đến khi hết hạn giữ. Khôi phục từ bản cũ hơn hôm nay thì phải xoá lại.")
    return 0


def _kept(found: Holdings) -> None:
    for engagement in found.engagements:
        count = sum(document.engagement_id == engagement.id for document in found.kept)
        if count:
            until = short_date(kept_until(engagement))
            print(f"Giữ lại {count} văn bản đã gửi hoặc đã ký của {engagement.id} đến {until} ({KEPT_WHY}).")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
