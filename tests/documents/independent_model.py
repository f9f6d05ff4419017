"""The financial model reckoned a second time in plain Python, from the assumptions as the workbook states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What both ways of reckoning must agree on; amounts in VND, rates as shares."""

    npv: float
    irr: float | None
    payback: float | None
    dscr: list[float]
    cash: list[float]
    net: list[float]
    assets: list[float]
    sources: list[float]
    break_even_first: float


def npv(rate: float, flows: Sequence[float]) -> float:
    """Discount yearly flows, the first one undiscounted."""
    return sum(flow / (1 + rate) ** year for year, flow in enumerate(flows))


def irr(flows: Sequence[float]) -> float | None:
    """Find the rate at which ``flows`` are worth nothing, by bisection; None without a change of sign."""
    low, high = -0.99, 10.0
    if npv(low, flows) * npv(high, flows) > 0:
        return None
    for _ in range(300):
        middle = (low + high) / 2
        if npv(low, flows) * npv(middle, flows) <= 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def reckon(a: Mapping[str, float], ramp: Sequence[float]) -> Result:
    """Reckon the model for the assumptions ``a`` (by the workbook's names) and the use of capacity by year."""
    years = len(ramp)
    total = a["investment"] * (1 + a["overrun"])
    kinds = ("building", "machine", "other")
    fixed_assets = {kind: total * a[f"share_{kind}"] for kind in kinds}
    working = total - sum(fixed_assets.values())
    own = max(0.0, total - a["loan"])
    ratio = a["cost_base"] * a["variable_share"] / a["revenue_base"] * a["variable_factor"]
    full = a["revenue_base"] * a["uplift"]

    revenue, cost = [a["revenue_base"]], [a["cost_base"]]
    receivable = [revenue[0] * a["receivable_days"] / 365]
    inventory = [cost[0] * a["inventory_days"] / 365]
    payable = [cost[0] * a["payable_days"] / 365]
    book = dict(fixed_assets)
    nbv = [sum(book.values())]
    balance, losses, retained = a["loan"], 0.0, a["opening_retained"]
    cash = [a["opening_cash"] + a["loan"] + own - nbv[0]]
    other = a["charter_capital"] + a["opening_retained"] + payable[0] - a["opening_cash"] - receivable[0] - inventory[0]
    assets = [cash[0] + receivable[0] + inventory[0] + nbv[0] + other]
    sources = [payable[0] + balance + a["charter_capital"] + own + retained]
    flows, committed = [-nbv[0] - working], [working]
    dscr: list[float] = []
    nets: list[float] = []
    break_even_first = 0.0
    for year in range(1, years + 1):
        existing = a["revenue_base"] * (1 + a["revenue_growth"]) ** year
        added = full * ramp[year - 1] * (1 + a["price_growth"]) ** year
        fixed_now = a["cost_base"] * (1 - a["variable_share"]) * (1 + a["fixed_inflation"]) ** year
        fixed_added = full * a["project_fixed_share"] * (1 + a["fixed_inflation"]) ** year
        revenue.append(existing + added)
        cost.append((existing + added) * ratio + fixed_now + fixed_added)
        worn = 0.0
        for kind in kinds:
            part = min(fixed_assets[kind] / a[f"life_{kind}"], book[kind])
            book[kind] -= part
            worn += part
        nbv.append(sum(book.values()))
        interest = balance * a["loan_rate"]
        repays = a["loan_grace"] < year <= a["loan_term"]
        principal = min(balance, a["loan"] / (a["loan_term"] - a["loan_grace"])) if repays else 0.0
        balance -= principal
        before_tax = revenue[-1] - cost[-1] - worn - interest
        used = min(losses, max(0.0, before_tax))
        losses += max(0.0, -before_tax) - used
        net = before_tax - (max(0.0, before_tax) - used) * a["tax_rate"]
        nets.append(net)
        paid_out = max(0.0, net) * a["payout"]
        retained += net - paid_out
        receivable.append(revenue[-1] * a["receivable_days"] / 365)
        inventory.append(cost[-1] * a["inventory_days"] / 365)
        payable.append(cost[-1] * a["payable_days"] / 365)
        tied_up = (receivable[-1] + inventory[-1] - payable[-1]) - (receivable[-2] + inventory[-2] - payable[-2])
        cash.append(cash[-1] + net + worn - tied_up - principal - paid_out)
        assets.append(cash[-1] + receivable[-1] + inventory[-1] + nbv[-1] + other)
        sources.append(payable[-1] + balance + a["charter_capital"] + own + retained)
        if principal + interest > 0:
            dscr.append((net + worn + interest) / (principal + interest))

        added_cost = added * ratio + fixed_added
        tax = max(0.0, added - added_cost - worn) * a["tax_rate"]
        need = added * a["receivable_days"] / 365 + added_cost * (a["inventory_days"] - a["payable_days"]) / 365
        committed.append(max(working, need))
        flow = added - added_cost - tax - (committed[-1] - committed[-2])
        if year == years:
            flow += committed[-1] + nbv[-1] * a["residual_rate"]
        flows.append(flow)
        if year == 1:
            break_even_first = (fixed_now + fixed_added + worn + interest) / (1 - ratio)

    worth = 0.0
    payback = None
    for year, flow in enumerate(flows):
        discounted = flow / (1 + a["discount_rate"]) ** year
        if payback is None and worth < 0 <= worth + discounted:
            payback = year - 1 - worth / discounted
        worth += discounted
    return Result(
        npv(a["discount_rate"], flows), irr(flows), payback, dscr, cash, nets, assets, sources, break_even_first
    )
