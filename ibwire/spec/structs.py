"""The shared structs, each written once: names in IB's spelling, kinds, protobuf numbers, unset rules.

Facts: the official package 10.46.1 (class attributes, protobuf descriptors). Data only; see :mod:`ibwire.spec.model`.
"""

from __future__ import annotations

from typing import Final

from ibwire.spec import configstructs as _config
from ibwire.spec import versions as V
from ibwire.spec.model import ALWAYS, BOOL, DEC, F64, I32, I64, IF_SET, STR, Field, Struct

TAG_VALUE: Final = Struct("TagValue", (
    Field("tag", STR, proto=1),
    Field("value", STR, proto=2),
))

SOFT_DOLLAR_TIER: Final = Struct("SoftDollarTier", (
    Field("name", STR, proto=1),
    Field("val", STR, proto=2, proto_name="value"),
    Field("displayName", STR, proto=3),
), proto="SoftDollarTier")

DELTA_NEUTRAL_CONTRACT: Final = Struct("DeltaNeutralContract", (
    Field("conId", I32, proto=1),
    Field("delta", F64, proto=2),
    Field("price", F64, proto=3),
), proto="DeltaNeutralContract")

COMBO_LEG: Final = Struct("ComboLeg", (
    Field("conId", I32, proto=1),
    Field("ratio", I32, proto=2),
    Field("action", STR, proto=3),
    Field("exchange", STR, proto=4),
    Field("openClose", I32, proto=5),
    Field("shortSaleSlot", I32, proto=6, proto_name="shortSalesSlot"),
    Field("designatedLocation", STR, proto=7),
    Field("exemptCode", I32, proto=8, default=-1),
    Field("perLegPrice", F64, proto=9, nullable=True, doc="only protobuf carries it here; text: orderComboLegs"),
), proto="ComboLeg")

CONTRACT: Final = Struct("Contract", (
    Field("conId", I32, proto=1),
    Field("symbol", STR, proto=2),
    Field("secType", STR, proto=3),
    Field("lastTradeDateOrContractMonth", STR, proto=4),
    Field("lastTradeDate", STR, proto=21, only="incoming"),
    Field("strike", F64, proto=5, nullable=True),
    Field("right", STR, proto=6),
    Field("multiplier", STR, proto=7, proto_kind="double", hook="float8_text"),
    Field("exchange", STR, proto=8),
    Field("primaryExchange", STR, proto=9, proto_name="primaryExch"),
    Field("currency", STR, proto=10),
    Field("localSymbol", STR, proto=11),
    Field("tradingClass", STR, proto=12),
    Field("includeExpired", BOOL, proto=18, only="outgoing"),
    Field("secIdType", STR, proto=13, only="outgoing"),
    Field("secId", STR, proto=14, only="outgoing"),
    Field("description", STR, proto=15),
    Field("issuerId", STR, proto=16),
    Field("comboLegsDescrip", STR, proto=19),
    Field("comboLegs", COMBO_LEG, proto=20, many=True, official=()),
    Field("deltaNeutralContract", DELTA_NEUTRAL_CONTRACT, proto=17, optional=True),
), proto="Contract")

INELIGIBILITY_REASON: Final = Struct("IneligibilityReason", (
    Field("id_", STR, proto=1, proto_name="id", official_proto="None"),
    Field("description", STR, proto=2, official_proto="None"),
), proto="IneligibilityReason")

