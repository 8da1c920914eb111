"""Contract details and what instruments there are."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import TAG_VALUES, contract
from ibwire.spec.model import (
    F64,
    I32,
    STR,
    Call,
    Field,
    Item,
    Kind,
    Repeat,
    Skip,
    T,
    TextRule,
    Version,
    When,
    equals,
    ge,
    incoming,
    req_id,
    since,
)
from ibwire.spec.structs import CONTRACT_DESCRIPTION, CONTRACT_DETAILS, PRICE_INCREMENT

_D = "contractDetails."
_C = "contractDetails.contract."

_MD_SIZE_MULTIPLIER = Skip("1", since=V.MD_SIZE_MULTIPLIER, until=V.SIZE_RULES, name="mdSizeMultiplier")
_EV: tuple[Item, ...] = (T(f"{_D}evRule"), T(f"{_D}evMultiplier", kind=Kind.I32))
_SEC_IDS = Repeat(f"{_D}secIdList", *TAG_VALUES)
_SIZES = since(V.SIZE_RULES, *contract(_D, "minSize sizeIncrement suggestedSizeIncrement"))
_PROTO_MAP = ((2, "contractDetails.contract"), (3, "contractDetails"))

CONTRACT_DATA = incoming(
    10,
    "contractData",
    req_id(official_text=-1),
    Field("contractDetails", CONTRACT_DETAILS),
    text=(
        When(ge("@version", 3), T("reqId")),
        *contract(_C, "symbol secType lastTradeDateOrContractMonth"),
        T(f"{_C}lastTradeDate", since=V.LAST_TRADE_DATE),
        *contract(_C, "strike right exchange currency localSymbol"),
        T(f"{_D}marketName"),
        T(f"{_C}tradingClass"),
        T(f"{_C}conId"),
        T(f"{_D}minTick"),
        _MD_SIZE_MULTIPLIER,
        T(f"{_C}multiplier"),
        *contract(_D, "orderTypes validExchanges priceMagnifier"),
        When(ge("@version", 4), T(f"{_D}underConId")),
        When(ge("@version", 5), T(f"{_D}longName", rule=TextRule.ESCAPED), T(f"{_C}primaryExchange")),
        When(
            ge("@version", 6),
            *contract(_D, "contractMonth industry category subcategory timeZoneId tradingHours liquidHours"),
        ),
        When(ge("@version", 8), *_EV),
        When(ge("@version", 7), _SEC_IDS),
        T(f"{_D}aggGroup", since=V.AGG_GROUP),
        since(V.UNDERLYING_INFO, *contract(_D, "underSymbol underSecType")),
        T(f"{_D}marketRuleIds", since=V.MARKET_RULES),
        T(f"{_D}realExpirationDate", since=V.REAL_EXPIRATION_DATE),
        T(f"{_D}stockType", since=V.STOCK_TYPE),
        Skip("", since=V.FRACTIONAL_SIZE_SUPPORT, until=V.SIZE_RULES, name="sizeMinTick"),
        _SIZES,
        since(
            V.FUND_DATA_FIELDS,
            When(
                equals(f"{_C}secType", "FUND"),
                *contract(
                    _D,
                    "fundName fundFamily fundType fundFrontLoad fundBackLoad fundBackLoadTimeInterval "
                    "fundManagementFee fundClosed fundClosedForNewInvestors fundClosedForNewMoney fundNotifyAmount "
                    "fundMinimumInitialPurchase fundSubsequentMinimumPurchase fundBlueSkyStates "
                    "fundBlueSkyTerritories fundDistributionPolicyIndicator fundAssetType",
                ),
            ),
        ),
        since(V.INELIGIBILITY_REASONS, Repeat(f"{_D}ineligibilityReasonList", T("id_"), T("description"))),
    ),
    version=Version(8, until=V.SIZE_RULES, absent=8),
    proto="ContractData",
    proto_since=V.PROTOBUF_CONTRACT_DATA,
    proto_map=_PROTO_MAP,
    hook="last_trade_date",
    calls=Call("contractDetails"),
)

BOND_CONTRACT_DATA = incoming(
    18,
    "bondContractData",
    req_id(official_text=-1),
    Field("contractDetails", CONTRACT_DETAILS),
    text=(
        When(ge("@version", 3), T("reqId")),
        *contract(_C, "symbol secType"),
        *contract(
            _D,
            "cusip coupon maturity issueDate ratings bondType couponType convertible callable putable descAppend",
        ),
        *contract(_C, "exchange currency"),
        T(f"{_D}marketName"),
        *contract(_C, "tradingClass conId"),
        T(f"{_D}minTick"),
        _MD_SIZE_MULTIPLIER,
        *contract(_D, "orderTypes validExchanges nextOptionDate nextOptionType nextOptionPartial notes"),
        When(ge("@version", 4), T(f"{_D}longName")),
        since(V.BOND_TRADING_HOURS, *contract(_D, "timeZoneId tradingHours liquidHours")),
        When(ge("@version", 6), *_EV),
        When(ge("@version", 5), _SEC_IDS),
        T(f"{_D}aggGroup", since=V.AGG_GROUP),
        T(f"{_D}marketRuleIds", since=V.MARKET_RULES),
        _SIZES,
    ),
    version=Version(6, until=V.SIZE_RULES, absent=6),
    proto="ContractData",
    proto_since=V.PROTOBUF_CONTRACT_DATA,
    proto_map=_PROTO_MAP,
    hook="maturity",
    calls=Call("bondContractDetails"),
)

CONTRACT_DATA_END = incoming(
    52,
    "contractDetailsEnd",
    req_id(),
    version=1,
    proto="ContractDataEnd",
    proto_since=V.PROTOBUF_CONTRACT_DATA,
)

OPTION_PARAMETERS = incoming(
    75,
    "securityDefinitionOptionParameter",
    req_id(),
    Field("exchange", STR, 2),
    Field("underlyingConId", I32, 3),
    Field("tradingClass", STR, 4),
    Field("multiplier", STR, 5),
    Field("expirations", STR, 6, many=True),
    Field("strikes", F64, 7, many=True),
    text=(
        *contract("", "reqId exchange underlyingConId tradingClass multiplier"),
        Repeat("expirations", T("")),
        Repeat("strikes", T("")),
    ),
    since=V.SEC_DEF_OPT_PARAMS_REQ,
    proto="SecDefOptParameter",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
    calls=Call(
        "securityDefinitionOptionParameter",
        ("reqId", "exchange", "underlyingConId", "tradingClass", "multiplier", "*expirations", "*strikes"),
    ),
)

OPTION_PARAMETERS_END = incoming(
    76,
    "securityDefinitionOptionParameterEnd",
    req_id(),
    since=V.SEC_DEF_OPT_PARAMS_REQ,
    proto="SecDefOptParameterEnd",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

SYMBOL_SAMPLES = incoming(
    79,
    "symbolSamples",
    req_id(),
    Field("contractDescriptions", CONTRACT_DESCRIPTION, 2, many=True, official=()),
    text=(
        T("reqId"),
        Repeat(
            "contractDescriptions",
            *contract("contract.", "conId symbol secType primaryExchange currency"),
            Repeat("derivativeSecTypes", T("")),
            since(V.BOND_ISSUERID, T("contract.description"), T("contract.issuerId")),
        ),
    ),
    since=V.REQ_MATCHING_SYMBOLS,
    proto="SymbolSamples",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

MARKET_RULE = incoming(
    93,
    "marketRule",
    Field("marketRuleId", I32, 1),
    Field("priceIncrements", PRICE_INCREMENT, 2, many=True, official=()),
    text=(T("marketRuleId"), Repeat("priceIncrements", T("lowEdge"), T("increment"))),
    since=V.MARKET_RULES,
    proto="MarketRule",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)
