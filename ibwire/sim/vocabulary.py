"""The words of the scenario language: every key, what it takes and what it means. Data only.

`scenario` checks files against these tables, `director` obeys them, docs/sim/language.md is generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ibwire.sim.working import Latency, Manners

# Kinds of values and what an error calls them.
KINDS: dict[str, str] = {
    "int": "a whole number",
    "number": "a number",
    "text": "a text",
    "flag": "true or false",
    "texts": "a list of texts",
    "ints": "a whole number or a list of them",
    "span": "a number or [least, most]",
    "table": "a table",
    "any": "a value",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its kind (see KINDS), what it means, the least number allowed, and the words allowed."""

    kind: str
    text: str
    least: float | None = None
    words: tuple[str, ...] = ()


TOP: dict[str, Key] = {
    "title": Key("text", "One line; `ibwire sim --list` shows it."),
    "about": Key("text", "What happens and why a client should care; `ibwire sim --explain` shows it."),
    "items": Key("ints", "Numbers of the fidelity list (docs/sim/scenarios.md) that it plays."),
    "sequence": Key("texts", "What a client sees, in order; for readers."),
    "seed": Key("int", "Seed of the world, unless the caller gives one.", 0),
    "gateway": Key("table", "Settings of the gateway."),
    "manners": Key("table", "Habits that hold for every order."),
    "latency_ms": Key("table", "How long things take."),
    "pacing": Key("table", "Limits on what clients send."),
    "rule": Key("any", "What happens when; written `[[rule]]`, any number of them."),
}

GATEWAY: dict[str, Key] = {
    "accounts": Key("texts", "Account codes of the login; with several, every order must name one."),
    "server_version": Key("int", "The highest version agreed to, 100..225.", 100),
    "read_only": Key("flag", "Orders and questions about orders are refused with 321, id -1."),
    "without_live": Key("texts", "Symbols without live data: 354, or delayed data where asked for; `*` is all."),
    "without_trading": Key("texts", "Symbols and security types that the login may not trade: 460; `*` is all."),
    "master_client_id": Key("int", "The client that hears of every client's orders.", 0),
    "client_id_hold_s": Key("number", "How long an id stays taken (326) after a broken connection or a restart.", 0),
    "ticks_per_s": Key("int", "Mean quote changes per second and instrument.", 1),
    "cash": Key("number", "Starting cash of each account, USD.", 0),
}

_MANNERS_TEXT = {
    "max_pieces": "An order that takes from the market does so in 1..max_pieces pieces.",
    "status_first": "Per cent of orders whose orderStatus Filled comes before execDetails.",
    "duplicates": "Per cent of orders whose every openOrder and orderStatus comes twice.",
    "repeat_with_commission": "The status of a filled order comes again before its commission report.",
    "perm_id_late_ms": "permId is 0 for so long after the acceptance.",
    "pending_submit": "PendingSubmit comes before PreSubmitted.",
    "api_pending": "ApiPending comes before PreSubmitted.",
    "pending_cancel": "PendingCancel comes before Cancelled.",
    "cancel_text_first": "Message 202 comes before the status Cancelled.",
}


def _manner(name: str, default: Any) -> tuple[str, Key]:
    if isinstance(default, tuple):
        name = name.removesuffix("_ns") + "_ms"
        kind = "span"
    else:
        kind = "flag" if isinstance(default, bool) else "int"
    return name, Key(kind, _MANNERS_TEXT.get(name, "See Manners."), None if kind == "flag" else 0)


MANNERS: dict[str, Key] = dict(_manner(field.name, field.default) for field in fields(Manners))
LATENCY: dict[str, Key] = {
    field.name.removesuffix("_ns"): Key("span", f"Of the step `{field.name.removesuffix('_ns')}`.", 0)
    for field in fields(Latency)
}

PACING: dict[str, Key] = {
    "messages_per_s": Key("int", "More in any second is answered with message 100.", 1),
    "strikes": Key("int", "The breach at which the connection is closed, 0 for never; by default 3.", 0),
    "historical": Key("flag", "Small-bar rules: equal within 15 s, 6 alike within 2 s, 60 in 10 min: message 162."),
}