CONTRACT_DETAILS: Final = Struct("ContractDetails", (
    Field("contract", CONTRACT),
    Field("marketName", STR, proto=1),
    Field("minTick", F64, proto=2, proto_kind="string"),
    Field("orderTypes", STR, proto=3),
    Field("validExchanges", STR, proto=4),
    Field("priceMagnifier", I32, proto=5),
    Field("underConId", I32, proto=6),
    Field("longName", STR, proto=7),
    Field("contractMonth", STR, proto=8),
    Field("industry", STR, proto=9),
    Field("category", STR, proto=10),
    Field("subcategory", STR, proto=11),
    Field("timeZoneId", STR, proto=12),
    Field("tradingHours", STR, proto=13),
    Field("liquidHours", STR, proto=14),
    Field("evRule", STR, proto=15),
    Field("evMultiplier", F64, proto=16, default=0),
    Field("aggGroup", I32, proto=18),
    Field("underSymbol", STR, proto=19),
    Field("underSecType", STR, proto=20),
    Field("marketRuleIds", STR, proto=21),
    Field("secIdList", TAG_VALUE, proto=17, many=True, is_map=True, official_proto=()),
    Field("realExpirationDate", STR, proto=22),
    Field("lastTradeTime", STR),
    Field("stockType", STR, proto=23),
    Field("minSize", DEC, proto=24, nullable=True),
    Field("sizeIncrement", DEC, proto=25, nullable=True),
    Field("suggestedSizeIncrement", DEC, proto=26, nullable=True),
    Field("minAlgoSize", DEC, proto=62, nullable=True),
    Field("lastPricePrecision", DEC, proto=63, nullable=True),
    Field("lastSizePrecision", DEC, proto=64, nullable=True),
    Field("cusip", STR, proto=44),
    Field("ratings", STR, proto=46),
    Field("descAppend", STR, proto=53),
    Field("bondType", STR, proto=47),
    Field("couponType", STR, proto=49),
    Field("callable", BOOL, proto=51),
    Field("putable", BOOL, proto=52, proto_name="puttable"),
    Field("coupon", F64, proto=48, default=0),
    Field("convertible", BOOL, proto=50),
    Field("maturity", STR),
    Field("issueDate", STR, proto=45),
    Field("nextOptionDate", STR, proto=54),
    Field("nextOptionType", STR, proto=55),
    Field("nextOptionPartial", BOOL, proto=56),
    Field("notes", STR, proto=57, proto_name="bondNotes"),
    Field("fundName", STR, proto=27),
    Field("fundFamily", STR, proto=28),
    Field("fundType", STR, proto=29),
    Field("fundFrontLoad", STR, proto=30),
    Field("fundBackLoad", STR, proto=31),
    Field("fundBackLoadTimeInterval", STR, proto=32),
    Field("fundManagementFee", STR, proto=33),
    Field("fundClosed", BOOL, proto=34),
    Field("fundClosedForNewInvestors", BOOL, proto=35),
    Field("fundClosedForNewMoney", BOOL, proto=36),
    Field("fundNotifyAmount", STR, proto=37),
    Field("fundMinimumInitialPurchase", STR, proto=38),
    Field("fundSubsequentMinimumPurchase", STR, proto=39, proto_name="fundMinimumSubsequentPurchase"),
    Field("fundBlueSkyStates", STR, proto=40),
    Field("fundBlueSkyTerritories", STR, proto=41),
    Field("fundDistributionPolicyIndicator", STR, proto=42),
    Field("fundAssetType", STR, proto=43),
    Field("ineligibilityReasonList", INELIGIBILITY_REASON, proto=58, many=True),
    Field("eventContract1", STR, proto=59),
    Field("eventContractDescription1", STR, proto=60),
    Field("eventContractDescription2", STR, proto=61),
), proto="ContractDetails")

ORDER_COMBO_LEG: Final = Struct("OrderComboLeg", (
    Field("price", F64, nullable=True),
))

ORDER_CONDITION: Final = Struct("OrderCondition", (
    Field("condType", I32, proto=1, proto_name="type", send=ALWAYS),
    Field("isConjunctionConnection", BOOL, proto=2, default=True, send=ALWAYS),
    Field("isMore", BOOL, proto=3, nullable=True, send=IF_SET),
    Field("conId", I32, proto=4, nullable=True),
    Field("exchange", STR, proto=5),
    Field("symbol", STR, proto=6),
    Field("secType", STR, proto=7),
    Field("percent", F64, proto=8, nullable=True, proto_kind="int32"),
    Field("changePercent", F64, proto=9, nullable=True),
    Field("price", F64, proto=10, nullable=True),
    Field("triggerMethod", I32, proto=11, nullable=True),
    Field("time", STR, proto=12),
    Field("volume", I32, proto=13, nullable=True),
), proto="OrderCondition", doc="The union of the six condition types; ``condType`` says which fields count")

