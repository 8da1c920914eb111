"""What compat needs beside the spec: string forms of the official classes, and names that differ from the rows'.

Data only; :mod:`tools.gen_compat` makes ``ibwire/compat`` from this and the spec. A string form is a template: text,
and attributes in braces, each written as its kind asks (numbers without sentinels, floats with at most 8 digits).
``{x!n}`` writes an attribute as it is, ``{x!i}`` as a whole number, ``{x!d}`` a bool as 0 or 1; ``{+name}`` calls a
function of :mod:`ibwire.compat._text`. No template: the class prints as the base class does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ibwire.wire.plan import UNSET_DOUBLE


class OfficialClass(NamedTuple):
    """One class: its module, docstring and string form. ``keywords``: the attributes are constructor arguments."""

    module: str
    doc: str
    text: str = ""
    keywords: bool = False
    plain_base: bool = False


def _list(names: str, separator: str = ",") -> str:
    return separator.join(f"{{{name}}}" for name in names.split())


def _labels(pairs: str) -> str:
    """``Label=attribute`` pairs to ``Label: {attribute}, ...``."""
    return ", ".join("{}: {{{}}}".format(*pair.split("=")) for pair in pairs.split())


CLASSES: Final[dict[str, OfficialClass]] = {
    "DeltaNeutralContract": OfficialClass(
        "contract",
        "The underlying of a delta-neutral combo: its contract id, delta and price.",
        "{conId!n},{delta},{price}",
    ),
    "ComboLeg": OfficialClass(
        "contract",
        "One leg of a combo: ``ratio`` of contract ``conId`` to buy or sell for each unit of the combo.",
        _list("conId ratio action exchange openClose shortSaleSlot designatedLocation exemptCode"),
    ),
    "Contract": OfficialClass(
        "contract",
        "An instrument: by ``conId``, or by symbol, security type, currency and exchange.",
        _labels(
            "ConId=conId Symbol=symbol SecType=secType LastTradeDateOrContractMonth=lastTradeDateOrContractMonth "
            "Strike=strike Right=right Multiplier=multiplier Exchange=exchange PrimaryExchange=primaryExchange "
            "Currency=currency LocalSymbol=localSymbol TradingClass=tradingClass IncludeExpired=includeExpired "
            "SecIdType=secIdType SecId=secId Description=description IssuerId=issuerId"
        )
        + "Combo:{comboLegsDescrip}{+combo_tail}",
    ),
    "ContractDetails": OfficialClass(
        "contract",
        "All that the gateway knows of an instrument; bonds and funds fill attributes of their own.",
        _list(
            "contract marketName minTick orderTypes validExchanges priceMagnifier underConId longName contractMonth "
            "industry category subcategory timeZoneId tradingHours liquidHours evRule evMultiplier!i underSymbol "
            "underSecType marketRuleIds aggGroup secIdList realExpirationDate stockType cusip ratings descAppend "
            "bondType couponType callable putable coupon!n convertible maturity issueDate nextOptionDate "
            "nextOptionType nextOptionPartial notes minSize sizeIncrement suggestedSizeIncrement minAlgoSize "
            "lastPricePrecision lastSizePrecision ineligibilityReasonList eventContract1 eventContractDescription1 "
            "eventContractDescription2"
        ),
    ),
    "ContractDescription": OfficialClass(
        "contract", "One answer to a symbol search: a contract, and the kinds of derivatives there are on it."
    ),
    "OrderComboLeg": OfficialClass("order", "The limit price of one leg of a combo order.", "{price}"),
    "Order": OfficialClass(
        "order",
        "An order as it is sent and as the gateway reports it. Unset numbers hold the sentinels of ``const``.",
        "{orderId},{clientId},{permId}: {orderType} {action} {totalQuantity}@{lmtPrice} {tif}{+order_tail}",
    ),
    "OrderCancel": OfficialClass(
        "order_cancel",
        "How an order is cancelled: the manual time and the operator, where rules ask for them.",
        "manualOrderCancelTime: {manualOrderCancelTime}, extOperator: {extOperator}, "
        "manualOrderIndicator: {manualOrderIndicator}",
    ),
    "OrderAllocation": OfficialClass(
        "order_state",
        "One account's share of an advisor order.",
        _labels(
            "Account=account Position=position PositionDesired=positionDesired PositionAfter=positionAfter "
            "DesiredAllocQty=desiredAllocQty AllowedAllocQty=allowedAllocQty IsMonetary=isMonetary"
        ),
    ),
    "OrderState": OfficialClass(
        "order_state",
        "An order's status, margins before and after it, commission and warnings.",
        _labels(
            "Status=status InitMarginBefore=initMarginBefore MaintMarginBefore=maintMarginBefore "
            "EquityWithLoanBefore=equityWithLoanBefore InitMarginChange=initMarginChange "
            "MaintMarginChange=maintMarginChange EquityWithLoanChange=equityWithLoanChange "
            "InitMarginAfter=initMarginAfter MaintMarginAfter=maintMarginAfter "
            "EquityWithLoanAfter=equityWithLoanAfter CommissionAndFees=commissionAndFees "
            "MinCommissionAndFees=minCommissionAndFees MaxCommissionAndFees=maxCommissionAndFees "
            "CommissionAndFeesCurrency=commissionAndFeesCurrency MarginCurrency=marginCurrency "
            "InitMarginBeforeOutsideRTH=initMarginBeforeOutsideRTH "
            "MaintMarginBeforeOutsideRTH=maintMarginBeforeOutsideRTH "
            "EquityWithLoanBeforeOutsideRTH=equityWithLoanBeforeOutsideRTH "
            "InitMarginChangeOutsideRTH=initMarginChangeOutsideRTH "
            "MaintMarginChangeOutsideRTH=maintMarginChangeOutsideRTH "
            "equityWithLoanChangeOutsideRTH=equityWithLoanChangeOutsideRTH "
            "InitMarginAfterOutsideRTH=initMarginAfterOutsideRTH "
            "MaintMarginAfterOutsideRTH=maintMarginAfterOutsideRTH "
            "equityWithLoanAfterOutsideRTH=equityWithLoanAfterOutsideRTH SuggestedSize=suggestedSize "
            "RejectReason=rejectReason WarningText=warningText CompletedTime=completedTime "
            "CompletedStatus=completedStatus"
        )
        + "{+allocations_tail}",
        plain_base=True,
    ),
    "Execution": OfficialClass(
        "execution",
        "One fill. A correction comes as an execution whose ``execId`` differs only after the last point.",
        _labels(
            "ExecId=execId Time=time Account=acctNumber Exchange=exchange Side=side Shares=shares Price=price "
            "PermId=permId ClientId=clientId OrderId=orderId Liquidation=liquidation CumQty=cumQty AvgPrice=avgPrice "
            "OrderRef=orderRef EvRule=evRule EvMultiplier=evMultiplier ModelCode=modelCode "
            "LastLiquidity=lastLiquidity PendingPriceRevision=pendingPriceRevision Submitter=submitter"
        )
        + ", OptExerciseOrLapseType: {+exercise_name}",
    ),
    "ExecutionFilter": OfficialClass("execution", "Which executions to ask for; empty attributes filter nothing."),
    "CommissionAndFeesReport": OfficialClass(
        "commission_and_fees_report",
        "Commission and realized profit of one execution; it comes after the execution.",
        _labels(
            "ExecId=execId CommissionAndFees=commissionAndFees Currency=currency RealizedPnL=realizedPNL "
            "Yield=yield_ YieldRedemptionDate=yieldRedemptionDate"
        ),
    ),
    "ScannerSubscription": OfficialClass(
        "scanner",
        "A market scan: where to look, what to rank by, and limits.",
        _labels("Instrument=instrument LocationCode=locationCode ScanCode=scanCode"),
    ),
    "BarData": OfficialClass(
        "common",
        "One historical bar; ``date`` is text as asked for with ``formatDate``.",
        _labels("Date=date Open=open High=high Low=low Close=close Volume=volume WAP=wap BarCount=barCount"),
    ),
    "RealTimeBar": OfficialClass(
        "common",
        "One five-second bar; ``time`` is its start in epoch seconds.",
        _labels("Time=time!i Open=open_ High=high Low=low Close=close Volume=volume WAP=wap Count=count"),
        keywords=True,
    ),
    "HistogramData": OfficialClass("common", "How much traded at one price.", _labels("Price=price Size=size")),
    "NewsProvider": OfficialClass("common", "A news source: its code and name.", _labels("Code=code Name=name")),
    "DepthMktDataDescription": OfficialClass(
        "common",
        "Where an order book is to be had.",
        _labels(
            "Exchange=exchange SecType=secType ListingExchange=listingExch ServiceDataType=serviceDataType "
            "AggGroup=aggGroup"
        )
        + ", ",
    ),
    "SmartComponent": OfficialClass(
        "common",
        "One exchange behind SMART: its bit in an exchange mask, name and letter.",
        _labels("BitNumber=bitNumber!d Exchange=exchange ExchangeLetter=exchangeLetter"),
    ),
    "TickAttrib": OfficialClass(
        "common",
        "Flags of a price tick.",
        _labels("CanAutoExecute=canAutoExecute!d PastLimit=pastLimit!d PreOpen=preOpen!d"),
    ),
    "TickAttribBidAsk": OfficialClass(
        "common", "Flags of a bid/ask tick.", _labels("BidPastLow=bidPastLow!d AskPastHigh=askPastHigh!d")
    ),
    "TickAttribLast": OfficialClass(
        "common", "Flags of a trade tick.", _labels("PastLimit=pastLimit!d Unreported=unreported!d")
    ),
    "FamilyCode": OfficialClass(
        "common", "An account and the code of its family.", _labels("AccountId=accountID FamilyCodeStr=familyCodeStr")
    ),
    "PriceIncrement": OfficialClass(
        "common",
        "From the price ``lowEdge`` on, prices move in steps of ``increment``.",
        _labels("LowEdge=lowEdge Increment=increment"),
    ),
    "HistoricalTick": OfficialClass(
        "common", "A midpoint tick; ``time`` in epoch seconds.", _labels("Time=time!i Price=price Size=size")
    ),
    "HistoricalTickBidAsk": OfficialClass(
        "common",
        "A bid/ask tick; ``time`` in epoch seconds.",
        _labels(
            "Time=time!i TickAttriBidAsk=tickAttribBidAsk PriceBid=priceBid PriceAsk=priceAsk SizeBid=sizeBid "
            "SizeAsk=sizeAsk"
        ),
    ),
    "HistoricalTickLast": OfficialClass(
        "common",
        "A trade tick; ``time`` in epoch seconds.",
        _labels(
            "Time=time!i TickAttribLast=tickAttribLast Price=price Size=size Exchange=exchange "
            "SpecialConditions=specialConditions"
        ),
    ),
    "HistoricalSession": OfficialClass(
        "common",
        "One trading session of a schedule.",
        "Start: {startDateTime}, End: {endDateTime}, Ref Date: {refDate}",
    ),
    "WshEventData": OfficialClass(
        "common",
        "A question to the Wall Street Horizon calendar: by contract, or by filter.",
        "WshEventData. ConId: {conId}, Filter: {filter}, Fill Watchlist: {fillWatchlist!d}, "
        "Fill Portfolio: {fillPortfolio!d}, Fill Competitors: {fillCompetitors!d}",
    ),
}

# Attributes that the official classes do not have.
HIDDEN: Final = frozenset({("ComboLeg", "perLegPrice")})

# Names that attributes had in older releases: class -> {older: newest}.
OLDER_NAMES: Final[dict[str, dict[str, str]]] = {
    "BarData": {"average": "wap"},
    "CommissionAndFeesReport": {"commission": "commissionAndFees"},
    "HistogramData": {"count": "size"},
    "OrderState": {
        "commission": "commissionAndFees",
        "minCommission": "minCommissionAndFees",
        "maxCommission": "maxCommissionAndFees",
        "commissionCurrency": "commissionAndFeesCurrency",
    },
}

# Attributes that only older releases had, with what a new object's held. Setting them changes nothing on the wire.
OLDER_ATTRIBUTES: Final[dict[str, dict[str, object]]] = {
    "ContractDetails": {"mdSizeMultiplier": 0},
    "Order": {
        "eTradeOnly": True,
        "firmQuoteOnly": True,
        "nbboPriceCap": UNSET_DOUBLE,
        "faProfile": "",
        "externalUserId": "",
    },
}

NO_VALID_ID: Final = -1
MAX_MSG_LEN: Final = 0xFFFFFF

# Attributes that hold an Enum there and a code in the spec.
ENUMS: Final[dict[str, str]] = {
    "fundAssetType": "FundAssetType",
    "fundDistributionPolicyIndicator": "FundDistributionPolicyIndicator",
    "optExerciseOrLapseType": "OptionExerciseType",
}

# Classes that are written by hand: name -> module.
HAND_WRITTEN: Final[dict[str, str]] = {
    "CommissionReport": "commission_report",
    "IneligibilityReason": "ineligibility_reason",
    "OrderCondition": "order_condition",
    "SoftDollarTier": "softdollartier",
    "TagValue": "tag_value",
}

# Parameter names of callbacks where the row's differ.
CALLBACK_PARAMETERS: Final[dict[str, str]] = {
    "error": "reqId errorTime errorCode errorString advancedOrderRejectJson",
    "historicalData": "reqId bar",
    "historicalDataEnd": "reqId start end",
    "smartComponents": "reqId smartComponentMap",
    "tickByTickBidAsk": "reqId time bidPrice askPrice bidSize askSize tickAttribBidAsk",
    "tickByTickMidPoint": "reqId time midPoint",
    "tickSize": "reqId tickType size",
    "verifyAndAuthCompleted": "isSuccessful errorText",
    "verifyCompleted": "isSuccessful errorText",
}
CALLBACK_DEFAULTS: Final[dict[tuple[str, str], str]] = {("error", "advancedOrderRejectJson"): '""'}

# Types of callback arguments that are computed: ibwire.spec.hooks.ARGUMENTS.
ARGUMENT_TYPES: Final[dict[str, str]] = {
    "expirations": "set[str]",
    "is_successful": "bool",
    "size_tick_type": "int",
    "smart_components": "dict[int, tuple[str, str]]",
    "strikes": "set[float]",
}

# Callbacks that no message makes: name -> (parameters, docstring).
LOCAL_CALLBACKS: Final[dict[str, tuple[str, str]]] = {
    "commissionReport": (
        "commissionReport: CommissionReport",
        "The name of ``commissionAndFeesReport`` before 10.37; not called where both are overridden.",
    ),
    "logAnswer": ("fnName: str, fnParams: object", "Kept for programs that name it; never called."),
    "winError": ("text: str, lastError: int", "Kept for programs that name it; never called."),
    "connectAck": ("", "The session stands: the handshake is done and startApi was sent."),
    "connectionClosed": ("", "The session ended, by ``disconnect`` or by the peer; called once."),
}

# Rows that are no method of the official client, or one with other parameters.
NO_METHOD: Final = frozenset({"startApi", "reqConfig", "updateConfig"})

# The code that the official client reports when it cannot send a request.
SEND_FAILED: Final[dict[str, str]] = {
    "calculateImpliedVolatility": "REQCALCIMPLIEDVOLAT",
    "calculateOptionPrice": "REQCALCOPTIONPRICE",
    "cancelAccountSummary": "CANACCOUNTDATA",
    "cancelAccountUpdatesMulti": "CANACCOUNTUPDATESMULTI",
    "cancelCalculateImpliedVolatility": "CANCALCIMPLIEDVOLAT",
    "cancelCalculateOptionPrice": "CANCALCOPTIONPRICE",
    "cancelContractData": "CANCEL_CONTRACT_DATA",
    "cancelFundamentalData": "CANFUNDDATA",
    "cancelHeadTimeStamp": "CANCELHEADTIMESTAMP",
    "cancelHistogramData": "CANCELHISTOGRAMDATA",
    "cancelHistoricalData": "CANHISTDATA",
    "cancelHistoricalTicks": "CANCEL_HISTORICAL_TICKS",
    "cancelMktData": "CANMKT",
    "cancelMktDepth": "CANMKTDEPTH",
    "cancelNewsBulletins": "CORDER",
    "cancelOrder": "CORDER",
    "cancelPnL": "CANCELPNL",
    "cancelPnLSingle": "CANCELPNLSINGLE",
    "cancelPositions": "CANPOSITIONS",
    "cancelPositionsMulti": "CANPOSITIONSMULTI",
    "cancelRealTimeBars": "CANRTBARS",
    "cancelScannerSubscription": "CANSCANNER",
    "cancelTickByTickData": "CANCELTICKBYTICKDATA",
    "cancelWshEventData": "CAN_WSH_EVENT_DATA",
    "cancelWshMetaData": "CAN_WSH_META_DATA",
    "exerciseOptions": "REQMKT",
    "placeOrder": "ORDER",
    "queryDisplayGroups": "QUERYDISPLAYGROUPS",
    "replaceFA": "FA_REPLACE",
    "reqAccountSummary": "REQACCOUNTDATA",
    "reqAccountUpdates": "ACCT",
    "reqAccountUpdatesMulti": "REQACCOUNTUPDATESMULTI",
    "reqAllOpenOrders": "OORDER",
    "reqAutoOpenOrders": "OORDER",
    "reqCompletedOrders": "REQCOMPLETEDORDERS",
    "reqContractDetails": "REQCONTRACT",
    "reqCurrentTime": "REQCURRTIME",
    "reqCurrentTimeInMillis": "REQCURRTIMEINMILLIS",
    "reqExecutions": "EXEC",
    "reqFamilyCodes": "REQFAMILYCODES",
    "reqFundamentalData": "REQFUNDDATA",
    "reqGlobalCancel": "REQGLOBALCANCEL",
    "reqHeadTimeStamp": "REQHEADTIMESTAMP",
    "reqHistogramData": "REQHISTOGRAMDATA",
    "reqHistoricalData": "REQHISTDATA",
    "reqHistoricalNews": "REQHISTORICALNEWS",
    "reqHistoricalTicks": "REQHISTORICALTICKS",
    "reqIds": "CORDER",
    "reqManagedAccts": "OORDER",
    "reqMarketDataType": "REQMARKETDATATYPE",
    "reqMarketRule": "REQMARKETRULE",
    "reqMatchingSymbols": "REQMATCHINGSYMBOLS",
    "reqMktData": "REQMKT",
    "reqMktDepth": "REQMKTDEPTH",
    "reqMktDepthExchanges": "REQMKTDEPTHEXCHANGES",
    "reqNewsArticle": "REQNEWSARTICLE",
    "reqNewsBulletins": "CORDER",
    "reqNewsProviders": "REQNEWSPROVIDERS",
    "reqOpenOrders": "OORDER",
    "reqPnL": "REQPNL",
    "reqPnLSingle": "REQPNLSINGLE",
    "reqPositions": "REQPOSITIONS",
    "reqPositionsMulti": "REQPOSITIONSMULTI",
    "reqRealTimeBars": "REQRTBARS",
    "reqScannerParameters": "REQSCANNERPARAMETERS",
    "reqScannerSubscription": "REQSCANNER",
    "reqSecDefOptParams": "REQSECDEFOPTPARAMS",
    "reqSmartComponents": "REQSMARTCOMPONENTS",
    "reqSoftDollarTiers": "REQSOFTDOLLARTIERS",
    "reqTickByTickData": "REQTICKBYTICKDATA",
    "reqUserInfo": "REQ_USER_INFO",
    "reqWshEventData": "REQ_WSH_EVENT_DATA",
    "reqWshMetaData": "REQ_WSH_META_DATA",
    "requestFA": "FA_REQUEST",
    "setServerLogLevel": "SERVER_LOG_LEVEL",
    "startApi": "STARTAPI",
    "subscribeToGroupEvents": "SUBSCRIBETOGROUPEVENTS",
    "unsubscribeFromGroupEvents": "UNSUBSCRIBEFROMGROUPEVENTS",
    "updateDisplayGroup": "UPDATEDISPLAYGROUP",
    "verifyAndAuthMessage": "VERIFYANDAUTHMESSAGE",
    "verifyAndAuthRequest": "VERIFYANDAUTHREQUEST",
    "verifyMessage": "VERIFYMESSAGE",
    "verifyRequest": "VERIFYREQUEST",
}

# Requests whose error 504 carries their id officially; it is -1 for all others.
NAMED_WHEN_NOT_CONNECTED: Final = (
    "calculateImpliedVolatility",
    "calculateOptionPrice",
    "cancelCalculateImpliedVolatility",
    "cancelCalculateOptionPrice",
    "cancelContractData",
    "cancelHistoricalTicks",
    "cancelMktData",
    "cancelRealTimeBars",
    "exerciseOptions",
    "placeOrder",
    "replaceFA",
    "reqHistoricalData",
    "reqMktData",
)

# The protobuf twins. A callback is named like its message, "ProtoBuf" added, and its parameter likewise with "Proto";
# a request "req" and its message without "Request". What differs, by message or, for a request, by method:
TWIN_CALLBACKS: Final[dict[str, str]] = {
    "AccountUpdateTime": "updateAccountTime",
    "AccountValue": "updateAccountValue",
    "ErrorMessage": "error",
    "MarketDataType": "updateMarketDataType",
    "MarketDepth": "updateMarketDepth",
    "MarketDepthL2": "updateMarketDepthL2",
    "NewsBulletin": "updateNewsBulletin",
    "PortfolioValue": "updatePortfolio",
}
# Two messages share a protobuf form; the second has a callback of its own.
TWIN_CALLBACKS_BY_ROW: Final[dict[str, str]] = {"bondContractData": "bondContractData"}
TWIN_PARAMETERS: Final[dict[str, str]] = {"executionDetailsEnd": "executionDetailsProto"}
TWIN_REQUESTS: Final[dict[str, str]] = {
    "AccountDataRequest": "reqAccountUpdates",
    "CalculateImpliedVolatilityRequest": "calculateImpliedVolatility",
    "CalculateOptionPriceRequest": "calculateOptionPrice",
    "CancelOrderRequest": "cancelOrder",
    "ExecutionRequest": "reqExecutions",
    "ExerciseOptionsRequest": "exerciseOptions",
    "FAReplace": "replaceFA",
    "ManagedAccountsRequest": "reqManagedAccts",
    "PlaceOrderRequest": "placeOrder",
    "QueryDisplayGroupsRequest": "queryDisplayGroups",
    "SetServerLogLevelRequest": "setServerLogLevel",
    "StartApiRequest": "startApi",
    "SubscribeToGroupEventsRequest": "subscribeToGroupEvents",
    "TickByTickRequest": "reqTickByTickData",
    "UnsubscribeFromGroupEventsRequest": "unsubscribeFromGroupEvents",
    "UpdateConfigRequest": "updateConfig",
    "UpdateDisplayGroupRequest": "updateDisplayGroup",
    "VerifyMessageRequest": "verifyMessage",
    "VerifyRequest": "verifyRequest",
}
# The code that differs from the one of the ordinary request.
TWIN_SEND_FAILED: Final[dict[str, str]] = {
    "reqConfig": "REQCONFIG",
    "reqManagedAccts": "ACCT",
    "updateConfig": "UPDATECONFIG",
}
# Requests whose errors carry id 0, and not -1, where the message has none.
TWIN_ID_ZERO: Final = ("cancelOrder", "placeOrder")
