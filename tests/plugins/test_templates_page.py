"""The templates' pages: what is there, what it uses, what came of it, how it looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.documents import render
from include.engagement import process
from plugins.operations import templates
from tests.plugins.conftest import Staff


def test_every_word_template_and_every_mail_is_listed(staff: Staff) -> None:
    page = staff.see("/templates")
    for key, now in templates._word_templates():
        assert f"/templates/papers/{key}/{now}" in page
    for key in process.MAILS:
        assert f"/templates/mails/{key}/vi" in page
    assert "không sửa tại đây" in page


def test_a_template_tells_its_fields_and_the_versions_that_documents_were_made_from(staff: Staff) -> None:
    staff.firm.open()
    page = staff.see("/templates/papers/intake_record/vi")
    assert "<code>client.name</code>" in page
    assert "hiện hành" in page
    sha256 = render.template_sha256(render.template_path("intake_record", "vi").read_bytes())
    assert f"<code>{sha256[:8]}</code>" in page
    assert '<td class="number">1</td>' in page


def test_what_is_wrong_with_a_template_is_said(staff: Staff, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "contract.vi.docx").write_bytes(b"no document")
    monkeypatch.setattr(render, "TEMPLATES", tmp_path)
    assert "không phải là văn bản Word" in staff.see("/templates/papers/contract/vi")


def test_a_mail_template_is_shown_as_it_is_written(staff: Staff) -> None:
    page = staff.see("/templates/mails/welcome/vi")
    assert "Subject:" in page
    assert "{{ " in page


@pytest.mark.parametrize("path", ["papers/contract/fr", "papers/questionnaire/vi", "papers/..%2f/vi", "mails/none/vi",
                                  "mails/digest/en", "papers/none/vi/preview"])  # fmt: skip
def test_what_is_no_template_is_not_there(staff: Staff, path: str) -> None:
    staff.see(f"/templates/{path}", 404)


@pytest.mark.office
def test_a_template_is_seen_with_sample_facts_as_a_pdf(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "")
    from include.documents.libreoffice import find_libreoffice

    if find_libreoffice() is None and not os.environ.get("CI"):
        pytest.skip("NO LIBREOFFICE, NO PREVIEW WAS MADE")
    shown = staff.http.get("/templates/papers/contract/vi/preview")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "application/pdf")
    assert shown.content.startswith(b"%PDF")
    assert "sandbox" in shown.headers["content-security-policy"]
