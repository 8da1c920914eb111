"""Runs of text fields that several messages share: contracts and the blocks of an order.

Paths are given by the caller's prefix. Order facts: official package 10.46.1 (``orderdecoder``, ``client``).
"""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import (
    Item,
    N,
    Present,
    Repeat,
    T,
    When,
    equals,
    ge,
    gt,
    is_in,
    since,
    true,
)

PEG_BENCH = ("PEG BENCH", "PEGBENCH")
PEG_MID = ("PEG MID", "PEGMID")
PEG_BEST = ("PEG BEST", "PEGBEST")

CONDITION_PRICE, CONDITION_TIME, CONDITION_MARGIN = 1, 3, 4
CONDITION_EXECUTION, CONDITION_VOLUME, CONDITION_PERCENT_CHANGE = 5, 6, 7

TAG_VALUES: tuple[Item, ...] = (T("tag"), T("value"))


def contract(prefix: str, names: str) -> tuple[Item, ...]:
    """Plain fields of a contract, in the order of ``names`` (separated by spaces)."""
    return tuple(T(f"{prefix}{name}") for name in names.split())


_PRIMARY_EXCHANGE = T("contract.primaryExchange")


def requested_contract(primary: Item | None = _PRIMARY_EXCHANGE) -> tuple[Item, ...]:
    """The contract as it stands in requests; ``primary``: the item after the exchange, None where there is none."""
    return (
        *contract("contract.", "conId symbol secType lastTradeDateOrContractMonth"),
        N("contract.strike"),
        *contract("contract.", "right multiplier exchange"),
        *((primary,) if primary is not None else ()),
        *contract("contract.", "currency localSymbol tradingClass"),
    )


def priced_legs() -> Item:
    """The legs of a combo in requests for data: what identifies them and how they weigh, nothing of an order."""
    return When(
        equals("contract.secType", "BAG"),
        Repeat("contract.comboLegs", T("conId"), T("ratio"), T("action"), T("exchange")),
    )


def conditions(path: str) -> Repeat:
    """Order conditions: a type, how it joins the next, then what the type needs."""
    about_contract = (T("conId"), T("exchange"))
    return Repeat(
        path,
        T("condType"),
        T("isConjunctionConnection", words=("a", "o")),
        When(equals("condType", CONDITION_PRICE), T("isMore"), T("price"), *about_contract, T("triggerMethod")),
        When(equals("condType", CONDITION_TIME), T("isMore"), T("time")),
        When(equals("condType", CONDITION_MARGIN), T("isMore"), T("percent")),
        When(equals("condType", CONDITION_EXECUTION), T("secType"), T("exchange"), T("symbol")),
        When(equals("condType", CONDITION_VOLUME), T("isMore"), T("volume"), *about_contract),
        When(equals("condType", CONDITION_PERCENT_CHANGE), T("isMore"), T("changePercent"), *about_contract),
    )


def received_contract(prefix: str = "contract.") -> tuple[Item, ...]:
    """The contract as it stands at the head of open and completed orders."""
    return (
        *contract(prefix, "conId symbol secType lastTradeDateOrContractMonth strike right"),
        When(ge("@version", 32), T(f"{prefix}multiplier")),
        *contract(prefix, "exchange currency localSymbol"),
        When(ge("@version", 32), T(f"{prefix}tradingClass")),
    )


def vol_params(open_order: bool) -> tuple[Item, ...]:
    """Volatility and delta-neutral block; a completed order has fewer of its fields."""
    order_type = true("order.deltaNeutralOrderType")
    extra: tuple[Item, ...] = ()
    open_close: tuple[Item, ...] = ()
    if open_order:
        extra = (
            T("order.deltaNeutralSettlingFirm"),
            T("order.deltaNeutralClearingAccount"),
            T("order.deltaNeutralClearingIntent"),
        )
        open_close = (T("order.deltaNeutralOpenClose"),)
    return (
        N("order.volatility"),
        T("order.volatilityType"),
        T("order.deltaNeutralOrderType"),
        N("order.deltaNeutralAuxPrice"),
        When(ge("@version", 27), When(order_type, T("order.deltaNeutralConId"), *extra)),
        When(
            ge("@version", 31),
            When(
                order_type,
                *open_close,
                T("order.deltaNeutralShortSale"),
                T("order.deltaNeutralShortSaleSlot"),
                T("order.deltaNeutralDesignatedLocation"),
            ),
        ),
        T("order.continuousUpdate"),
        T("order.referencePriceType"),
    )


def received_combo_legs() -> tuple[Item, ...]:
    return (
        T("contract.comboLegsDescrip"),
        When(
            ge("@version", 29),
            Repeat("contract.comboLegs", *COMBO_LEG_FIELDS),
            Repeat("order.orderComboLegs", N("price")),
        ),
    )


COMBO_LEG_FIELDS: tuple[Item, ...] = (
    T("conId"),
    T("ratio"),
    T("action"),
    T("exchange"),
    T("openClose"),
    T("shortSaleSlot"),
    T("designatedLocation"),
    T("exemptCode"),
)


def received_scale_params() -> tuple[Item, ...]:
    return (
        N("order.scaleInitLevelSize"),
        N("order.scaleSubsLevelSize"),
        N("order.scalePriceIncrement"),
        When(
            ge("@version", 28),
            When(
                gt("order.scalePriceIncrement", 0.0),
                N("order.scalePriceAdjustValue"),
                N("order.scalePriceAdjustInterval"),
                N("order.scaleProfitOffset"),
                T("order.scaleAutoReset"),
                N("order.scaleInitPosition"),
                N("order.scaleInitFillQty"),
                T("order.scaleRandomPercent"),
            ),
        ),
    )


HEDGE: tuple[Item, ...] = (T("order.hedgeType"), When(true("order.hedgeType"), T("order.hedgeParam")))

DELTA_NEUTRAL_CONTRACT: tuple[Item, ...] = (
    T("contract.deltaNeutralContract?"),
    When(
        true("contract.deltaNeutralContract?"),
        Present("contract.deltaNeutralContract"),
        T("contract.deltaNeutralContract.conId"),
        T("contract.deltaNeutralContract.delta"),
        T("contract.deltaNeutralContract.price"),
    ),
)

ALGO: tuple[Item, ...] = (
    T("order.algoStrategy"),
    When(true("order.algoStrategy"), Repeat("order.algoParams", *TAG_VALUES)),
)


def peg_bench_and_conditions() -> Item:
    return since(
        V.PEGGED_TO_BENCHMARK,
        When(
            is_in("order.orderType", *PEG_BENCH),
            T("order.referenceContractId"),
            T("order.isPeggedChangeAmountDecrease"),
            T("order.peggedChangeAmount"),
            T("order.referenceChangeAmount"),
            T("order.referenceExchangeId"),
        ),
        conditions("order.conditions"),
        When(true("order.conditions"), T("order.conditionsIgnoreRth"), T("order.conditionsCancelOrder")),
    )


PEG_BEST_MID: Item = since(
    V.PEGBEST_PEGMID_OFFSETS,
    N("order.minTradeQty"),
    N("order.minCompeteSize"),
    N("order.competeAgainstBestOffset"),
    N("order.midOffsetAtWhole"),
    N("order.midOffsetAtHalf"),
)
