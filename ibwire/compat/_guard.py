"""The kill switch of a program written for the official package: it has no policies, but it can be shut."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ibwire.errors import RiskRejected
from ibwire.io.killswitch import KillSwitch
from ibwire.io.statedir import default_state_dir
from ibwire.spec import versions as V
from ibwire.spec.registry import OUTGOING
from ibwire.trade.risk_requests import EFFECTS, Effect

if TYPE_CHECKING:
    from ibwire.compat.link import Link

_PROTO_OFFSET: Final = 200


class Guarded:
    """A link that sends nothing that can add risk while the switch is shut, whatever way it was made.

    What is not known is held to add risk. Everything else is the link's.
    """

    def __init__(self, link: Link, host: str, port: int, client_id: int) -> None:
        self._link = link
        self.switch = KillSwitch(default_state_dir(host, port, client_id))

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
        return self._link.drain(timeout_ms, into)

    def receive_many(self, timeout_ms: int, most: int) -> list[bytes]:
        """As the link."""
        return self._link.receive_many(timeout_ms, most)

    def close(self) -> None:
        """As the link."""
        self._link.close()

    def send(self, payload: bytes) -> None:
        """Send one payload. Raises RiskRejected while the switch is shut, SessionLost when the link is closed."""
        kill = self.switch.check()
        if kill is not None and self._effect(payload) is Effect.ADDS:
            raise RiskRejected(f"no new orders: {kill}", hint="ibwire kill --release, then start again")
        self._link.send(payload)

    def _effect(self, payload: bytes) -> Effect:
        if self._link.server_version >= V.PROTOBUF:
            number = int.from_bytes(payload[:4], "big")
            number -= _PROTO_OFFSET if number > _PROTO_OFFSET else 0
        else:
            text = payload.partition(b"\0")[0]
            number = int(text) if text.isdigit() else -1
        row = OUTGOING.get(number)
        return Effect.ADDS if row is None else EFFECTS.get(row.name, Effect.ADDS)