ORDER: Final = Struct("Order", (
    Field("softDollarTier", SOFT_DOLLAR_TIER, proto=105),
    Field("orderId", I32, proto=2, only="incoming"),
    Field("clientId", I32, proto=1),
    Field("permId", I64, proto=3),
    Field("action", STR, proto=5),
    Field("totalQuantity", DEC, proto=6, nullable=True),
    Field("orderType", STR, proto=8),
    Field("lmtPrice", F64, proto=9, nullable=True),
    Field("auxPrice", F64, proto=10, nullable=True),
    Field("tif", STR, proto=11),
    Field("activeStartTime", STR, proto=32),
    Field("activeStopTime", STR, proto=33),
    Field("ocaGroup", STR, proto=27),
    Field("ocaType", I32, proto=30),
    Field("orderRef", STR, proto=28),
    Field("transmit", BOOL, proto=66, default=True, only="outgoing"),
    Field("parentId", I32, proto=4),
    Field("blockOrder", BOOL, proto=17),
    Field("sweepToFill", BOOL, proto=20),
    Field("displaySize", I32, proto=7, nullable=True, default=0),
    Field("triggerMethod", I32, proto=31),
    Field("outsideRth", BOOL, proto=19),
    Field("hidden", BOOL, proto=18),
    Field("goodAfterTime", STR, proto=25),
    Field("goodTillDate", STR, proto=26),
    Field("rule80A", STR, proto=29),
    Field("allOrNone", BOOL, proto=16),
    Field("minQty", I32, proto=24, nullable=True),
    Field("percentOffset", F64, proto=21, nullable=True),
    Field("overridePercentageConstraints", BOOL, proto=67, only="outgoing"),
    Field("trailStopPrice", F64, proto=23, nullable=True),
    Field("trailingPercent", F64, proto=22, nullable=True),
    Field("faGroup", STR, proto=34),
    Field("faMethod", STR, proto=35),
    Field("faPercentage", STR, proto=36),
    Field("designatedLocation", STR, proto=71),
    Field("openClose", STR, proto=68),
    Field("origin", I32, proto=69),
    Field("shortSaleSlot", I32, proto=70),
    Field("exemptCode", I32, proto=72, default=-1),
    Field("discretionaryAmt", F64, proto=76, default=0),
    Field("optOutSmartRouting", BOOL, proto=77),
    Field("auctionStrategy", I32),
    Field("startingPrice", F64, proto=78, nullable=True),
    Field("stockRefPrice", F64, proto=79, nullable=True),
    Field("delta", F64, proto=80, nullable=True),
    Field("stockRangeLower", F64, proto=81, nullable=True),
    Field("stockRangeUpper", F64, proto=82, nullable=True),
    Field("randomizePrice", BOOL, proto=87),
    Field("randomizeSize", BOOL, proto=86),
    Field("volatility", F64, proto=37, nullable=True),
    Field("volatilityType", I32, proto=38, nullable=True),
    Field("deltaNeutralOrderType", STR, proto=41),
    Field("deltaNeutralAuxPrice", F64, proto=42, nullable=True),
    Field("deltaNeutralConId", I32, proto=43),
    Field("deltaNeutralSettlingFirm", STR, proto=73),
    Field("deltaNeutralClearingAccount", STR, proto=74),
    Field("deltaNeutralClearingIntent", STR, proto=75),
    Field("deltaNeutralOpenClose", STR, proto=44),
    Field("deltaNeutralShortSale", BOOL, proto=45),
    Field("deltaNeutralShortSaleSlot", I32, proto=46),
    Field("deltaNeutralDesignatedLocation", STR, proto=47),
    Field("continuousUpdate", BOOL, proto=39),
    Field("referencePriceType", I32, proto=40, nullable=True),
    Field("basisPoints", F64, nullable=True),
    Field("basisPointsType", I32, nullable=True),
    Field("scaleInitLevelSize", I32, proto=48, nullable=True),
    Field("scaleSubsLevelSize", I32, proto=49, nullable=True),
    Field("scalePriceIncrement", F64, proto=50, nullable=True),
    Field("scalePriceAdjustValue", F64, proto=51, nullable=True),
    Field("scalePriceAdjustInterval", I32, proto=52, nullable=True),
    Field("scaleProfitOffset", F64, proto=53, nullable=True),
    Field("scaleAutoReset", BOOL, proto=54),
    Field("scaleInitPosition", I32, proto=55, nullable=True),
    Field("scaleInitFillQty", I32, proto=56, nullable=True),
    Field("scaleRandomPercent", BOOL, proto=57),
    Field("scaleTable", STR, proto=58, only="outgoing"),
    Field("hedgeType", STR, proto=59),
    Field("hedgeParam", STR, proto=60),
    Field("hedgeMaxSize", I32, proto=144, nullable=True, since=V.HEDGE_MAX_SIZE),
    Field("account", STR, proto=12),
    Field("settlingFirm", STR, proto=13),
    Field("clearingAccount", STR, proto=14),
    Field("clearingIntent", STR, proto=15),
    Field("algoStrategy", STR, proto=61),
    Field("algoParams", TAG_VALUE, proto=62, many=True, is_map=True),
    Field("smartComboRoutingParams", TAG_VALUE, proto=64, many=True, is_map=True, official_proto=()),
    Field("algoId", STR, proto=63, only="outgoing"),
    Field("whatIf", BOOL, proto=65),
    Field("notHeld", BOOL, proto=83),
    Field("solicited", BOOL, proto=85),
    Field("modelCode", STR, proto=103),
    Field("orderComboLegs", ORDER_COMBO_LEG, many=True),
    Field("orderMiscOptions", TAG_VALUE, proto=84, many=True, is_map=True, only="outgoing"),
    Field("referenceContractId", I32, proto=88),
    Field("peggedChangeAmount", F64, proto=89),
    Field("isPeggedChangeAmountDecrease", BOOL, proto=90),
    Field("referenceChangeAmount", F64, proto=91),
    Field("referenceExchangeId", STR, proto=92),
    Field("adjustedOrderType", STR, proto=93),
    Field("triggerPrice", F64, proto=94, nullable=True),
    Field("adjustedStopPrice", F64, proto=95, nullable=True),
    Field("adjustedStopLimitPrice", F64, proto=96, nullable=True),
    Field("adjustedTrailingAmount", F64, proto=97, nullable=True),
    Field("adjustableTrailingUnit", I32, proto=98),
    Field("lmtPriceOffset", F64, proto=99, nullable=True),
    Field("conditions", ORDER_CONDITION, proto=100, many=True, official=()),
    Field("conditionsCancelOrder", BOOL, proto=101),
    Field("conditionsIgnoreRth", BOOL, proto=102),
    Field("extOperator", STR, proto=104),
    Field("cashQty", F64, proto=106, nullable=True),
    Field("mifid2DecisionMaker", STR, proto=107, only="outgoing"),
    Field("mifid2DecisionAlgo", STR, proto=108, only="outgoing"),
    Field("mifid2ExecutionTrader", STR, proto=109, only="outgoing"),
    Field("mifid2ExecutionAlgo", STR, proto=110, only="outgoing"),
    Field("dontUseAutoPriceForHedge", BOOL, proto=111),
    Field("isOmsContainer", BOOL, proto=112),
    Field("discretionaryUpToLimitPrice", BOOL, proto=113),
    Field("autoCancelDate", STR, proto=114, only="incoming"),
    Field("filledQuantity", DEC, proto=115, nullable=True, only="incoming"),
    Field("refFuturesConId", I32, proto=116, only="incoming"),
    Field("autoCancelParent", BOOL, proto=117),
    Field("shareholder", STR, proto=118, only="incoming"),
    Field("imbalanceOnly", BOOL, proto=119),
    Field(
        "routeMarketableToBbo", BOOL, proto=120, nullable=True, official=None, proto_kind="int32",
        since=V.ADDITIONAL_ORDER_PARAMS_2,
    ),
    Field("parentPermId", I64, proto=121, only="incoming"),
    Field("usePriceMgmtAlgo", BOOL, proto=122, nullable=True, official=None, proto_kind="int32"),
    Field("duration", I32, proto=123, nullable=True),
    Field("postToAts", I32, proto=124, nullable=True),
    Field("advancedErrorOverride", STR, proto=125, only="outgoing"),
    Field("manualOrderTime", STR, proto=126, only="outgoing"),
    Field("minTradeQty", I32, proto=127, nullable=True),
    Field("minCompeteSize", I32, proto=128, nullable=True),
    Field("competeAgainstBestOffset", F64, proto=129, nullable=True),
    Field("midOffsetAtWhole", F64, proto=130, nullable=True),
    Field("midOffsetAtHalf", F64, proto=131, nullable=True),
    Field("customerAccount", STR, proto=132),
    Field("professionalCustomer", BOOL, proto=133),
    Field("bondAccruedInterest", STR, proto=134),
    Field("includeOvernight", BOOL, proto=135),
    Field("manualOrderIndicator", I32, proto=136, nullable=True),
    Field("submitter", STR, proto=137),
    Field("postOnly", BOOL, proto=139, since=V.ADDITIONAL_ORDER_PARAMS_1),
    Field("allowPreOpen", BOOL, proto=140, since=V.ADDITIONAL_ORDER_PARAMS_1),
    Field("ignoreOpenAuction", BOOL, proto=141, since=V.ADDITIONAL_ORDER_PARAMS_1),
    Field("deactivate", BOOL, proto=138, since=V.ADDITIONAL_ORDER_PARAMS_1),
    Field(
        "seekPriceImprovement", BOOL, proto=142, nullable=True, official=None, proto_kind="int32",
        since=V.ADDITIONAL_ORDER_PARAMS_2,
    ),
    Field("whatIfType", I32, proto=143, nullable=True, since=V.ADDITIONAL_ORDER_PARAMS_2),
    Field("slOrderId", I32, nullable=True, since=V.ATTACHED_ORDERS),
    Field("slOrderType", STR, since=V.ATTACHED_ORDERS),
    Field("ptOrderId", I32, nullable=True, since=V.ATTACHED_ORDERS),
    Field("ptOrderType", STR, since=V.ATTACHED_ORDERS),
), proto="Order")