WHEN: dict[str, Key] = {
    "request": Key("texts", "A client's message of that name, or one of several."),
    "message": Key("texts", "A message of that name on its way to a client, or one of several."),
    "event": Key("text", "A moment of a connection.", words=("handshake", "connect", "disconnect")),
    "at_s": Key("number", "Virtual seconds since the world began.", 0),
    "every_s": Key("number", "With at_s: again and again after so many seconds.", 0.001),
    "client": Key("ints", "Only this client id (or these)."),
    "symbol": Key("texts", "Only this symbol (or these)."),
    "sec_type": Key("texts", "Only this security type."),
    "action": Key("text", "Only BUY or only SELL.", words=("BUY", "SELL")),
    "type": Key("texts", "Only this order type."),
    "tif": Key("texts", "Only this time in force."),
    "quantity": Key("number", "Only orders of this size."),
    "order_id": Key("ints", "Only this order id."),
    "modify": Key("flag", "Only modifies of a live order, or only new orders."),
    "child": Key("flag", "Only orders with a parent, or only those without."),
    "what_if": Key("flag", "Only what-if orders, or only others."),
    "status": Key("texts", "Only orderStatus and openOrder with this status."),
    "code": Key("ints", "Only `error` messages with this code."),
    "field": Key("table", 'Only where these fields have these values: `{ "contract.exchange" = "IDEALPRO" }`.'),
    "nth": Key("ints", "Only the n-th time that everything else fits, from 1; or these times.", 1),
    "from_nth": Key("int", "From the n-th time on.", 1),
    "times": Key("int", "At most so many times.", 1),
    "after_s": Key("number", "Not before so many virtual seconds.", 0),
    "before_s": Key("number", "Only before so many virtual seconds.", 0),
    "chance": Key("int", "Per cent of the cases, drawn from the seed.", 0),
}
TRIGGERS = ("request", "message", "event", "at_s")


@dataclass(frozen=True, slots=True)
class Action:
    """One action: where it makes sense, what it takes, what it does.

    `scope` is `request` (decides about the request), `message` (decides about the message), `order` (needs an order),
    `client` (needs a connection), or `world`. `value` is the kind of its value, or a table's keys.
    """

    scope: str
    value: Key | dict[str, Key]
    text: str
    main: str = ""  # the table's key that a bare value means


_CODE = Key("int", "The message's code.")
_TEXT = Key("text", "The message's text.")
_SIZE = Key("number", "Size; by default what is open.", 0)
_PRICE = Key("number", "Price; by default the quote of the moment.")

