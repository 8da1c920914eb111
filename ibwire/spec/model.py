"""The vocabulary in which the wire is described: kinds, fields, structs, text items, rows.

Read this before any other file of ``spec``. The rules:

* Data only. A row says what stands on the wire; it never reads or writes a byte.
* A message is one :class:`Row`. Its ``fields`` are what the program sees; ``text`` is the order on the wire in the
  text dialect (when absent: the fields in their order); a field's ``proto`` is its protobuf number.
* Paths name fields from the message down: ``"order.softDollarTier.name"``. ``"x?"`` is the presence of an optional
  struct. ``"@version"`` is the obsolete version field of the message itself.
* Server versions are compared here by number (gates from :mod:`ibwire.spec.versions`) and resolved once, when a plan
  is made; nothing else in the package compares a server version.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

__all__ = [
    "ALWAYS",
    "BOOL",
    "DEC",
    "F64",
    "FOREVER",
    "I32",
    "I64",
    "IF_SET",
    "IF_TRUE",
    "MISSING",
    "NO_TEXT",
    "STR",
    "Bits",
    "Call",
    "Cond",
    "Direction",
    "Field",
    "Gate",
    "Group",
    "Item",
    "Kind",
    "N",
    "Present",
    "Repeat",
    "Row",
    "Skip",
    "Struct",
    "T",
    "TextRule",
    "Version",
    "When",
    "any_of",
    "equals",
    "ge",
    "gt",
    "incoming",
    "is_in",
    "outgoing",
    "req_id",
    "since",
    "true",
    "until",
]

FOREVER: Final = 1 << 30
"""An ``until`` that never comes."""


class _Missing(enum.Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing.MISSING


class Kind(enum.IntEnum):
    """What a scalar means to the program. Both integer kinds are 64 bits wide in memory."""

    I32 = 1
    I64 = 2
    F64 = 3
    DEC = 4
    BOOL = 5
    STR = 6


I32, I64, F64, DEC, BOOL, STR = Kind.I32, Kind.I64, Kind.F64, Kind.DEC, Kind.BOOL, Kind.STR

# When a field is sent in protobuf.
ALWAYS: Final = "always"
IF_SET: Final = "if_set"
IF_TRUE: Final = "if_true"


class TextRule(enum.IntEnum):
    """How the characters of a text field are carried in the text dialect."""

    UTF8 = 0
    ESCAPED = 1  # backslash escapes from version 153 on, plain before
    ESCAPED_ALWAYS = 2


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a message or struct: what the program sees, and its protobuf number.

    Parameters
    ----------
    name : IB's spelling; the attribute in types and in compat.
    type : a kind, or a struct.
    proto : protobuf field number; 0 when protobuf does not carry it (or carries it elsewhere: ``Row.proto_map``).
    proto_name : the field's name in protobuf where it differs.
    proto_kind : wire kind in protobuf where it differs from the kind: "int32", "int64", "double", "string", "bool".
    many : a list of values. is_map : that list is a ``map<string, string>`` in protobuf (elements tag, value).
    optional : the struct may be absent (None).
    nullable : the program sees None when the wire says "not set".
    default : the value before anything is decoded, in the typed objects.
    official, official_text, official_proto : the same in the official client, where it differs from the sentinel of
        a nullable field or the zero of the kind; ``_text`` and ``_proto`` where the two dialects differ.
    hook : name of a conversion pair in :mod:`ibwire.spec.hooks` applied between protobuf and the program.
    not_computed : a number (or "negative") by which the gateway says "not computed": reads as None, in both profiles.
    since : server version from which a peer can be sent this field at all.
    quiet : below ``since`` a set value is left out instead of refused.
    send : protobuf presence on send; by default IF_TRUE for text and bool, IF_SET otherwise.
    only : "incoming" or "outgoing": in protobuf the field is used in that direction alone (never sent and, as every
        unknown field, skipped in the other); text layouts name their fields anyway.
    """

    name: str
    type: Kind | Struct
    proto: int = 0
    _: KW_ONLY
    proto_name: str = ""
    proto_kind: str = ""
    many: bool = False
    is_map: bool = False
    optional: bool = False
    nullable: bool = False
    default: Any = MISSING
    official: Any = MISSING
    official_text: Any = MISSING
    official_proto: Any = MISSING
    hook: str = ""
    not_computed: Any = None
    since: int = 0
    quiet: bool = False
    send: str = ""
    only: str = ""
    doc: str = ""

    @property
    def sent(self) -> str:
        """When protobuf has it: ``send``, or the rule of its kind."""
        if self.send:
            return self.send
        if isinstance(self.type, Struct):
            return IF_SET if self.optional else ALWAYS
        plain = self.type is Kind.STR or (self.type is Kind.BOOL and not self.nullable)
        return IF_TRUE if plain else IF_SET

    def used(self, direction: Direction) -> bool:
        """Whether protobuf messages of that direction use it."""
        return not self.only or self.only == direction.value


