"""A firm at work without Airflow: the casework against a real register and a real folder, mail into a list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from include import clock
from include.casework import contract, handover, information, intake, receiving
from include.casework.desks import GATE_DESKS, REQUEST_DESKS, decide, follow
from include.casework.office import Case, Office, open_office
from include.casework.opening import register_engagement
from include.casework.reminders import sweep
from include.engagement import process
from include.engagement.form import check_form
from include.mail.transport import Transport
from include.settings import ROOT, Settings

PDF = b"%PDF-1.4\n%%EOF\n"
FORM: dict[str, Any] = {
    "language": "vi",
    "referrer": "Hiệp hội Cà phê",
    "need": {"purpose": "Vay vốn ngân hàng", "horizon_months": 60},
    "client": {
        "name": "Công ty TNHH Cà phê Ban Mê Sớm",
        "tax_code": "6001234562",
        "address": "127 Nguyễn Tất Thành, Đắk Lắk",
        "sector": "Chế biến cà phê",
        "representative": {"name": "Nguyễn Thị Ánh Tuyết", "title": "Giám đốc"},
        "contact": {"name": "Trần Đức Hữu", "email": "ketoan@banmesom.example", "phone": "0903456789"},
        "bank": {"account": "0231000612345", "bank": "Vietcombank"},
    },
    "finance": {"employees": 34, "project_vnd": 12_500_000_000, "charter_capital_vnd": 5_000_000_000,
                "investment_vnd": 8_200_000_000},
    "interests": ["xuất khẩu nông sản"],
    "consent": True,
    "add_ons": {"monitoring": {"every_months": 1, "visits": 2}},
}  # fmt: skip
ANSWERS = {"strategy": "Chuỗi khách sạn", "activities": "Rang xay", "products": "Cà phê", "capacity": "18 tấn/tháng"}
PAPERS = {f"{key}.pdf": PDF + key.encode() for key in ("business_registration", "sales_documents",
                                                       "financial_statements")}  # fmt: skip
QUOTE = {"net_vnd": 185_000_000, "vat_percent": 8, "reserve_days": 5, "instalments_percent": "40, 40, 20"}
GOOD = {"market": 8, "finance": 8, "feasibility": 8}
BAD = {"market": 5, "finance": 5, "feasibility": 5, "comment": "Thiếu dòng tiền chiết khấu"}


@dataclass
class Outbox(Transport):
    """A relay that takes everything."""

    mails: list[bytes] = field(default_factory=list)

    def send(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        self.mails.append(data)

    def read(self) -> list[EmailMessage]:
        return [cast(EmailMessage, message_from_bytes(mail, policy=default)) for mail in self.mails]

    def subjects(self) -> list[str]:
        return [str(mail["subject"]) for mail in self.read()]


@dataclass
class Firm:
    """Plays an engagement step by step, as the tasks of the DAG would."""

    settings: Settings
    outbox: Outbox
    engagement: str = ""

    def office(self) -> Office:
        return open_office(self.outbox, settings=self.settings)

    def day(self, day: date) -> Firm:
        with self.office().sessions() as session:
            clock.set_rehearsal_day(session, self.settings, day)
        return self

    def open(self, **changes: Any) -> Firm:
        self.engagement = register_engagement(check_form({**FORM, **changes}), settings=self.settings)
        with self.case() as case:
            intake.open_engagement(case)
        return self

    def case(self) -> Any:
        return self.office().case(self.engagement)

    def ask(self, kind: str, number: int = 1) -> Any:
        with self.case() as case:
            return REQUEST_DESKS[kind].ask(case, number)

    def put(self, key: str, reply: Mapping[str, Any] | None = None, files: Mapping[str, bytes] | None = None) -> Firm:
        files = files or {}
        manifest = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        storage = self.office().storage
        for name, data in files.items():
            storage.put(f"inbox/{self.engagement}/{key}/{name}", data, media_type="application/octet-stream")
        body = json.dumps({**(reply or {}), "manifest": manifest}, ensure_ascii=False).encode()
        storage.put(f"inbox/{self.engagement}/{key}/reply.json", body, media_type="application/json")
        return self

    def receive(self, kind: str, number: int = 1) -> str | None:
        desk = REQUEST_DESKS[kind]
        with self.case() as case:
            request = case.request(kind, number)
            receiving.take_in(case, request, replies=desk.replies(number))
            contract.notify_of_extension(case)
            return desk.answered(case, request) if request.status == "answered" else None

    def sign(self, gate: str, decision: str, number: int = 1, who: str = "", **entries: Any) -> str:
        with self.case() as case:
            settled = GATE_DESKS[gate].prepare(case, number)
            if settled is not None:
                return settled
            label = process.SIGN_OFFS[gate].options[decision]
            row = decide(case, gate, number, who, label=label, entries=entries, by="test", at=clock.now())
            return follow(case, row)

    # --- whole stretches ---

    def inform(self) -> Firm:
        self.ask("intake")
        self.ask("information")
        self.put("information", {"answers": ANSWERS}, PAPERS)
        assert self.receive("information") == "complete"
        assert self.sign("information_review", "accept") == "accept"
        return self

    def decide(self) -> Firm:
        assert self.sign("decision", "accept") == "accept"
        return self

    def contract(self, **quote: Any) -> Firm:
        self.sign("quote", "send", **{**QUOTE, **quote})
        self.ask("quote")
        assert self.put("quote", {"reply": "accept"}).receive("quote") == "accept"
        self.ask("contract")
        assert self.put("contract", files={"scan.pdf": PDF}).receive("contract") == "received"
        assert self.sign("contract_check", "accept") == "accept"
        return self

    def deliver(self, number: int = 1) -> Firm:
        self.ask("delivery", number)
        key = "delivery" if number == 1 else f"delivery-{number}"
        plan = (ROOT / "templates" / "documents" / "business_plan.vi.docx").read_bytes()
        assert self.put(key, files={"plan.docx": plan}).receive("delivery", number) == "delivered"
        return self

    def score(self, points: Mapping[str, Any], number: int = 1) -> Firm:
        for member in process.COUNCIL:
            self.sign("scorecard", "submit", number, member.key, **points)
        return self

    def conclude(self, decision: str = "terminate", number: int = 1, **entries: Any) -> str:
        return self.sign("reserve_exhausted", decision, number, **entries)

    def hand_over(self) -> Firm:
        self.ask("handover")
        assert self.put("handover", {"reply": "accept"}).receive("handover") == "accept"
        with self.case() as case:
            handover.conclude(case, 1)
        return self

    def refuse(self) -> Firm:
        with self.case() as case:
            information.refuse(case, 1)
        return self

    def sweep(self, day: date) -> int:
        return sweep(self.office(), since=day, day=day)


def facts_of(case: Case, kind: str) -> list[dict[str, Any]]:
    from sqlalchemy import select

    from include.register.models import Event

    rows = case.session.scalars(select(Event).where(Event.engagement_id == case.id, Event.kind == kind))
    return [row.facts for row in rows]
