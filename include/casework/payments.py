"""Payment requests: each instalment is asked for when it falls due, once."""

from __future__ import annotations

from typing import Any

from include.casework.correspondence import post
from include.casework.facts import number_text
from include.casework.office import Case
from include.engagement.instalments import PAYMENT_DAYS, Occasion, Payment, due_wording, falling_due, payment
from include.engagement.process import Language
from include.engagement.terms import Terms


def request_payments(case: Case, occasion: Occasion) -> None:
    """Ask the client for every instalment that falls due on this occasion, each with a request of its own."""
    assert case.engagement.terms is not None
    terms = Terms.from_json(case.engagement.terms)
    quote = case.latest("quote")
    assert quote is not None
    for number in falling_due(occasion, len(terms.instalments)):
        made = case.made("payment_request", f"instalment/{number}")
        day = made.day if made else case.today  # a request made before the year's end keeps its rate when sent after
        asked = payment(terms, number, agreed_on=quote.day, invoiced_on=day)
        due = case.calendar.add(day, PAYMENT_DAYS)
        facts = instalment_facts(case, asked, occasion, case.language)
        document = case.document("payment_request", f"instalment/{number}", instalment=facts, due=due)
        post(case, "payment_request", f"instalment/{number}", documents=(document,), instalment=facts, due=due)


def instalment_facts(case: Case, asked: Payment, occasion: Occasion, language: Language) -> dict[str, Any]:
    """Return an instalment as documents and mails show it; ``reference`` is what the client's bank transfer says."""
    return {
        "number": asked.number,
        "count": asked.count,
        "percent": number_text(asked.percent, language),
        "net_vnd": asked.net_vnd,
        "vat_percent": number_text(asked.vat_percent, language),
        "vat_vnd": asked.vat_vnd,
        "amount_vnd": asked.amount_vnd,
        "when": due_wording(occasion).in_(language),
        "rate_changed": asked.rate_changed,
        "agreed_vat_percent": number_text(asked.agreed_vat_percent, language),
        "reference": f"{case.id} dot {asked.number}",
    }