ORDER_CANCEL: Final = Struct("OrderCancel", (
    Field("manualOrderCancelTime", STR, proto=1),
    Field("extOperator", STR, proto=2),
    Field("manualOrderIndicator", I32, proto=3, nullable=True),
), proto="OrderCancel")

ORDER_ALLOCATION: Final = Struct("OrderAllocation", (
    Field("account", STR, proto=1),
    Field("position", DEC, proto=2, nullable=True),
    Field("positionDesired", DEC, proto=3, nullable=True),
    Field("positionAfter", DEC, proto=4, nullable=True),
    Field("desiredAllocQty", DEC, proto=5, nullable=True),
    Field("allowedAllocQty", DEC, proto=6, nullable=True),
    Field("isMonetary", BOOL, proto=7),
), proto="OrderAllocation")

ORDER_STATE: Final = Struct("OrderState", (
    Field("status", STR, proto=1),
    Field("initMarginBefore", STR, proto=2, proto_kind="double", hook="plain_text"),
    Field("maintMarginBefore", STR, proto=3, proto_kind="double", hook="plain_text"),
    Field("equityWithLoanBefore", STR, proto=4, proto_kind="double", hook="plain_text"),
    Field("initMarginChange", STR, proto=5, proto_kind="double", hook="plain_text"),
    Field("maintMarginChange", STR, proto=6, proto_kind="double", hook="plain_text"),
    Field("equityWithLoanChange", STR, proto=7, proto_kind="double", hook="plain_text"),
    Field("initMarginAfter", STR, proto=8, proto_kind="double", hook="plain_text"),
    Field("maintMarginAfter", STR, proto=9, proto_kind="double", hook="plain_text"),
    Field("equityWithLoanAfter", STR, proto=10, proto_kind="double", hook="plain_text"),
    Field("commissionAndFees", F64, proto=11, nullable=True),
    Field("minCommissionAndFees", F64, proto=12, nullable=True),
    Field("maxCommissionAndFees", F64, proto=13, nullable=True),
    Field("commissionAndFeesCurrency", STR, proto=14),
    Field("marginCurrency", STR, proto=15),
    Field("initMarginBeforeOutsideRTH", F64, proto=16, nullable=True),
    Field("maintMarginBeforeOutsideRTH", F64, proto=17, nullable=True),
    Field("equityWithLoanBeforeOutsideRTH", F64, proto=18, nullable=True),
    Field("initMarginChangeOutsideRTH", F64, proto=19, nullable=True),
    Field("maintMarginChangeOutsideRTH", F64, proto=20, nullable=True),
    Field("equityWithLoanChangeOutsideRTH", F64, proto=21, nullable=True),
    Field("initMarginAfterOutsideRTH", F64, proto=22, nullable=True),
    Field("maintMarginAfterOutsideRTH", F64, proto=23, nullable=True),
    Field("equityWithLoanAfterOutsideRTH", F64, proto=24, nullable=True),
    Field("suggestedSize", DEC, proto=25, nullable=True),
    Field("rejectReason", STR, proto=26),
    Field("orderAllocations", ORDER_ALLOCATION, proto=27, many=True),
    Field("warningText", STR, proto=28),
    Field("completedTime", STR, proto=29),
    Field("completedStatus", STR, proto=30),
), proto="OrderState")

