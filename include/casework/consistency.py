"""One fact, every document: before papers are sent, they and those in force must state the same.

What the papers say is read from the stored files, never from the register: a file that was exchanged, or made from
a wrong template, is found whatever the register says.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from subprocess import TimeoutExpired

from include.casework.facts import document_title
from include.casework.office import PDF_OF, Case
from include.documents.readback import Statements, read_statements
from include.documents.readback.agreement import CLIENT_FACTS, LABELS, Said, agreed_facts, as_said
from include.engagement import process
from include.engagement.errors import FactsDiffer
from include.register.models import Document
from include.storage.base import NotStored

log = logging.getLogger(__name__)

# The papers that bind both sides; of each the newest version counts.
BINDING = ("quote", "contract", "contract_appendix", "extension_appendix", "payment_request", "handover_minutes",
           "acceptance_minutes", "liquidation_minutes", "termination_letter")  # fmt: skip
WHAT_TO_DO = (
    "Thư chưa được gửi. Hãy xem văn bản nào ghi sai, đưa tệp đúng về chỗ cũ trong kho hồ sơ (hoặc báo bộ phận kỹ "
    "thuật lập lại văn bản), rồi chạy lại bước này."
)


@dataclass(frozen=True)
class Paper:
    """A Word paper of the firm to a client, and what it states."""

    document: Document
    facts: dict[str, Said]
    in_mail: bool

    @property
    def name(self) -> str:
        """What people call it."""
        return _name(self.document)


def check_consistent(case: Case, documents: Sequence[Document]) -> None:
    """Raise FactsDiffer (Vietnamese) if a paper that goes out is not the file that was stored, or contradicts another.

    Held against each other: ``documents``, about to go out in one mail, and the papers in force. What a client or the
    department handed in is not judged, nor is a mail without papers of the firm.
    """
    going = [document for document in documents if document.direction == "made"]
    if not going:
        return
    differences: list[str] = []
    papers: list[Paper] = []
    ids = {document.id for document in going}
    sources = [source for document in going if (source := _source(case, document)) is not None]
    ids |= {source.id for source in sources}
    in_force = [found for key in BINDING if (found := case.latest(key)) is not None]
    for document in {each.id: each for each in (*going, *sources, *in_force)}.values():
        try:
            stated = _read(case, document)
            if document.key.endswith(PDF_OF):
                source = _source(case, document)
                if source is not None and stated is not None:
                    differences += _unlike(document, stated, _read(case, source))
            elif stated is not None and _is_paper(document):
                papers.append(Paper(document, agreed_facts(stated), document.id in ids))
        except _Unreadable as problem:
            differences.append(str(problem))
    for fact in LABELS:
        differences += _contradictions(case, fact, papers)
    if differences:
        listed = "\n".join(f"– {difference}" for difference in dict.fromkeys(differences))
        raise FactsDiffer(f"Các văn bản của hồ sơ {case.id} không khớp nhau:\n{listed}\n{WHAT_TO_DO}")


def _is_paper(document: Document) -> bool:
    row = process.DOCUMENTS.get(document.key)
    return row is not None and row.audience == "client" and row.format == "docx"


def _source(case: Case, document: Document) -> Document | None:
    """The Word document that a PDF was made of."""
    if not document.key.endswith(PDF_OF):
        return None
    return case.made(document.key.removesuffix(PDF_OF), document.occasion)


class _Unreadable(Exception):
    """A stored file that is not what was stored; the message is Vietnamese."""


def _read(case: Case, document: Document) -> Statements | None:
    try:
        data = case.office.storage.get(document.path)
    except NotStored:
        raise _Unreadable(f"{_name(document)}: tệp {document.path} không còn trong kho hồ sơ") from None
    if hashlib.sha256(data).hexdigest() != document.sha256:
        raise _Unreadable(f"{_name(document)}: tệp {document.path} đã bị thay đổi sau khi lưu")
    try:
        return read_statements(data, extension=document.path.rpartition(".")[2], sha256=document.sha256)
    except TimeoutExpired:
        raise  # a machine under load reads it at the next try
    except Exception as error:  # whatever a torn file makes its reader raise
        log.warning("%s cannot be read: %s", document.path, type(error).__name__)
        raise _Unreadable(f"{_name(document)}: không đọc được tệp {document.path}") from None


def _contradictions(case: Case, fact: str, papers: Sequence[Paper]) -> Iterator[str]:
    """Every paper that states a fact otherwise than the newest one.

    A client's own facts may have been corrected meanwhile: then the newest paper says what the file of the engagement
    says now, and earlier ones stand as they were. Within one mail all say the same.
    """
    stating = sorted((paper for paper in papers if fact in paper.facts), key=lambda paper: paper.document.id)
    if not stating:
        return
    newest = stating[-1]
    said = newest.facts[fact]
    for paper in stating[:-1]:
        other = paper.facts[fact]
        if other.value == said.value:
            continue
        together = paper.in_mail and newest.in_mail
        if fact in CLIENT_FACTS and not together and said.value == _now(case, fact):
            continue
        yield f"{LABELS[fact]}: {paper.name} ghi “{other.shown}”, {newest.name} ghi “{said.shown}”"


def _now(case: Case, fact: str) -> str:
    client = case.form["client"]
    current = {"client_name": client["name"], "client_tax_code": client["tax_code"],
               "client_representative": client["representative"]["name"]}[fact]  # fmt: skip
    return as_said(str(current)).value


def _unlike(document: Document, pdf: Statements, word: Statements | None) -> Iterator[str]:
    """Amounts and tax codes that a PDF and the Word document it was made of do not share.

    A narrow column may break a long figure in two: blanks do not count, and a part of a figure is none of its own.
    """
    if word is None:
        return
    whole = "".join(pdf.text.split())
    written = {digits: shown for digits, shown in word.amounts.items() if _is_sum(digits)}
    for shown in (*written.values(), *sorted(word.tax_codes)):
        if "".join(shown.split()) not in whole:
            yield f"{_name(document)}: “{shown}” không có trong tệp PDF"
    for digits, shown in pdf.amounts.items():
        if _is_sum(digits) and not any(digits in known for known in word.amounts):
            yield f"{_name(document)}: “{shown}” chỉ có trong tệp PDF"
    for code in sorted(pdf.tax_codes):
        if not any(code in known for known in word.tax_codes):
            yield f"{_name(document)}: “{code}” chỉ có trong tệp PDF"


def _is_sum(digits: str) -> bool:
    """Say whether a figure is as long as prices are: page numbers and years are not compared."""
    return digits.isdigit() and len(digits) > 6


def _name(document: Document) -> str:
    kind = " (PDF)" if document.key.endswith(PDF_OF) else ""
    return f"“{document_title(document, 'vi')}” bản {document.version}{kind}"
