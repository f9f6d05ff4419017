"""Numbers as clients write them: ``1.450.000.000``, ``12,5``, ``1,2 tỷ đồng``."""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation

from include.engagement.text import folded

LONGEST = 60
SCALES = {"": 1, "nghin": 10**3, "ngan": 10**3, "trieu": 10**6, "ty": 10**9, "ti": 10**9}
UNITS = re.compile(r"\b(dong|vnd|d|chan)\b")


def figure(value: object) -> Decimal | None:
    """Return the number that a client's answer states, None when it states none.

    In text a point groups thousands when three digits follow each time, a comma starts the decimals; several
    commas group thousands. ``nghìn``, ``triệu`` and ``tỷ`` multiply; ``đồng`` and ``VND`` are read over.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(str(value)) if math.isfinite(value) else None
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    match = re.fullmatch(r"([+-]?)\s*([0-9][0-9.,\s]*?)\s*([^0-9]*)", value.strip())
    if match is None:
        return None
    sign, digits, words = match.groups()
    scale = SCALES.get(UNITS.sub("", folded(words.replace("₫", "đ"))).strip())
    number = _plain(re.sub(r"\s", "", digits))
    if scale is None or number is None:
        return None
    return (-number if sign == "-" else number) * scale


def _plain(digits: str) -> Decimal | None:
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?", digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"[0-9]{1,3}(,[0-9]{3}){2,}(\.[0-9]+)?", digits):
        digits = digits.replace(",", "")
    else:
        digits = digits.replace(",", ".")
    try:
        return Decimal(digits)
    except InvalidOperation:
        return None
