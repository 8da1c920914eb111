"""Placing, changing and cancelling orders; asking for orders and executions."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import (
    ALGO,
    COMBO_LEG_FIELDS,
    DELTA_NEUTRAL_CONTRACT,
    HEDGE,
    PEG_BEST,
    PEG_MID,
    TAG_VALUES,
    contract,
    peg_bench_and_conditions,
)
from ibwire.spec.model import (
    BOOL,
    I32,
    Field,
    Group,
    Item,
    Kind,
    N,
    Repeat,
    Skip,
    T,
    Version,
    When,
    equals,
    gt,
    is_in,
    outgoing,
    since,
    true,
)
from ibwire.spec.structs import CONTRACT, EXECUTION_FILTER, ORDER, ORDER_CANCEL

_INFINITE = float("inf")
_BAG = equals("contract.secType", "BAG")


def _order(names: str) -> tuple[Item, ...]:
    return contract("order.", names)


PLACE_ORDER = outgoing(
    3,
    "placeOrder",
    Field("orderId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("order", ORDER, 3),
    text=(
        Version(45, until=V.ORDER_CONTAINER),
        T("orderId"),
        *contract("contract.", "conId symbol secType lastTradeDateOrContractMonth"),
        N("contract.strike"),
        *contract(
            "contract.",
            "right multiplier exchange primaryExchange currency localSymbol tradingClass secIdType secId",
        ),
        T("order.action"),
        T("order.totalQuantity", until=V.FRACTIONAL_POSITIONS, kind=Kind.I32),
        T("order.totalQuantity", since=V.FRACTIONAL_POSITIONS),
        T("order.orderType"),
        N("order.lmtPrice"),
        N("order.auxPrice"),
        *_order(
            "tif ocaGroup account openClose origin orderRef transmit parentId blockOrder sweepToFill displaySize "
            "triggerMethod outsideRth hidden"
        ),
        When(
            _BAG,
            Repeat("contract.comboLegs", *COMBO_LEG_FIELDS),
            Repeat("order.orderComboLegs", N("price")),
            Repeat("order.smartComboRoutingParams", *TAG_VALUES),
        ),
        Skip(name="sharesAllocation"),
        *_order("discretionaryAmt goodAfterTime goodTillDate faGroup faMethod faPercentage"),
        Skip(until=V.FA_PROFILE_DESUPPORT, name="faProfile"),
        T("order.modelCode", since=V.MODELS_SUPPORT),
        *_order("shortSaleSlot designatedLocation exemptCode ocaType rule80A settlingFirm allOrNone"),
        N("order.minQty"),
        N("order.percentOffset"),
        Skip("0", name="eTradeOnly"),
        Skip("0", name="firmQuoteOnly"),
        Skip(name="nbboPriceCap"),
        T("order.auctionStrategy"),
        N("order.startingPrice"),
        N("order.stockRefPrice"),
        N("order.delta"),
        N("order.stockRangeLower"),
        N("order.stockRangeUpper"),
        T("order.overridePercentageConstraints"),
        N("order.volatility"),
        N("order.volatilityType"),
        T("order.deltaNeutralOrderType"),
        N("order.deltaNeutralAuxPrice"),
        When(
            true("order.deltaNeutralOrderType"),
            *_order(
                "deltaNeutralConId deltaNeutralSettlingFirm deltaNeutralClearingAccount deltaNeutralClearingIntent "
                "deltaNeutralOpenClose deltaNeutralShortSale deltaNeutralShortSaleSlot deltaNeutralDesignatedLocation"
            ),
        ),
        T("order.continuousUpdate"),
        N("order.referencePriceType"),
        N("order.trailStopPrice"),
        N("order.trailingPercent"),
        N("order.scaleInitLevelSize"),
        N("order.scaleSubsLevelSize"),
        N("order.scalePriceIncrement"),
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
        *_order("scaleTable activeStartTime activeStopTime"),
        *HEDGE,
        *_order("optOutSmartRouting clearingAccount clearingIntent notHeld"),
        *DELTA_NEUTRAL_CONTRACT,
        *ALGO,
        *_order("algoId whatIf"),
        T("order.orderMiscOptions", hook="tag_values"),
        *_order("solicited randomizeSize randomizePrice"),
        peg_bench_and_conditions(),
        since(
            V.PEGGED_TO_BENCHMARK,
            *_order(
                "adjustedOrderType triggerPrice lmtPriceOffset adjustedStopPrice adjustedStopLimitPrice "
                "adjustedTrailingAmount adjustableTrailingUnit"
            ),
        ),
        T("order.extOperator", since=V.EXT_OPERATOR),
        since(V.SOFT_DOLLAR_TIER, T("order.softDollarTier.name"), T("order.softDollarTier.val")),
        T("order.cashQty", since=V.CASH_QTY),
        since(V.DECISION_MAKER, *_order("mifid2DecisionMaker mifid2DecisionAlgo")),
        since(V.MIFID_EXECUTION, *_order("mifid2ExecutionTrader mifid2ExecutionAlgo")),
        T("order.dontUseAutoPriceForHedge", since=V.AUTO_PRICE_FOR_HEDGE),
        T("order.isOmsContainer", since=V.ORDER_CONTAINER),
        T("order.discretionaryUpToLimitPrice", since=V.D_PEG_ORDERS),
        N("order.usePriceMgmtAlgo", since=V.PRICE_MGMT_ALGO),
        T("order.duration", since=V.DURATION),
        T("order.postToAts", since=V.POST_TO_ATS),
        T("order.autoCancelParent", since=V.AUTO_CANCEL_PARENT),
        T("order.advancedErrorOverride", since=V.ADVANCED_ORDER_REJECT),
        T("order.manualOrderTime", since=V.MANUAL_ORDER_TIME),
        since(
            V.PEGBEST_PEGMID_OFFSETS,
            When(equals("contract.exchange", "IBKRATS"), N("order.minTradeQty")),
            When(
                is_in("order.orderType", *PEG_BEST),
                N("order.minCompeteSize"),
                N("order.competeAgainstBestOffset"),
                When(
                    equals("order.competeAgainstBestOffset", _INFINITE),
                    N("order.midOffsetAtWhole"),
                    N("order.midOffsetAtHalf"),
                ),
            ),
            When(is_in("order.orderType", *PEG_MID), N("order.midOffsetAtWhole"), N("order.midOffsetAtHalf")),
        ),
        T("order.customerAccount", since=V.CUSTOMER_ACCOUNT),
        T("order.professionalCustomer", since=V.PROFESSIONAL_CUSTOMER),
        Skip("", since=V.RFQ_FIELDS, until=V.UNDO_RFQ_FIELDS, name="externalUserId"),
        Skip("2147483647", since=V.RFQ_FIELDS, until=V.UNDO_RFQ_FIELDS, name="manualOrderIndicator"),
        T("order.includeOvernight", since=V.INCLUDE_OVERNIGHT),
        T("order.manualOrderIndicator", since=V.CME_TAGGING_FIELDS),
        T("order.imbalanceOnly", since=V.IMBALANCE_ONLY),
    ),
    proto="PlaceOrderRequest",
    proto_since=V.PROTOBUF_PLACE_ORDER,
    proto_map=(
        (
            4,
            Group(
                "attachedOrders",
                "AttachedOrders",
                (
                    (1, "order.slOrderId"),
                    (2, "order.slOrderType"),
                    (3, "order.ptOrderId"),
                    (4, "order.ptOrderType"),
                ),
            ),
        ),
    ),
    hook="leg_prices",
)

CANCEL_ORDER = outgoing(
    4,
    "cancelOrder",
    Field("orderId", I32, 1),
    Field("orderCancel", ORDER_CANCEL, 2),
    text=(
        Version(1, until=V.CME_TAGGING_FIELDS),
        T("orderId"),
        T("orderCancel.manualOrderCancelTime", since=V.MANUAL_ORDER_TIME),
        Skip("", since=V.RFQ_FIELDS, until=V.UNDO_RFQ_FIELDS, name="extOperator"),
        Skip("", since=V.RFQ_FIELDS, until=V.UNDO_RFQ_FIELDS, name="externalUserId"),
        Skip("2147483647", since=V.RFQ_FIELDS, until=V.UNDO_RFQ_FIELDS, name="manualOrderIndicator"),
        since(
            V.CME_TAGGING_FIELDS,
            T("orderCancel.extOperator"),
            T("orderCancel.manualOrderIndicator"),
        ),
    ),
    proto="CancelOrderRequest",
    proto_since=V.PROTOBUF_PLACE_ORDER,
)

_GLOBAL_CANCEL_TEXT: tuple[Item, ...] = (
    Version(1, until=V.CME_TAGGING_FIELDS),
    since(V.CME_TAGGING_FIELDS, T("orderCancel.extOperator"), T("orderCancel.manualOrderIndicator")),
)

REQ_GLOBAL_CANCEL = outgoing(
    58,
    "reqGlobalCancel",
    Field("orderCancel", ORDER_CANCEL, 1),
    text=_GLOBAL_CANCEL_TEXT,
    proto="GlobalCancelRequest",
    proto_since=V.PROTOBUF_PLACE_ORDER,
)

REQ_OPEN_ORDERS = outgoing(
    5, "reqOpenOrders", version=1, proto="OpenOrdersRequest", proto_since=V.PROTOBUF_COMPLETED_ORDER
)

REQ_AUTO_OPEN_ORDERS = outgoing(
    15,
    "reqAutoOpenOrders",
    Field("bAutoBind", BOOL, 1, proto_name="autoBind"),
    version=1,
    proto="AutoOpenOrdersRequest",
    proto_since=V.PROTOBUF_COMPLETED_ORDER,
)

REQ_ALL_OPEN_ORDERS = outgoing(
    16, "reqAllOpenOrders", version=1, proto="AllOpenOrdersRequest", proto_since=V.PROTOBUF_COMPLETED_ORDER
)

REQ_COMPLETED_ORDERS = outgoing(
    99,
    "reqCompletedOrders",
    Field("apiOnly", BOOL, 1),
    proto="CompletedOrdersRequest",
    proto_since=V.PROTOBUF_COMPLETED_ORDER,
)

REQ_EXECUTIONS = outgoing(
    7,
    "reqExecutions",
    Field("reqId", I32, 1),
    Field("execFilter", EXECUTION_FILTER, 2, proto_name="executionFilter"),
    text=(
        T("reqId"),
        *contract("execFilter.", "clientId acctCode time symbol secType exchange side"),
        since(
            V.PARAMETRIZED_DAYS_OF_EXECUTIONS,
            T("execFilter.lastNDays"),
            Repeat("execFilter.specificDates", T("")),
        ),
    ),
    version=3,
    proto="ExecutionRequest",
    proto_since=V.PROTOBUF,
)