EXECUTION: Final = Struct("Execution", (
    Field("execId", STR, proto=2),
    Field("time", STR, proto=3),
    Field("acctNumber", STR, proto=4),
    Field("exchange", STR, proto=5),
    Field("side", STR, proto=6),
    Field("shares", DEC, proto=7, nullable=True),
    Field("price", F64, proto=8),
    Field("permId", I64, proto=9),
    Field("clientId", I32, proto=10),
    Field("orderId", I32, proto=1),
    Field("liquidation", I32, proto=11, proto_name="isLiquidation", proto_kind="bool"),
    Field("cumQty", DEC, proto=12, nullable=True),
    Field("avgPrice", F64, proto=13),
    Field("orderRef", STR, proto=14),
    Field("evRule", STR, proto=15),
    Field("evMultiplier", F64, proto=16),
    Field("modelCode", STR, proto=17),
    Field("lastLiquidity", I32, proto=18),
    Field("pendingPriceRevision", BOOL, proto=19, proto_name="isPriceRevisionPending"),
    Field("submitter", STR, proto=20),
    Field("optExerciseOrLapseType", I32, proto=21, nullable=True, official=-1),
), proto="Execution")

EXECUTION_FILTER: Final = Struct("ExecutionFilter", (
    Field("clientId", I32, proto=1),
    Field("acctCode", STR, proto=2),
    Field("time", STR, proto=3),
    Field("symbol", STR, proto=4),
    Field("secType", STR, proto=5),
    Field("exchange", STR, proto=6),
    Field("side", STR, proto=7),
    Field("lastNDays", I32, proto=8, nullable=True),
    Field("specificDates", I32, proto=9, many=True),
), proto="ExecutionFilter")