ACTIONS: dict[str, Action] = {
    # requests and messages
    "drop": Action("request message", Key("flag", ""), "The request is never answered; the message is never sent."),
    "delay_ms": Action("request message", Key("number", "", 0), "It is taken, or sent, so much later."),
    "refuse": Action(
        "request", {"code": _CODE, "text": _TEXT}, "The request is answered with this message, and nothing else."
    ),
    "duplicate": Action("message", Key("int", "", 1), "So many more copies follow the message."),
    "replace": Action("message", Key("table", ""), "Fields of the message get other values."),
    "echo": Action("message", Key("table", ""), "Before the message comes a copy of it with other values."),
    "reorder": Action("message", Key("int", "", 1), "The message is held back until so many others have passed it."),
    # orders
    "fill": Action("order", {"size": _SIZE, "price": _PRICE}, "The order fills, also after its end.", "size"),
    "reject": Action(
        "order",
        {"code": _CODE, "text": _TEXT, "status": Key("text", "Inactive (by default) or Cancelled.")},
        "The order ends as one that IB refuses: the status, then the message.",
    ),
    "cancel": Action(
        "order",
        {"code": Key("int", "202 by default; 0 sends no message."), "text": _TEXT},
        "The order is cancelled without being asked to.",
    ),
    "hold": Action(
        "order",
        {
            "why": Key("text", "whyHeld."),
            "status": Key("text", "PreSubmitted by default."),
            "code": _CODE,
            "text": _TEXT,
        },
        "The order is taken off its market until `release`.",
        "why",
    ),
    "release": Action("order", Key("flag", ""), "A held order goes on."),
    "warn": Action("order", {"code": _CODE, "text": _TEXT}, "A message about the order, which stays as it is.", "code"),
    "status": Action(
        "order",
        {
            "status": Key("text", "The status it says."),
            "filled": Key("number", "What it says is filled.", 0),
            "remaining": Key("number", "What it says is left.", 0),
            "permId": Key("int", "The permId it says.", 0),
        },
        "One openOrder and orderStatus that are not true; the order is as it was.",
        "status",
    ),
    "perm_id": Action("order", Key("int", "", 0), "The order's permId changes; 0 hides it."),
    "correct": Action("order", {"size": _SIZE, "price": _PRICE}, "Its last execution is corrected.", "price"),
    "bust": Action("order", Key("flag", ""), "Its last execution is undone."),
    "forget": Action("order", Key("flag", ""), "The gateway has never seen the order."),
    "next_id": Action("client", Key("int", "", 1), "The client's next valid id, also a lower one than before."),
    "manual": Action(
        "world",
        {
            "symbol": Key("text", "Of a stock."),
            "action": Key("text", "BUY or SELL.", words=("BUY", "SELL")),
            "quantity": Key("number", "Size.", 0),
            "type": Key("text", "MKT or LMT; LMT with a limit by default."),
            "limit": Key("number", "Limit price."),
        },
        "Somebody types an order into the gateway's own window.",
    ),
    # messages to clients
    "error": Action(
        "client world",
        {"id": Key("int", "By default that of the request or order at hand, else -1."), "code": _CODE, "text": _TEXT},
        "An `error` message: to the client at hand, or to all.",
        "code",
    ),
    "send": Action(
        "client world",
        {"message": Key("text", "Its name."), "fields": Key("table", "Its fields.")},
        "Any message: to the client at hand, or to all.",
    ),
    "end_data": Action(
        "client world",
        {"code": _CODE, "text": _TEXT},
        "Every market data request ends with this message (10197: the same user is logged in elsewhere).",
    ),
    # connections
    "close": Action("client world", Key("text", "", words=("close", "reset")), "The gateway closes the connection."),
    "cut": Action(
        "client world",
        {"bytes": Key("int", "How much of it is sent.", 0), "how": Key("text", "", words=("close", "reset"))},
        "Only the beginning of the next frame is sent, then the connection is closed.",
        "bytes",
    ),
    "silence": Action("client world", Key("flag", ""), "Half-open: nothing is said or heard any more."),
    "stop_reading": Action("client world", Key("flag", ""), "The gateway reads no more: sends to it will block."),
    "read_again": Action("client world", Key("flag", ""), "The gateway reads again."),
    "split": Action(
        "client world",
        {"bytes": Key("int", "Length of a piece; 0 ends it.", 0), "gap_ms": Key("number", "Pause after each.", 0)},
        "What is sent is cut into pieces.",
        "bytes",
    ),
    "coalesce_ms": Action("client world", Key("number", "", 0), "What is sent within so long leaves as one."),
    "latency_ms": Action("client world", Key("number", "", 0), "Everything arrives so much later."),
    "corrupt": Action(
        "client world",
        {"count": Key("int", "How many frames.", 1), "at": Key("int", "Which byte; 0..3 is the length.", 0)},
        "A bit of each of the next frames is flipped.",
        "count",
    ),
    "raw": Action("client world", Key("text", ""), "These bytes, in hex, go out as they are."),
    "redirect": Action("handshake", Key("text", ""), "The handshake names another address, `host:port`."),
    # the world
    "notice": Action(
        "world",
        {
            "code": _CODE,
            "text": _TEXT,
            "every_ms": Key("number", "Pause between.", 0.001),
            "count": Key("int", "How many; 0 without end.", 0),
        },
        "A message to every client, once or again and again.",
        "code",
    ),
    "outage": Action(
        "world",
        {
            "for_s": Key("number", "How long; 0 for ever.", 0),
            "back": Key("int", "The code at its end: 1101 (subscriptions are lost) or 1102.", 1101),
            "every_ms": Key("number", "Pause between the repeated 1100.", 0.001),
        },
        "TWS has lost IB: 1100 again and again, no market data, orders and cancels wait; what happens at IB is told.",
        "for_s",
    ),
    "farm": Action(
        "world",
        {
            "kind": Key("text", "Which.", words=("market", "historical", "definition")),
            "name": Key("text", "The farm's name."),
            "down_s": Key("number", "Until it is OK again; 0 for never.", 0),
            "dormant": Key("flag", "Not broken but asleep: 2108, 2107."),
            "dead": Key("flag", "Market data stays away also after it is OK again."),
        },
        "A farm breaks (2103, 2105, 2157) and comes back (2104, 2106, 2158); meanwhile its data stays away.",
        "down_s",
    ),
    "restart": Action(
        "world",
        {
            "down_s": Key("number", "How long nobody can connect.", 0),
            "hold_s": Key("number", "How long client ids stay taken after that.", 0),
            "next_id": Key("int", "Every client's next valid id afterwards.", 1),
            "how": Key("text", "", words=("close", "reset")),
        },
        "The gateway restarts: every connection breaks, orders that were not transmitted are gone.",
        "down_s",
    ),
}
COMMON: dict[str, Key] = {
    "after_ms": Key("number", "So much later (virtual time).", 0),
    "order_id": Key("int", "For this order instead of the one at hand."),
    "client": Key("int", "For this client instead of the one at hand.", 0),
}
IMMEDIATE = frozenset({"drop", "delay_ms", "refuse", "duplicate", "replace", "echo", "reorder", "redirect"})
