"""Money adds up."""

from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from ibwire.sim.account import TARIFFS, Charge, SimAccount
from ibwire.sim.instruments import ContractQuery, Instrument
from ibwire.sim.orders import SIDES, Fill, OrderRequest, OrderSnapshot
from tests.unit.sim.world import World

D = Decimal
WORLD = World()
AAPL = WORLD.instrument("AAPL")
EUR = WORLD.instrument("EUR", "CASH", "USD")
ES = WORLD.universe.find(ContractQuery(localSymbol="ESH6", secType="FUT"))[0]
BTC = WORLD.instrument("BTC", "CRYPTO")
CALL = WORLD.universe.find(ContractQuery(localSymbol="AAPL  260320C00190000", secType="OPT"))[0]
KINDS = {"STK": AAPL, "CASH": EUR, "FUT": ES, "OPT": CALL, "CRYPTO": BTC}


def fill(action: str, qty: str, price: str, permId: int = 1, instrument: Instrument = AAPL) -> Fill:
    size = D(qty)
    request = OrderRequest(1, permId, instrument, action, "MKT", size)
    order = OrderSnapshot(request, instrument, "DU0000001", permId, "Submitted", size, D(0), D(price), D(price), 0, 0)
    return Fill(f"x.{permId}.01", order, SIDES[action], size, D(price), size, D(price), 2, "ARCA", 0)


def account(mark: str = "190") -> SimAccount:
    return SimAccount(lambda _: D(mark))


def test_a_round_trip_realises_the_difference_less_commissions() -> None:
    book = account()
    assert book.apply(fill("BUY", "100", "187.40")) == Charge(D("1.00"), "USD", None)
    assert book.positions()[0].avgCost == D("187.41")
    assert book.apply(fill("SELL", "100", "188.40", 2)) == Charge(D("1.00"), "USD", D("98.00"))
    assert book.positions() == ()
    assert book.cash() == D(1_000_000) + 98
    assert book.totals().net_liquidation == book.cash()


def test_a_fill_through_zero_closes_and_opens() -> None:
    book = account("50")
    book.apply(fill("BUY", "100", "50", 1))
    charge = book.apply(fill("SELL", "300", "60", 2))
    # 1.50 commission, one third of it for the hundred closed; the first hundred cost 5001.
    assert charge == Charge(D("1.50"), "USD", D("998.50"))
    assert (book.position(AAPL.conId), book.positions()[0].avgCost) == (D(-200), D("59.995"))
    line = book.portfolio()[0]
    assert (line.marketValue, line.unrealizedPNL) == (D("-10000.00"), D("1999.00"))


def test_the_minimum_commission_is_per_order_not_per_piece() -> None:
    book = account()
    pieces = [book.apply(fill("BUY", size, "187")).commission for size in ("60", "40", "300")]
    assert pieces == [D("1.00"), D("0.00"), D("1.00")]
    assert book.apply(fill("BUY", "1", "187", permId=2)).commission == D("1.00")
    assert book.apply(fill("BUY", "1", "20", permId=3)).commission == D("0.20")


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5), st.sampled_from(sorted(TARIFFS)))
def test_pieces_cost_what_the_whole_order_costs(sizes: list[int], secType: str) -> None:
    instrument = KINDS[secType]
    book = account()
    pieces = [book.apply(fill("BUY", str(size), "2", 9, instrument)).commission for size in sizes]
    assert all(piece >= 0 for piece in pieces)
    assert sum(pieces) == book.estimate_commission(instrument, D(sum(sizes)), D(2))


@given(
    st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 500), st.integers(100, 30_000)), max_size=12)
)
def test_position_is_the_sum_of_fills_and_no_money_appears(flow: list[tuple[str, int, int]]) -> None:
    book = account("123.45")
    signed, spent, commissions = D(0), D(0), D(0)
    for number, (action, size, cents) in enumerate(flow):
        price = D(cents) / 100
        charge = book.apply(fill(action, str(size), str(price), number))
        sign = 1 if action == "BUY" else -1
        signed, spent, commissions = signed + sign * size, spent + sign * size * price, commissions + charge.commission
        assert book.position(AAPL.conId) == signed
    assert book.cash() == D(1_000_000) - spent - commissions
    totals = book.totals()
    assert totals.net_liquidation == book.cash() + signed * D("123.45")
    # What the account gained is what it realised and what it has not realised yet.
    gained = totals.net_liquidation - D(1_000_000)
    assert abs(gained - totals.realized - totals.unrealized) < D("1e-20")


def test_futures_move_no_cash_until_closed() -> None:
    book = account("5530")
    book.apply(fill("BUY", "2", "5520", 1, ES))
    assert book.cash() == 1_000_000
    assert book.totals().net_liquidation == D(1_000_000) + 2 * 50 * 10 - D("4.50")
    assert book.apply(fill("SELL", "2", "5525", 2, ES)).realized == D("491.00")
    assert book.cash() == D("1000491.00")


def test_a_currency_pair_moves_both_currencies() -> None:
    book = account("1.08413")
    book.apply(fill("BUY", "20000", "1.08413", 1, EUR))
    assert book.cash("EUR") == 20000
    assert book.cash() == D(1_000_000) - D("21682.60") - 2
    assert book.totals().net_liquidation == D(999_998)
    assert {(v.key, v.value) for v in book.ledger() if v.currency == "EUR"} >= {("CashBalance", "20000.00")}


def test_account_values_and_summary_agree() -> None:
    book = account()
    book.apply(fill("BUY", "1000", "180"))
    values = {(item.key, item.currency): item.value for item in book.values()}
    assert values["AccountCode", ""] == "DU0000001"
    assert values["NetLiquidation", "USD"] == "1009995.00"
    assert values["GrossPositionValue", "USD"] == "190000.00"
    assert values["UnrealizedPnL", "BASE"] == "9995.00"
    summary = book.summary(["AccountType", "NetLiquidation", "NoSuchTag", "$LEDGER"])
    assert [item.key for item in summary][:3] == ["AccountType", "NetLiquidation", "CashBalance"]
    assert summary[1].value == values["NetLiquidation", "USD"]


def test_funds() -> None:
    book = account("100")
    assert book.can_afford(AAPL, "BUY", D(10_000), D(100))
    assert not book.can_afford(AAPL, "BUY", D(100_000), D(100))
    book.apply(fill("BUY", "39000", "100"))
    assert not book.can_afford(AAPL, "BUY", D(2_000), D(100))
    assert book.can_afford(AAPL, "SELL", D(39_000), D(100))


def test_the_callers_decimal_context_does_not_matter() -> None:
    with localcontext() as context:
        context.prec = 3
        book = account("187.43")
        book.apply(fill("BUY", "12345", "187.41"))
        net = book.totals().net_liquidation
    assert net == D(1_000_000) + D("0.02") * 12345 - D("61.72")


def test_unknown_position_is_flat() -> None:
    assert account().position(1) == 0 and account().pnl(1) is None
