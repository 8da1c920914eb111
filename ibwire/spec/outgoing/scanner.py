"""Market scanners and fundamental data."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import contract
from ibwire.spec.model import I32, STR, Field, Group, N, T, Version, outgoing
from ibwire.spec.structs import CONTRACT, SCANNER_SUBSCRIPTION, TAG_VALUE

# Protobuf keeps both option lists inside the subscription.
REQ_SCANNER_SUBSCRIPTION = outgoing(
    22,
    "reqScannerSubscription",
    Field("reqId", I32, 1),
    Field("subscription", SCANNER_SUBSCRIPTION),
    Field("scannerSubscriptionOptions", TAG_VALUE, many=True, is_map=True),
    Field("scannerSubscriptionFilterOptions", TAG_VALUE, many=True, is_map=True),
    text=(
        Version(4, until=V.SCANNER_GENERIC_OPTS),
        T("reqId"),
        N("subscription.numberOfRows"),
        *contract("subscription.", "instrument locationCode scanCode"),
        N("subscription.abovePrice"),
        N("subscription.belowPrice"),
        N("subscription.aboveVolume"),
        N("subscription.marketCapAbove"),
        N("subscription.marketCapBelow"),
        *contract(
            "subscription.",
            "moodyRatingAbove moodyRatingBelow spRatingAbove spRatingBelow maturityDateAbove maturityDateBelow",
        ),
        N("subscription.couponRateAbove"),
        N("subscription.couponRateBelow"),
        T("subscription.excludeConvertible"),
        N("subscription.averageOptionVolumeAbove"),
        *contract("subscription.", "scannerSettingPairs stockTypeFilter"),
        T("scannerSubscriptionFilterOptions", since=V.SCANNER_GENERIC_OPTS, hook="tag_values"),
        T("scannerSubscriptionOptions", hook="tag_values"),
    ),
    proto="ScannerSubscriptionRequest",
    proto_since=V.PROTOBUF_SCAN_DATA,
    proto_map=(
        (
            2,
            Group(
                "scannerSubscription",
                "ScannerSubscription",
                ((22, "scannerSubscriptionFilterOptions"), (23, "scannerSubscriptionOptions")),
                base="subscription",
            ),
        ),
    ),
)

CANCEL_SCANNER_SUBSCRIPTION = outgoing(
    23,
    "cancelScannerSubscription",
    Field("reqId", I32, 1),
    version=1,
    proto="CancelScannerSubscription",
    proto_since=V.PROTOBUF_SCAN_DATA,
)

REQ_SCANNER_PARAMETERS = outgoing(
    24, "reqScannerParameters", version=1, proto="ScannerParametersRequest", proto_since=V.PROTOBUF_SCAN_DATA
)

REQ_FUNDAMENTAL_DATA = outgoing(
    52,
    "reqFundamentalData",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("reportType", STR, 3),
    Field("fundamentalDataOptions", TAG_VALUE, 4, proto_name="fundamentalsDataOptions", many=True, is_map=True),
    text=(
        T("reqId"),
        *contract("contract.", "conId symbol secType exchange primaryExchange currency localSymbol"),
        T("reportType"),
        T("fundamentalDataOptions", hook="pair_count"),
        T("fundamentalDataOptions", hook="tag_values"),
    ),
    version=2,
    proto="FundamentalsDataRequest",
    proto_since=V.PROTOBUF_SCAN_DATA,
)

CANCEL_FUNDAMENTAL_DATA = outgoing(
    53,
    "cancelFundamentalData",
    Field("reqId", I32, 1),
    version=1,
    proto="CancelFundamentalsData",
    proto_since=V.PROTOBUF_SCAN_DATA,
)
