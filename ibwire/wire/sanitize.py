"""Captured traffic without its people: accounts, names and order references become invented ones, the same everywhere.

Every message is decoded by its plan, changed where a field is known to hold such a text, and encoded again; free text
(errors, warnings) has what was found anywhere else replaced in it. A message that cannot be read may hold anything, and
is dropped and told unless asked otherwise, as is one in which a replaced text can still be found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final

from ibwire.errors import IbwireError
from ibwire.spec import versions as V
from ibwire.wire.capture import Entry, Kind, Message, Session, sessions
from ibwire.wire.codec import PROTO_OFFSET, Codec, Role, UnknownMessage
from ibwire.wire.framing import frame
from ibwire.wire.plan import Dialect

# What fields hold, by their names in messages and structs.
ACCOUNTS: Final = frozenset(
    {"account", "acctCode", "accountName", "acctNumber", "accountsList", "accountID", "clearingAccount"}
    | {"deltaNeutralClearingAccount", "customerAccount", "groups"}
)
REFERENCES: Final = frozenset({"orderRef"})
NAMES: Final = frozenset(
    {"submitter", "extOperator", "faGroup", "groupName", "modelCode", "whiteBrandingId", "shareholder", "familyCodeStr"}
    | {"settlingFirm", "deltaNeutralSettlingFirm", "opaqueIsvKey", "ocaGroup", "optionalCapabilities", "trustedIPs"}
)
# Documents that are full of names; nothing in them is needed to replay a session.
BLANK: Final = frozenset({"cxml", "apiData", "xyzChallange", "xyzResponse", "faData"})
_PUBLIC: Final = frozenset({"", "All"})
_ACCOUNT_LIKE: Final = re.compile(r"\b(?:D?[UFI]|DU[A-Z])[A-Z]?\d{5,9}\b")
_OPTIONS: Final = re.compile(rb"v\d{1,9}(\.\.\d{1,9})?( \+PACEAPI)?")
_SHORT: Final = 4  # texts shorter than this stand for too many other things to be looked for in free text


@dataclass(slots=True)
class Sanitizer:
    """Replaces what must not be shown, consistently over everything that it is given.

    Parameters
    ----------
    keep_unknown : bool
        Keep frames that cannot be decoded, as they are: they may hold anything.

    Attributes
    ----------
    replaced : Counter
        How many different texts were replaced, by kind.
    dropped : list of str
        One line for each frame that was left out, saying why.
    """

    keep_unknown: bool = False
    replaced: Counter[str] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)
    _texts: dict[str, str] = field(default_factory=dict)
    _compiled: tuple[int, re.Pattern[str] | None] | None = None

    # -- finding -----------------------------------------------------------------------------------------------------

    def _new(self, kind: str, text: str) -> None:
        if text in _PUBLIC or text in self._texts:
            return
        self.replaced[kind] += 1
        number = self.replaced[kind]
        made = {"account": f"DU{number:07d}", "reference": f"ref-{number}", "name": f"name-{number}"}
        self._texts[text] = made[kind]

    def _find(self, value: Any, name: str = "") -> None:
        if is_dataclass(value) and not isinstance(value, type):
            for one in fields(value):
                self._find(getattr(value, one.name), one.name)
        elif isinstance(value, list | tuple):
            for item in value:
                self._find(item, name)
        elif isinstance(value, str):
            if name in ACCOUNTS:
                for part in value.split(","):
                    self._new("account", part)
            elif name in REFERENCES:
                self._new("reference", value)
            elif name in NAMES:
                self._new("name", value)
            for found in _ACCOUNT_LIKE.findall(value):
                self._new("account", found)

    # -- replacing ---------------------------------------------------------------------------------------------------

    def _text(self, value: str, name: str) -> str:
        if name in BLANK:
            return ""
        if value in self._texts and name in ACCOUNTS | REFERENCES | NAMES:
            return self._texts[value]
        if name in ACCOUNTS:
            return ",".join(self._texts.get(part, part) for part in value.split(","))
        pattern = self._pattern()
        return pattern.sub(lambda match: self._texts[match[0]], value) if pattern is not None else value

    def _pattern(self) -> re.Pattern[str] | None:
        """Everything that is looked for in free text, the longest first."""
        if self._compiled is None or self._compiled[0] != len(self._texts):
            words = sorted((text for text in self._texts if len(text) >= _SHORT), key=len, reverse=True)
            self._compiled = len(self._texts), re.compile("|".join(map(re.escape, words))) if words else None
        return self._compiled[1]

    def _clean(self, value: Any, name: str = "") -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            for one in fields(value):
                setattr(value, one.name, self._clean(getattr(value, one.name), one.name))
            return value
        if isinstance(value, list):
            return [self._clean(item, name) for item in value]
        return self._text(value, name) if isinstance(value, str) else value

    # -- sessions ----------------------------------------------------------------------------------------------------

    def run(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Return clean entries, one for each handshake part and each message that is kept."""
        found = sessions(entries)
        decoded = [self._decode(session) for session in found]
        for messages in decoded:
            for _, message, _ in messages:
                self._find(message)
        clean: list[Entry] = []
        for session, messages in zip(found, decoded, strict=True):
            clean += self._session(session, messages)
        # Stable: what came at the same time keeps its order.
        return iter(sorted(clean, key=lambda entry: entry.time_ns))

    def _decode(self, session: Session) -> list[tuple[Message, Any, bool]]:
        """Every message, what it says (or the error), and whether it has bytes that its plan does not know."""
        if not session.server_version:
            return []
        codecs = {True: Codec(session.server_version, Role.GATEWAY), False: Codec(session.server_version, Role.CLIENT)}
        found: list[tuple[Message, Any, bool]] = []
        for one in session.messages:
            counts = codecs[one.from_client].counts
            before = counts["extra_bytes"] + counts["unknown_fields"]
            try:
                message: Any = codecs[one.from_client].decode(one.payload)
            except IbwireError as error:
                message = error
            found.append((one, message, counts["extra_bytes"] + counts["unknown_fields"] != before))
        return found

    def _session(self, session: Session, messages: list[tuple[Message, Any, bool]]) -> Iterator[Entry]:
        number, begin_ns = session.connection, session.begin_ns
        yield Entry(Kind.CONNECTED, number, begin_ns)
        if session.hello:
            kept = _OPTIONS.match(session.hello)
            hello = kept[0] if kept is not None else b""
            yield Entry(Kind.FROM_CLIENT, number, begin_ns, b"API\0" + (frame(hello) if hello else b""))
        if session.problem:
            self.dropped.append(f"connection {number}: the rest of it: {session.problem}")
        if not session.server_version:
            if session.greeting:
                self.dropped.append(f"connection {number}: an answer to the handshake that is no version")
            return
        yield Entry(Kind.FROM_GATEWAY, number, begin_ns, frame(session.greeting))
        for one, message, surplus in messages:
            payload = self._message(session, one, message, surplus)
            if payload is not None:
                kind = Kind.FROM_CLIENT if one.from_client else Kind.FROM_GATEWAY
                yield Entry(kind, number, one.time_ns, frame(payload))

    def _message(self, session: Session, found: Message, message: Any, surplus: bool) -> bytes | None:
        """The clean payload, None when it is dropped."""
        if isinstance(message, UnknownMessage | IbwireError):
            if self.keep_unknown:
                return found.payload
            what = f"id {message.id} is unknown" if isinstance(message, UnknownMessage) else str(message)
            return self._drop(session, found, what)
        version = session.server_version
        raw = version >= V.PROTOBUF
        proto = raw and int.from_bytes(found.payload[:4], "big") > PROTO_OFFSET
        codec = Codec(version, Role.CLIENT if found.from_client else Role.GATEWAY)
        clean = self._clean(deepcopy(message))
        if clean == message and not surplus:
            return found.payload
        try:
            payload = codec.encode(clean, Dialect.PROTO if proto else Dialect.TEXT)
        except IbwireError as error:
            return self._drop(session, found, f"{type(message).__name__} cannot be written again: {error}")
        for text in self._texts:
            if len(text) >= _SHORT and text not in self._texts.values() and text.encode() in payload:
                return self._drop(session, found, f"{type(message).__name__} still names somebody")
        return payload

    def _drop(self, session: Session, found: Message, why: str) -> bytes | None:
        """Leave a message out: returns no payload."""
        side = "client" if found.from_client else "gateway"
        self.dropped.append(f"connection {session.connection}, from the {side}, {len(found.payload)} bytes: {why}")
        return None
