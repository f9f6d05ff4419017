"""What a Word document was made from, kept so that it can be made again: its template and its facts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from include.documents.picture import Picture
from include.documents.render import render, template_sha256
from include.engagement.errors import NotReproducible
from include.engagement.process import Language
from include.storage import Storage
from include.storage.base import NotStored

FACTS_MEDIA_TYPE = "application/json"


def template_version_path(key: str, language: Language, sha256: str) -> str:
    """Return where a version of a Word template is kept; versions are never deleted."""
    return f"templates/{key}.{language}/{sha256}.docx"


def facts_path(engagement_id: str, key: str, version: int) -> str:
    """Return where the facts are kept that a version of a document was made from."""
    return f"engagements/{engagement_id}/facts/{key}-v{version}.json"


def keep_template(storage: Storage, key: str, language: Language, template: bytes) -> None:
    """Keep a version of a Word template."""
    from include.documents.word import MEDIA_TYPE

    path = template_version_path(key, language, template_sha256(template))
    if not storage.exists(path):
        storage.put(path, template, media_type=MEDIA_TYPE)


def keep(
    storage: Storage,
    *,
    engagement_id: str,
    key: str,
    version: int,
    language: Language,
    template: bytes | None,
    facts: Mapping[str, Any],
) -> None:
    """Keep what version ``version`` of a document is made from. ``template`` is None for a workbook."""
    if template is not None:
        keep_template(storage, key, language, template)
    storage.put(facts_path(engagement_id, key, version), pack(facts), media_type=FACTS_MEDIA_TYPE)


def made_again(
    storage: Storage, *, engagement_id: str, key: str, version: int, language: Language, sha256: str
) -> bytes:
    """Return the Word document as it was made, from the template of that time (``sha256``) and its facts.

    Raises NotReproducible (Vietnamese) when template or facts are not kept.
    """
    try:
        template = storage.get(template_version_path(key, language, sha256))
        facts = unpack(storage.get(facts_path(engagement_id, key, version)))
    except NotStored:
        raise NotReproducible(
            f"Không còn mẫu hoặc dữ liệu gốc của {key} bản {version}, hồ sơ {engagement_id}: "
            "hãy dùng tệp đã lưu trong thư mục hồ sơ."
        ) from None
    return render(key, language=language, facts=facts, template=template).data


def pack(facts: Mapping[str, Any]) -> bytes:
    """Return facts as JSON that ``unpack`` reads back: dates, decimals and pictures keep their kind."""
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, default=_tagged).encode()


def unpack(data: bytes) -> dict[str, Any]:
    """Return the facts that ``pack`` wrote."""
    facts: dict[str, Any] = json.loads(data, object_hook=_untagged)
    return facts


def _tagged(value: object) -> dict[str, Any]:
    if isinstance(value, datetime):
        return {"$instant": value.isoformat()}
    if isinstance(value, date):
        return {"$day": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, Picture):
        return {"$picture": [base64.b64encode(value.data).decode(), value.alt, value.width_mm]}
    raise TypeError(f"a document's fact cannot be kept: {type(value).__name__}")


def _untagged(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    ((tag, inner),) = value.items()
    if tag == "$instant":
        return datetime.fromisoformat(inner)
    if tag == "$day":
        return date.fromisoformat(inner)
    if tag == "$decimal":
        return Decimal(inner)
    if tag == "$picture":
        data, alt, width_mm = inner
        return Picture(base64.b64decode(data), alt, width_mm)
    return value