TICK_ATTRIB: Final = Struct("TickAttrib", (
    # Without a mask in protobuf the official client reads an unset integer: all bits.
    Field("canAutoExecute", BOOL, official_proto=True),
    Field("pastLimit", BOOL, official_proto=True),
    Field("preOpen", BOOL, official_proto=True),
))

TICK_ATTRIB_BID_ASK: Final = Struct("TickAttribBidAsk", (
    Field("bidPastLow", BOOL, proto=1),
    Field("askPastHigh", BOOL, proto=2),
), proto="TickAttribBidAsk")

TICK_ATTRIB_LAST: Final = Struct("TickAttribLast", (
    Field("pastLimit", BOOL, proto=1),
    Field("unreported", BOOL, proto=2),
), proto="TickAttribLast")

COMMISSION_AND_FEES_REPORT: Final = Struct("CommissionAndFeesReport", (
    Field("execId", STR, proto=1),
    Field("commissionAndFees", F64, proto=2),
    Field("currency", STR, proto=3),
    Field("realizedPNL", F64, proto=4),
    Field("yield_", F64, proto=5, proto_name="bondYield"),
    Field("yieldRedemptionDate", I32, proto=6, proto_kind="string"),
), proto="CommissionAndFeesReport")

SCANNER_SUBSCRIPTION: Final = Struct("ScannerSubscription", (
    Field("numberOfRows", I32, proto=1, nullable=True, default=-1),
    Field("instrument", STR, proto=2),
    Field("locationCode", STR, proto=3),
    Field("scanCode", STR, proto=4),
    Field("abovePrice", F64, proto=5, nullable=True),
    Field("belowPrice", F64, proto=6, nullable=True),
    Field("aboveVolume", I32, proto=7, nullable=True, proto_kind="int64"),
    Field("marketCapAbove", F64, proto=8, nullable=True),
    Field("marketCapBelow", F64, proto=9, nullable=True),
    Field("moodyRatingAbove", STR, proto=10),
    Field("moodyRatingBelow", STR, proto=11),
    Field("spRatingAbove", STR, proto=12),
    Field("spRatingBelow", STR, proto=13),
    Field("maturityDateAbove", STR, proto=14),
    Field("maturityDateBelow", STR, proto=15),
    Field("couponRateAbove", F64, proto=16, nullable=True),
    Field("couponRateBelow", F64, proto=17, nullable=True),
    Field("excludeConvertible", BOOL, proto=18),
    Field("averageOptionVolumeAbove", I32, proto=19, nullable=True, proto_kind="int64"),
    Field("scannerSettingPairs", STR, proto=20),
    Field("stockTypeFilter", STR, proto=21),
), proto="ScannerSubscription")