@dataclass(frozen=True, slots=True)
class Struct:
    """A named group of fields that several messages share; written once in :mod:`ibwire.spec.structs`."""

    name: str
    fields: tuple[Field, ...]
    proto: str = ""
    doc: str = ""
    proto_map: tuple[tuple[int, str | Group | Bits], ...] = ()

    def __getitem__(self, name: str) -> Field:
        for f in self.fields:
            if f.name == name:
                return f
        raise KeyError(f"{self.name} has no field {name}")


@dataclass(frozen=True, slots=True)
class Group:
    """A protobuf submessage that the program does not see as a struct: numbers to paths from the enclosing message.

    ``base``: the path of a struct whose own numbers stand in it too. ``name``: field name in the enclosing message.
    """

    name: str
    proto: str
    entries: tuple[tuple[int, str], ...]
    base: str = ""


def req_id(name: str = "reqId", **kw: Any) -> Field:
    """A request id: protobuf number 1; the official client reads -1 where protobuf does not carry it."""
    kw.setdefault("official_proto", -1)
    return Field(name, Kind.I32, 1, **kw)


# ---------------------------------------------------------------------------------------------- text items


@dataclass(frozen=True, slots=True)
class Cond:
    """A condition on values decoded earlier in the same message. op: true, eq, ge, gt, in, any."""

    op: str
    path: str = ""
    value: Any = None
    parts: tuple[Cond, ...] = ()


def true(path: str) -> Cond:
    """Not zero, not empty, not unset."""
    return Cond("true", path)


def equals(path: str, value: Any) -> Cond:
    return Cond("eq", path, value)


def is_in(path: str, *values: Any) -> Cond:
    return Cond("in", path, values)


def ge(path: str, value: int) -> Cond:
    return Cond("ge", path, value)


def gt(path: str, value: float) -> Cond:
    return Cond("gt", path, value)


def any_of(*parts: Cond) -> Cond:
    return Cond("any", parts=parts)


@dataclass(frozen=True, slots=True)
class Item:
    """Base of everything that can stand in a text layout."""


@dataclass(frozen=True, slots=True)
class T(Item):
    """One text field. Empty reads as zero in the official client; an unset value is written as its sentinel.

    ``rule`` says how text is escaped; ``words`` = (true, false) replaces 1 and 0 of a bool; ``hook`` names a
    conversion pair between the text and the value; ``unknown`` is a text that means "not set" besides empty
    (``?`` for prices of bars).
    """

    path: str
    _: KW_ONLY
    since: int = 0
    until: int = FOREVER
    rule: TextRule = TextRule.UTF8
    words: tuple[str, str] | None = None
    hook: str = ""
    unknown: str = ""
    quiet: bool = False
    null: bool = False
    kind: Kind | None = None


def N(path: str, **kw: Any) -> T:
    """One nullable text field: empty means unset, in both directions."""
    return T(path, null=True, **kw)


@dataclass(frozen=True, slots=True)
class Version(Item):
    """The obsolete version field of a message: ``value`` is what we send; read into ``@version``.

    ``until``: from that server version on it is not on the wire; ``absent`` then stands for it ("server" means the
    server version itself).
    """

    value: int
    _: KW_ONLY
    until: int = FOREVER
    absent: int | str = 0


@dataclass(frozen=True, slots=True)
class Skip(Item):
    """A field that nobody uses: ignored when read, ``text`` when written. ``kind`` is what a reader must accept."""

    text: str = ""
    _: KW_ONLY
    since: int = 0
    until: int = FOREVER
    name: str = "unused"


@dataclass(frozen=True, slots=True)
class Gate(Item):
    """Items that stand on the wire only from ``since`` and before ``until``."""

    items: tuple[Item, ...]
    since: int = 0
    until: int = FOREVER


