"""Asking for news, bulletins and the events calendar (WSH)."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import contract
from ibwire.spec.model import BOOL, I32, STR, Field, T, outgoing, since
from ibwire.spec.structs import TAG_VALUE, WSH_EVENT_DATA

REQ_NEWS_BULLETINS = outgoing(
    12,
    "reqNewsBulletins",
    Field("allMsgs", BOOL, 1, proto_name="allMessages"),
    version=1,
    proto="NewsBulletinsRequest",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

CANCEL_NEWS_BULLETINS = outgoing(
    13, "cancelNewsBulletins", version=1, proto="CancelNewsBulletins", proto_since=V.PROTOBUF_NEWS_DATA
)

REQ_NEWS_ARTICLE = outgoing(
    84,
    "reqNewsArticle",
    Field("reqId", I32, 1),
    Field("providerCode", STR, 2),
    Field("articleId", STR, 3),
    Field("newsArticleOptions", TAG_VALUE, 4, many=True, is_map=True),
    text=(
        T("reqId"),
        T("providerCode"),
        T("articleId"),
        T("newsArticleOptions", since=V.NEWS_QUERY_ORIGINS, quiet=True, hook="tag_values"),
    ),
    since=V.REQ_NEWS_ARTICLE,
    proto="NewsArticleRequest",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

REQ_NEWS_PROVIDERS = outgoing(
    85,
    "reqNewsProviders",
    since=V.REQ_NEWS_PROVIDERS,
    proto="NewsProvidersRequest",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

REQ_HISTORICAL_NEWS = outgoing(
    86,
    "reqHistoricalNews",
    Field("reqId", I32, 1),
    Field("conId", I32, 2),
    Field("providerCodes", STR, 3),
    Field("startDateTime", STR, 4),
    Field("endDateTime", STR, 5),
    Field("totalResults", I32, 6),
    Field("historicalNewsOptions", TAG_VALUE, 7, many=True, is_map=True),
    text=(
        *contract("", "reqId conId providerCodes startDateTime endDateTime totalResults"),
        T("historicalNewsOptions", since=V.NEWS_QUERY_ORIGINS, quiet=True, hook="tag_values"),
    ),
    since=V.REQ_HISTORICAL_NEWS,
    proto="HistoricalNewsRequest",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

REQ_WSH_META_DATA = outgoing(
    100,
    "reqWshMetaData",
    Field("reqId", I32, 1),
    since=V.WSHE_CALENDAR,
    proto="WshMetaDataRequest",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

CANCEL_WSH_META_DATA = outgoing(
    101,
    "cancelWshMetaData",
    Field("reqId", I32, 1),
    since=V.WSHE_CALENDAR,
    proto="CancelWshMetaData",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

# Protobuf has the fields of the event filter in the request itself.
REQ_WSH_EVENT_DATA = outgoing(
    102,
    "reqWshEventData",
    Field("reqId", I32, 1),
    Field("wshEventData", WSH_EVENT_DATA),
    text=(
        T("reqId"),
        T("wshEventData.conId"),
        since(
            V.WSH_EVENT_DATA_FILTERS,
            *contract("wshEventData.", "filter fillWatchlist fillPortfolio fillCompetitors"),
        ),
        since(V.WSH_EVENT_DATA_FILTERS_DATE, *contract("wshEventData.", "startDate endDate totalLimit")),
    ),
    since=V.WSHE_CALENDAR,
    proto="WshEventDataRequest",
    proto_since=V.PROTOBUF_NEWS_DATA,
    proto_map=tuple((f.proto, f"wshEventData.{f.name}") for f in WSH_EVENT_DATA.fields),
)

CANCEL_WSH_EVENT_DATA = outgoing(
    103,
    "cancelWshEventData",
    Field("reqId", I32, 1),
    since=V.WSHE_CALENDAR,
    proto="CancelWshEventData",
    proto_since=V.PROTOBUF_NEWS_DATA,
)