BAR_DATA: Final = Struct("BarData", (
    Field("date", STR, proto=1),
    Field("open", F64, proto=2, nullable=True, official=0.0),
    Field("high", F64, proto=3, nullable=True, official=0.0),
    Field("low", F64, proto=4, nullable=True, official=0.0),
    Field("close", F64, proto=5, nullable=True, official=0.0),
    Field("volume", DEC, proto=6, nullable=True),
    Field("wap", DEC, proto=7, proto_name="WAP", nullable=True),
    Field("barCount", I32, proto=8),
), proto="HistoricalDataBar")

REAL_TIME_BAR: Final = Struct("RealTimeBar", (
    Field("time", I64, proto=2),
    Field("endTime", I32, default=-1),
    Field("open_", F64, proto=3, proto_name="open"),
    Field("high", F64, proto=4),
    Field("low", F64, proto=5),
    Field("close", F64, proto=6),
    Field("volume", DEC, proto=7, nullable=True),
    Field("wap", DEC, proto=8, proto_name="WAP", nullable=True),
    Field("count", I32, proto=9),
), proto="RealTimeBarTick")

HISTOGRAM_DATA: Final = Struct("HistogramData", (
    Field("price", F64, proto=1),
    Field("size", DEC, proto=2, nullable=True),
), proto="HistogramDataEntry")

NEWS_PROVIDER: Final = Struct("NewsProvider", (
    Field("code", STR, proto=1, proto_name="providerCode"),
    Field("name", STR, proto=2, proto_name="providerName"),
), proto="NewsProvider")

DEPTH_MKT_DATA_DESCRIPTION: Final = Struct("DepthMktDataDescription", (
    Field("exchange", STR, proto=1),
    Field("secType", STR, proto=2),
    Field("listingExch", STR, proto=3),
    Field("serviceDataType", STR, proto=4),
    Field("aggGroup", I32, proto=5, nullable=True),
), proto="DepthMarketDataDescription")

