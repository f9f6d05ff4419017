"""The templates' pages: what is there, what it uses, what came of it, how it looks, and another put into use."""

from __future__ import annotations

import io
import os
import re
from functools import cache
from pathlib import Path

import httpx
import pytest
from docx import Document as WordDocument
from sqlalchemy import select

from include.casework import template_editions
from include.documents import render
from include.engagement import process
from include.register.models import Document, TemplateEdition
from plugins.operations import templates
from tests.plugins.conftest import Staff

PAGE = "/templates/papers/contract/vi"
KEPT = "Điều khoản này do quản trị viên thêm."


def own() -> bytes:
    return render.template_path("contract", "vi").read_bytes()


def own_sha256() -> str:
    return render.template_sha256(own())


@cache  # a file that Word saves again is another version
def edited(words: str = KEPT) -> bytes:
    word = WordDocument(io.BytesIO(own()))
    word.add_paragraph(words)
    out = io.BytesIO()
    word.save(out)
    return out.getvalue()


def send(staff: Staff, data: bytes, path: str = PAGE) -> httpx.Response:
    return staff.http.post(path, data={"form_token": staff.token()}, files={"template": ("hop-dong.docx", data)},
                           follow_redirects=False)  # fmt: skip


def editions(staff: Staff) -> list[tuple[str | None, str, str]]:
    with staff.firm.office().sessions() as session:
        rows = session.scalars(select(TemplateEdition).order_by(TemplateEdition.id))
        return [(row.sha256, row.by, row.note) for row in rows]


@pytest.fixture
def admin(staff: Staff) -> Staff:
    staff.login.role, staff.login.name = "admin", "quan-tri"
    return staff


def test_every_word_template_and_every_mail_is_listed(staff: Staff) -> None:
    page = staff.see("/templates")
    for key, now in templates._word_templates():
        assert f"/templates/papers/{key}/{now}" in page
    for key in process.MAILS:
        assert f"/templates/mails/{key}/vi" in page


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
                                  "mails/digest/en", "papers/contract/vi/versions/" + "0" * 64,
                                  "papers/contract/vi/versions/..%2f..%2ffirm.yaml/file"])  # fmt: skip
def test_what_is_no_template_is_not_there(staff: Staff, path: str) -> None:
    staff.see(f"/templates/{path}", 404)


@pytest.mark.office
def test_a_template_is_seen_with_sample_facts_as_a_pdf(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_LIBREOFFICE", "")
    from include.documents.libreoffice import find_libreoffice

    if find_libreoffice() is None and not os.environ.get("CI"):
        pytest.skip("NO LIBREOFFICE, NO PREVIEW WAS MADE")
    shown = staff.http.get(f"{PAGE}/versions/{own_sha256()}/preview")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "application/pdf")
    assert shown.content.startswith(b"%PDF")
    assert "sandbox" in shown.headers["content-security-policy"]


def test_an_administrator_puts_a_template_into_use_that_word_has_edited(admin: Staff) -> None:
    template = edited()
    sha256 = render.template_sha256(template)
    sent = send(admin, template)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{PAGE}/versions/{sha256}")
    assert editions(admin) == [], "sent is not in use yet"
    page = admin.see(f"{PAGE}/versions/{sha256}")
    assert "cùng các trường" in page

    admin.do(f"{PAGE}/versions/{sha256}", instead_of=own_sha256(), note="  theo ý luật sư ")
    admin.do(f"{PAGE}/versions/{sha256}", instead_of=own_sha256())  # clicked twice
    assert editions(admin) == [(sha256, "quan-tri", "theo ý luật sư")]
    page = admin.see(f"{PAGE}?done=used")
    assert "theo ý luật sư" in page and "đang được dùng" in page
    assert admin.http.get(f"{PAGE}/versions/{sha256}/file").content == template

    admin.firm.open().inform().decide().contract()
    with admin.firm.case() as case:
        made = case.session.scalars(select(Document).where(Document.key == "contract")).one()
        assert made.template_sha256 == sha256
        word = WordDocument(io.BytesIO(case.office.storage.get(made.path)))
        assert word.paragraphs[-1].text == KEPT
        assert case.made_again(made) == case.office.storage.get(made.path)


def test_back_to_the_deployments_file_is_an_edition_that_names_none(admin: Staff) -> None:
    sha256 = render.template_sha256(edited())
    send(admin, edited())
    admin.do(f"{PAGE}/versions/{sha256}", instead_of=own_sha256())
    admin.do(f"{PAGE}/versions/{own_sha256()}", instead_of=sha256)
    assert [each[0] for each in editions(admin)] == [sha256, None]
    with admin.firm.office().sessions() as session:
        storage = admin.firm.office().storage
        assert template_editions.template_in_force(session, storage, "contract", "vi") == own()


def test_who_looked_at_another_version_in_force_is_told(admin: Staff) -> None:
    first, second = edited(), edited("Một câu khác.")
    for template in (first, second):
        send(admin, template)
    one, other = render.template_sha256(first), render.template_sha256(second)
    admin.do(f"{PAGE}/versions/{one}", instead_of=own_sha256())
    refused = admin.do(f"{PAGE}/versions/{other}", instead_of=own_sha256())
    assert refused.status_code == 409 and "quan-tri đã đưa phiên bản khác" in refused.text
    assert [each[0] for each in editions(admin)] == [one]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no document", "không phải là văn bản Word"),
        (edited("Giá: {{ client.nmae }}"), "không có trường client.nmae"),
        (edited("{{ client.__class__.__mro__ }}"), ""),
        (edited("{% for x in client %}"), "chưa đóng"),
    ],
    ids=["no document", "no such field", "Python", "not closed"],
)
def test_a_file_that_something_is_wrong_with_is_refused_and_changes_nothing(
    admin: Staff, data: bytes, says: str
) -> None:
    refused = send(admin, data)
    assert refused.status_code == 422
    assert "Tệp chưa dùng được" in refused.text and says in refused.text
    sha256 = render.template_sha256(data)
    admin.see(f"{PAGE}/versions/{sha256}", 404)
    assert admin.do(f"{PAGE}/versions/{sha256}", instead_of=own_sha256()).status_code == 409
    assert editions(admin) == []


def test_no_file_is_asked_for_again(admin: Staff) -> None:
    nothing = admin.do(PAGE)
    assert nothing.status_code == 422 and templates.NO_FILE in nothing.text


@pytest.mark.parametrize("role", ["user", "viewer"])
def test_who_does_not_administer_changes_no_template(admin: Staff, role: str) -> None:
    sha256 = render.template_sha256(edited())
    send(admin, edited())
    admin.login.role = role
    if role == "user":
        assert send(admin, edited("Khác.")).status_code == 403
        assert admin.do(f"{PAGE}/versions/{sha256}", instead_of=own_sha256()).status_code == 403
    for path in (PAGE, f"{PAGE}/versions/{sha256}"):
        assert not re.search(r"<form[^>]*/templates/", admin.see(path))
    assert editions(admin) == []
