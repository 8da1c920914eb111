"""The structs of the gateway's own configuration (messages 110 and 111, and the requests for them).

Protobuf only. Every value may be absent: None (or an empty text) means "not said", and in a request "leave it".
"""

from __future__ import annotations

from typing import Final

from ibwire.spec.model import BOOL, I32, STR, Field, Struct

LOCK_AND_EXIT_CONFIG: Final = Struct(
    "LockAndExitConfig",
    (
        Field("autoLogoffTime", STR, 1),
        Field("autoLogoffPeriod", STR, 2),
        Field("autoLogoffType", STR, 3),
    ),
    proto="LockAndExitConfig",
)

MESSAGE_CONFIG: Final = Struct(
    "MessageConfig",
    (
        Field("id", I32, 1, nullable=True),
        Field("title", STR, 2),
        Field("message", STR, 3),
        Field("defaultAction", STR, 4),
        Field("enabled", BOOL, 5, nullable=True),
    ),
    proto="MessageConfig",
)

API_PRECAUTIONS_CONFIG: Final = Struct(
    "ApiPrecautionsConfig",
    (
        Field("bypassOrderPrecautions", BOOL, 1, nullable=True),
        Field("bypassBondWarning", BOOL, 2, nullable=True),
        Field("bypassNegativeYieldConfirmation", BOOL, 3, nullable=True),
        Field("bypassCalledBondWarning", BOOL, 4, nullable=True),
        Field("bypassSameActionPairTradeWarning", BOOL, 5, nullable=True),
        Field("bypassFlaggedAccountsWarning", BOOL, 6, nullable=True),
        Field("bypassPriceBasedVolatilityWarning", BOOL, 7, nullable=True),
        Field("bypassRedirectOrderWarning", BOOL, 8, nullable=True),
        Field("bypassNoOverfillProtection", BOOL, 9, nullable=True),
        Field("bypassRouteMarketableToBBO", BOOL, 10, nullable=True),
    ),
    proto="ApiPrecautionsConfig",
)

API_SETTINGS_CONFIG: Final = Struct(
    "ApiSettingsConfig",
    (
        Field("readOnlyApi", BOOL, 1, nullable=True),
        Field("totalQuantityForMutualFunds", BOOL, 2, nullable=True),
        Field("downloadOpenOrdersOnConnection", BOOL, 3, nullable=True),
        Field("includeVirtualFxPositions", BOOL, 4, nullable=True),
        Field("prepareDailyPnL", BOOL, 5, nullable=True),
        Field("sendStatusUpdatesForVolatilityOrders", BOOL, 6, nullable=True),
        Field("encodeApiMessages", STR, 7),
        Field("socketPort", I32, 8, nullable=True),
        Field("useNegativeAutoRange", BOOL, 9, nullable=True),
        Field("createApiMessageLogFile", BOOL, 10, nullable=True),
        Field("includeMarketDataInLogFile", BOOL, 11, nullable=True),
        Field("exposeTradingScheduleToApi", BOOL, 12, nullable=True),
        Field("splitInsuredDepositFromCashBalance", BOOL, 13, nullable=True),
        Field("sendZeroPositionsForTodayOnly", BOOL, 14, nullable=True),
        Field("letApiAccountRequestsSwitchSubscription", BOOL, 15, nullable=True),
        Field("useAccountGroupsWithAllocationMethods", BOOL, 16, nullable=True),
        Field("loggingLevel", STR, 17),
        Field("masterClientId", I32, 18, nullable=True),
        Field("bulkDataTimeout", I32, 19, nullable=True),
        Field("componentExchSeparator", STR, 20),
        Field("showForexDataIn1_10Pips", BOOL, 21, nullable=True),
        Field("allowForexTradingIn1_10Pips", BOOL, 22, nullable=True),
        Field("roundAccountValuesToNearestWholeNumber", BOOL, 23, nullable=True),
        Field("sendMarketDataInLotsForUsStocks", BOOL, 24, nullable=True),
        Field("showAdvancedOrderRejectInUi", BOOL, 25, nullable=True),
        Field("rejectMessagesAboveMaxRate", BOOL, 26, nullable=True),
        Field("maintainConnectionOnIncorrectFields", BOOL, 27, nullable=True),
        Field("compatibilityModeNasdaqStocks", BOOL, 28, nullable=True),
        Field("sendInstrumentTimezone", STR, 29),
        Field("sendForexDataInCompatibilityMode", BOOL, 30, nullable=True),
        Field("maintainAndResubmitOrdersOnReconnect", BOOL, 31, nullable=True),
        Field("historicalDataMaxSize", I32, 32, nullable=True),
        Field("autoReportNettingEventContractTrades", BOOL, 33, nullable=True),
        Field("optionExerciseRequestType", STR, 34),
        Field("allowLocalhostOnly", BOOL, 35, nullable=True),
        Field("trustedIPs", STR, 36, many=True),
    ),
    proto="ApiSettingsConfig",
)

API_CONFIG: Final = Struct(
    "ApiConfig",
    (
        Field("precautions", API_PRECAUTIONS_CONFIG, 1, optional=True),
        Field("settings", API_SETTINGS_CONFIG, 2, optional=True),
    ),
    proto="ApiConfig",
)

ORDERS_SMART_ROUTING_CONFIG: Final = Struct(
    "OrdersSmartRoutingConfig",
    (
        Field("seekPriceImprovement", BOOL, 1, nullable=True),
        Field("preOpenReroute", BOOL, 2, nullable=True),
        Field("doNotRouteToDarkPools", BOOL, 3, nullable=True),
        Field("defaultAlgorithm", STR, 4),
    ),
    proto="OrdersSmartRoutingConfig",
)

ORDERS_CONFIG: Final = Struct(
    "OrdersConfig",
    (Field("smartRouting", ORDERS_SMART_ROUTING_CONFIG, 1, optional=True),),
    proto="OrdersConfig",
)

UPDATE_CONFIG_WARNING: Final = Struct(
    "UpdateConfigWarning",
    (
        Field("messageId", I32, 1, nullable=True),
        Field("title", STR, 2),
        Field("message", STR, 3),
    ),
    proto="UpdateConfigWarning",
)
