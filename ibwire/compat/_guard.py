"""The kill switch of a program written for the official package: it has no policies, but it can be shut.

Kills come from a file (``ibwire kill`` writes it): looked for by every message that can add risk, and 20 times a second
while the program runs its message loop. Then this connection's orders are cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ibwire.errors import RiskRejected
from ibwire.io import clock
from ibwire.io.killswitch import Kill, KillSwitch, in_background, new_lock, one_by_one
from ibwire.io.statedir import default_state_dir
from ibwire.spec import versions as V
from ibwire.spec.registry import OUTGOING
from ibwire.trade.risk_requests import EFFECTS, Effect
from ibwire.types import incoming, outgoing
from ibwire.wire import varint
from ibwire.wire.codec import Codec, Role

if TYPE_CHECKING:
    from ibwire.compat.link import Link

_PROTO_OFFSET: Final = 200
_CANCELS_PER_S: Final = 45
_LOOK_NS: Final = 50_000_000
_LISTEN_NS: Final = 10_000_000_000
_PLACE: Final = outgoing.PlaceOrder.MSG_ID


class Guarded:
    """A link that sends nothing that can add risk while the switch is shut, whatever way it was made.

    What is not known is held to add risk. Everything else is the link's.
    """

    def __init__(self, link: Link, host: str, port: int, client_id: int) -> None:
        self._link = link
        self.switch = KillSwitch(default_state_dir(host, port, client_id), on_kill=self._on_kill)
        self._lock = new_lock()  # of looking at the switch and sending: a kill waits for who is between the two
        self._placed: dict[int, None] = {}  # ids of this connection's orders, oldest first
        self._look_ns = 0
        self._accounts: Any = None  # where the accounts will be named, until they are
        self._give_up_ns = clock.now_ns() + _LISTEN_NS

    @property
    def server_version(self) -> int:
        return self._link.server_version

    @property
    def connection_time(self) -> str:
        return self._link.connection_time

    @property
    def link(self) -> Any:
        """The link's own figures, where it keeps any."""
        return getattr(self._link, "link", None)

    def is_open(self) -> bool:
        """As the link."""
        return self._link.is_open()

    def drain(self, timeout_ms: int, into: Callable[[Any], int]) -> int:
        """As the link."""
        self._look()
        return self._link.drain(timeout_ms, into)

    def receive_many(self, timeout_ms: int, most: int) -> list[bytes]:
        """As the link."""
        self._look()
        return self._link.receive_many(timeout_ms, most)

    def close(self) -> None:
        """As the link."""
        self._link.close()

    def send(self, payload: bytes) -> None:
        """Send one payload. Raises RiskRejected while the switch is shut, SessionLost when the link is closed."""
        number = self._number(payload)
        if _effect(number) is not Effect.ADDS:
            self._link.send(payload)
            return
        with self._lock:
            kill = self.switch.check()
            if kill is not None:
                raise RiskRejected(f"no new orders: {kill}", hint="ibwire kill --release, then start again")
            self._link.send(payload)
            if number == _PLACE:
                self._placed[self._order_id(payload)] = None

    def _look(self) -> None:
        now_ns = clock.now_ns()
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + _LOOK_NS
        if self._give_up_ns:
            self._look_at_accounts(now_ns)
        self.switch.look()

    def _look_at_accounts(self, now_ns: int) -> None:
        """One line in the log when the login is a live one."""
        link = self.link
        if link is None:
            return
        if self._accounts is None:
            self._accounts = link.control.cursor(from_start=True)
        for entry in self._accounts.poll():
            if entry.kind != incoming.ManagedAccounts.MSG_ID:
                continue
            found = Codec(self.server_version, Role.CLIENT).decode(bytes(entry.payload))
            live = [name for name in found.accountsList.split(",") if name and not name.startswith("D")]
            if live:
                import logging

                logging.getLogger("ibwire.compat").warning("%s: a live account, orders are real", ", ".join(live))
            self._give_up_ns = 0
            break
        if now_ns >= self._give_up_ns:
            self._give_up_ns = 0
            self._accounts.close()

    def _on_kill(self, kill: Kill) -> None:
        with self._lock:
            placed = list(self._placed)
        encode = Codec(self.server_version, Role.CLIENT).encode
        if kill.scope == "everything":
            self._link.send(encode(outgoing.ReqGlobalCancel()))
            return
        # The newest first: they are most likely to be open. Of one that has ended the gateway says so.
        payloads = [encode(outgoing.CancelOrder(order_id)) for order_id in reversed(placed)]
        in_background("ibwire-kill-now", one_by_one, self._link.send, payloads, _CANCELS_PER_S)

    def _number(self, payload: bytes) -> int:
        if self._link.server_version >= V.PROTOBUF:
            number = int.from_bytes(payload[:4], "big")
            return number - (_PROTO_OFFSET if number > _PROTO_OFFSET else 0)
        text = payload.partition(b"\0")[0]
        return int(text) if text.isdigit() else -1

    def _order_id(self, payload: bytes) -> int:
        """Of a placeOrder: the first field, after that of the message's version where there is one."""
        version = self._link.server_version
        if version >= V.PROTOBUF:
            if int.from_bytes(payload[:4], "big") > _PROTO_OFFSET:
                return varint.read(payload, 5, len(payload))[0] if payload[4:5] == b"\x08" else 0
            return int(payload[4:].split(b"\0", 1)[0])
        return int(payload.split(b"\0", 3)[1 if version >= V.ORDER_CONTAINER else 2])


def _effect(number: int) -> Effect:
    row = OUTGOING.get(number)
    return Effect.ADDS if row is None else EFFECTS.get(row.name, Effect.ADDS)