def since(version: int, *items: Item) -> Gate:
    return Gate(items, since=version)


def until(version: int, *items: Item) -> Gate:
    return Gate(items, until=version)


@dataclass(frozen=True, slots=True)
class When(Item):
    """Items that stand on the wire only if the condition holds for values before them."""

    cond: Cond
    items: tuple[Item, ...]

    def __init__(self, cond: Cond, *items: Item) -> None:
        object.__setattr__(self, "cond", cond)
        object.__setattr__(self, "items", items)


@dataclass(frozen=True, slots=True)
class Present(Item):
    """Not on the wire: marks the optional struct at ``path`` as present when read."""

    path: str


@dataclass(frozen=True, slots=True)
class Repeat(Item):
    """A count, then that many times ``items``; paths inside are relative to the element ("" is a scalar element)."""

    path: str
    items: tuple[Item, ...]

    def __init__(self, path: str, *items: Item) -> None:
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "items", items)


@dataclass(frozen=True, slots=True)
class Bits(Item):
    """One integer whose bits are bools: path, mask, and the version from which the bit is known.

    In a text layout, or as a target in ``proto_map``. ``absent``: the official client's mask when protobuf has none.
    """

    bits: tuple[tuple[str, int, int], ...]
    name: str = "mask"
    absent: int = 0


# ---------------------------------------------------------------------------------------------- rows


class Direction(enum.Enum):
    INCOMING = "incoming"  # gateway to client
    OUTGOING = "outgoing"  # client to gateway


@dataclass(frozen=True, slots=True)
class Call:
    """One EWrapper callback of an incoming message.

    args : paths of its arguments (by default the message's fields). each : path of a list, the callback is made once
    per element and paths starting with ``.`` are relative to it. when : condition. until : only below that version.
    """

    name: str
    args: tuple[str, ...] | None = None
    _: KW_ONLY
    each: str = ""
    when: Cond | None = None
    until: int = FOREVER


@dataclass(frozen=True, slots=True)
class Row:
    """One message of one direction: everything about it that stands on the wire."""

    id: int
    name: str
    direction: Direction
    fields: tuple[Field, ...]
    text: tuple[Item, ...] | None
    proto: str = ""
    proto_since: int = 0
    since: int = 0
    calls: tuple[Call, ...] = ()
    record: str = ""
    proto_map: tuple[tuple[int, str | Group | Bits], ...] = ()
    hook: str = ""
    doc: str = ""

    @property
    def cls_name(self) -> str:
        """Name of the generated dataclass."""
        return self.name[0].upper() + self.name[1:]

    def __getitem__(self, name: str) -> Field:
        for f in self.fields:
            if f.name == name:
                return f
        raise KeyError(f"{self.name} has no field {name}")


NO_TEXT: Final[tuple[Item, ...]] = (Skip(name="@no text form"),)
"""``text=NO_TEXT``: the message has no text form at any version."""


def _row(direction: Direction, id: int, name: str, fields: Sequence[Field], kw: dict[str, Any]) -> Row:
    text = kw.pop("text", MISSING)
    version = kw.pop("version", None)
    if text is MISSING:
        text = tuple(T(f.name) for f in fields)
    elif text is NO_TEXT:
        text = None
    if version is not None and text is not None:
        text = (version if isinstance(version, Version) else Version(version), *text)
    calls = kw.pop("calls", ())
    calls = tuple(Call(c) if isinstance(c, str) else c for c in ((calls,) if isinstance(calls, str | Call) else calls))
    return Row(id, name, direction, tuple(fields), text, calls=calls, **kw)


def incoming(id: int, name: str, *fields: Field, **kw: Any) -> Row:
    """A message from the gateway. ``version=n``: it begins with an obsolete version field, which we send as n.

    ``text=`` items (default: the fields in order), ``proto=`` protobuf message name, ``proto_since=`` first server
    version at which a gateway sends it in protobuf, ``since=`` first server version that knows it, ``calls=``
    callbacks (default: one named like the message), ``record=`` name of its ring record.
    """
    kw.setdefault("calls", name)
    return _row(Direction.INCOMING, id, name, fields, kw)


def outgoing(id: int, name: str, *fields: Field, **kw: Any) -> Row:
    """A message from the client; ``name`` is the EClient method. Parameters as for :func:`incoming`."""
    return _row(Direction.OUTGOING, id, name, fields, kw)