SMART_COMPONENT: Final = Struct("SmartComponent", (
    Field("bitNumber", I32, proto=1),
    Field("exchange", STR, proto=2),
    Field("exchangeLetter", STR, proto=3, official_proto=" "),
), proto="SmartComponent")

CONTRACT_DESCRIPTION: Final = Struct("ContractDescription", (
    Field("contract", CONTRACT, proto=1),
    Field("derivativeSecTypes", STR, proto=2, many=True, official=()),
), proto="ContractDescription")

FAMILY_CODE: Final = Struct("FamilyCode", (
    Field("accountID", STR, proto=1, proto_name="accountId"),
    Field("familyCodeStr", STR, proto=2, proto_name="familyCode"),
), proto="FamilyCode")

PRICE_INCREMENT: Final = Struct("PriceIncrement", (
    Field("lowEdge", F64, proto=1),
    Field("increment", F64, proto=2),
), proto="PriceIncrement")

HISTORICAL_TICK: Final = Struct("HistoricalTick", (
    Field("time", I64, proto=1),
    Field("price", F64, proto=2),
    Field("size", DEC, proto=3, nullable=True),
), proto="HistoricalTick")

HISTORICAL_TICK_BID_ASK: Final = Struct("HistoricalTickBidAsk", (
    Field("time", I64, proto=1),
    Field("tickAttribBidAsk", TICK_ATTRIB_BID_ASK, proto=2),
    Field("priceBid", F64, proto=3),
    Field("priceAsk", F64, proto=4),
    Field("sizeBid", DEC, proto=5, nullable=True),
    Field("sizeAsk", DEC, proto=6, nullable=True),
), proto="HistoricalTickBidAsk")

HISTORICAL_TICK_LAST: Final = Struct("HistoricalTickLast", (
    Field("time", I64, proto=1),
    Field("tickAttribLast", TICK_ATTRIB_LAST, proto=2),
    Field("price", F64, proto=3),
    Field("size", DEC, proto=4, nullable=True),
    Field("exchange", STR, proto=5),
    Field("specialConditions", STR, proto=6),
), proto="HistoricalTickLast")

HISTORICAL_SESSION: Final = Struct("HistoricalSession", (
    Field("startDateTime", STR, proto=1),
    Field("endDateTime", STR, proto=2),
    Field("refDate", STR, proto=3),
), proto="HistoricalSession")

WSH_EVENT_DATA: Final = Struct("WshEventData", (
    Field("conId", I32, proto=2, nullable=True),
    Field("filter", STR, proto=3),
    Field("fillWatchlist", BOOL, proto=4),
    Field("fillPortfolio", BOOL, proto=5),
    Field("fillCompetitors", BOOL, proto=6),
    Field("startDate", STR, proto=7),
    Field("endDate", STR, proto=8),
    Field("totalLimit", I32, proto=9, nullable=True),
), proto="WshEventDataRequest")

LOCK_AND_EXIT_CONFIG: Final = _config.LOCK_AND_EXIT_CONFIG
MESSAGE_CONFIG: Final = _config.MESSAGE_CONFIG
API_PRECAUTIONS_CONFIG: Final = _config.API_PRECAUTIONS_CONFIG
API_SETTINGS_CONFIG: Final = _config.API_SETTINGS_CONFIG
API_CONFIG: Final = _config.API_CONFIG
ORDERS_SMART_ROUTING_CONFIG: Final = _config.ORDERS_SMART_ROUTING_CONFIG
ORDERS_CONFIG: Final = _config.ORDERS_CONFIG
UPDATE_CONFIG_WARNING: Final = _config.UPDATE_CONFIG_WARNING

ALL: Final[tuple[Struct, ...]] = tuple(s for s in list(globals().values()) if isinstance(s, Struct))
"""Every shared struct, in an order in which each stands after those it is made of."""
