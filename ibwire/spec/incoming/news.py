"""News: bulletins, headlines, articles, providers."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import BOOL, I32, I64, STR, Field, Repeat, T, TextRule, incoming, req_id
from ibwire.spec.structs import NEWS_PROVIDER

UPDATE_NEWS_BULLETIN = incoming(
    14,
    "updateNewsBulletin",
    Field("msgId", I32, 1, proto_name="newsMsgId"),
    Field("msgType", I32, 2, proto_name="newsMsgType"),
    Field("newsMessage", STR, 3),
    Field("originExch", STR, 4, proto_name="originatingExch"),
    text=(
        T("msgId"),
        T("msgType"),
        T("newsMessage", rule=TextRule.ESCAPED),
        T("originExch", rule=TextRule.ESCAPED),
    ),
    version=1,
    proto="NewsBulletin",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

NEWS_ARTICLE = incoming(
    83,
    "newsArticle",
    req_id("requestId", proto_name="reqId"),
    Field("articleType", I32, 2),
    Field("articleText", STR, 3),
    since=V.REQ_NEWS_ARTICLE,
    proto="NewsArticle",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

TICK_NEWS = incoming(
    84,
    "tickNews",
    req_id("tickerId", proto_name="reqId"),
    Field("timeStamp", I64, 2, proto_name="timestamp"),
    Field("providerCode", STR, 3),
    Field("articleId", STR, 4),
    Field("headline", STR, 5),
    Field("extraData", STR, 6),
    since=V.TICK_NEWS,
    proto="TickNews",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

NEWS_PROVIDERS = incoming(
    85,
    "newsProviders",
    Field("newsProviders", NEWS_PROVIDER, 1, many=True, official=()),
    text=(Repeat("newsProviders", T("code"), T("name")),),
    since=V.REQ_NEWS_PROVIDERS,
    proto="NewsProviders",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

HISTORICAL_NEWS = incoming(
    86,
    "historicalNews",
    req_id("requestId", proto_name="reqId"),
    Field("time", STR, 2),
    Field("providerCode", STR, 3),
    Field("articleId", STR, 4),
    Field("headline", STR, 5),
    since=V.REQ_HISTORICAL_NEWS,
    proto="HistoricalNews",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

HISTORICAL_NEWS_END = incoming(
    87,
    "historicalNewsEnd",
    req_id("requestId", proto_name="reqId"),
    Field("hasMore", BOOL, 2),
    since=V.REQ_HISTORICAL_NEWS,
    proto="HistoricalNewsEnd",
    proto_since=V.PROTOBUF_NEWS_DATA,
)
