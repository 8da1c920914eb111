"""EClient: connecting, the message loop, and every request of the official client."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

from ibwire.compat import errors
from ibwire.compat._clock import now_ms

# Programs take these names from here too: ``from ibapi.client import *``.
from ibwire.compat._objects import Contract as Contract
from ibwire.compat._objects import ExecutionFilter as ExecutionFilter
from ibwire.compat._objects import Order as Order
from ibwire.compat._objects import OrderCancel as OrderCancel
from ibwire.compat._objects import ScannerSubscription as ScannerSubscription
from ibwire.compat._requests import SEND_FAILED, Requests
from ibwire.compat.common import *  # noqa: F403
from ibwire.compat.const import MAX_MSG_LEN as MAX_MSG_LEN
from ibwire.compat.const import NO_VALID_ID as NO_VALID_ID
from ibwire.compat.const import UNSET_DOUBLE as UNSET_DOUBLE
from ibwire.compat.dispatch import Dispatcher
from ibwire.compat.link import Connector, Link
from ibwire.compat.utils import isAsciiPrintable
from ibwire.errors import ConnectError, ProtocolError, RequestError, SessionLost, UnsupportedByServer
from ibwire.spec import structs
from ibwire.spec.model import Direction, Row, Struct
from ibwire.spec.registry import OUTGOING
from ibwire.wire.codec import Codec, Role

_ROWS: Final[dict[str, Row]] = {row.name: row for row in OUTGOING.values() if row.direction is Direction.OUTGOING}
_IDS: Final = ("reqId", "orderId", "tickerId")
_WAIT_MS: Final = 200  # between two calls of msgLoopTmo
_PATIENCE: Final = 5  # Ctrl-C that often, and run() gives up


class EClient(Requests):
    """The official client: connect, send requests, run the message loop.

    Parameters
    ----------
    wrapper : EWrapper
        Hears the answers; usually the program's own object, which is both.

    Notes
    -----
    Requests may be sent from any thread, also from inside a callback; ``connect`` and ``run`` belong to one thread.
    What cannot be sent is reported through ``error()`` and sends nothing.
    """

    DISCONNECTED, CONNECTING, CONNECTED = range(3)

    _ibwire_connector: Connector | None = None

    def __init__(self, wrapper: Any) -> None:
        self.wrapper = wrapper
        self.reset()

    def reset(self) -> None:
        """Back to the state of a new client; an open connection is forgotten, not closed."""
        self.nKeybIntHard = 0
        self.conn: Link | None = None
        self.host: str | None = None
        self.port: int | None = None
        self.extraAuth = False
        self.clientId: int | None = None
        self.serverVersion_: int | None = None
        self.connTime: str | None = None
        self.connState = EClient.DISCONNECTED
        self.optCapab: str | None = None
        self.asynchronous = False
        self.connectOptions: str | None = None
        self.decoder: Dispatcher | None = None
        self._ibwire_codec: Codec | None = None
        self._ibwire_links: list[Link] = []

    def setConnState(self, connState: int) -> None:
        """Set the state that :meth:`isConnected` looks at."""
        self.connState = connState

    # ------------------------------------------------------------------ connecting

    def connect(self, host: str, port: int, clientId: int) -> None:
        """Connect, shake hands and start the API; returns when that is done.

        Parameters
        ----------
        host, port : where TWS (7496 live, 7497 paper) or IB Gateway (4001, 4002) listens.
        clientId : names this client; no two connected clients share one.

        Notes
        -----
        A failure is reported through ``error()``: 501 connected already, 502 no connection, 579 a character that
        cannot be sent. ``connectAck`` follows a success.
        """
        if self.isConnected():
            self._ibwire_error(errors.ALREADY_CONNECTED)
            return
        for text in (host, self.connectOptions, self.optCapab):
            if text is not None and not isAsciiPrintable(text):
                self._ibwire_error(errors.INVALID_SYMBOL, ascii(text))
                return
        self.host, self.port, self.clientId = host, port, clientId
        self.setConnState(EClient.CONNECTING)
        try:
            link = self._ibwire_open(host, port, self.connectOptions or "")
        except ConnectError as problem:
            self.setConnState(EClient.DISCONNECTED)
            self._ibwire_error(errors.CONNECT_FAIL, str(problem))
            return
        except BaseException:
            self.setConnState(EClient.DISCONNECTED)
            raise
        self.conn = link
        self._ibwire_links.append(link)
        self.connTime = link.connection_time
        self.serverVersion_ = link.server_version
        self.decoder = Dispatcher(self.wrapper, link.server_version)
        self._ibwire_codec = Codec(link.server_version, Role.CLIENT)
        self.setConnState(EClient.CONNECTED)
        self.startApi()
        self.wrapper.connectAck()

    def _ibwire_open(self, host: str, port: int, options: str) -> Link:
        connector = type(self)._ibwire_connector
        if connector is not None:
            return connector(host, port, options)
        from ibwire.io.payloads import PayloadLink  # sockets and threads only once a connection is wanted

        return PayloadLink(host, port, options)

    def startApi(self) -> None:
        """Name this client to the gateway, which then sends ids and accounts; :meth:`connect` does it."""
        self._ibwire_send("startApi", self.clientId or 0, self.optCapab or "")

    def disconnect(self) -> None:
        """Close the connection; orders that were sent stay. ``connectionClosed`` is called once."""
        self.setConnState(EClient.DISCONNECTED)
        try:
            link = self._ibwire_links.pop()  # of several threads, one gets it
        except IndexError:
            return
        link.close()
        self.reset()
        self.wrapper.connectionClosed()

    def isConnected(self) -> bool:
        """True from the handshake until either side closes."""
        link = self.conn
        return self.connState == EClient.CONNECTED and link is not None and link.is_open()

    def serverVersion(self) -> int | None:
        """The version agreed with the gateway, None while not connected."""
        return self.serverVersion_

    def twsConnectionTime(self) -> str | None:
        """The gateway's time at the handshake, as it wrote it; None while not connected."""
        return self.connTime

    def setConnectOptions(self, opts: str) -> None:
        """Options for the next handshake, such as ``+PACEAPI``."""
        self.connectOptions = opts

    def setOptionalCapabilities(self, optCapab: str) -> None:
        """Capabilities that the next ``startApi`` names."""
        self.optCapab = optCapab

    # ------------------------------------------------------------------ the message loop

    def run(self) -> None:
        """Make the callbacks of what comes, on this thread, until the connection ends.

        Payloads that came before the gateway closed are still delivered; after :meth:`disconnect` nothing more is.
        An exception in a callback ends the loop, closes the connection and goes through.
        """
        if self.decoder is not None:
            self.decoder.refresh()
        try:
            while (link := self.conn) is not None:
                try:
                    if not self._ibwire_step(link):
                        break
                except (KeyboardInterrupt, SystemExit):
                    self.keyboardInterrupt()
                    self.keyboardInterruptHard()
        finally:
            self.disconnect()

    def _ibwire_step(self, link: Link) -> bool:
        """Wait for one payload and deliver it; False when the link ended."""
        try:
            payload = link.receive(_WAIT_MS)
        except SessionLost:
            return False
        except ProtocolError as problem:
            self._ibwire_error(errors.BAD_LENGTH, str(problem))
            return False
        if payload is None:
            self.msgLoopTmo()
            return True
        decoder = self.decoder
        if decoder is not None:
            decoder.interpret(payload)
            self.msgLoopRec()
        return True

    def msgLoopTmo(self) -> None:
        """Called by :meth:`run` when nothing came for 200 ms; to be overridden."""

    def msgLoopRec(self) -> None:
        """Called by :meth:`run` after each message; to be overridden."""

    def keyboardInterrupt(self) -> None:
        """Called by :meth:`run` on Ctrl-C or SystemExit; to be overridden."""

    def keyboardInterruptHard(self) -> None:
        """Called after :meth:`keyboardInterrupt`; raises SystemExit at the sixth time."""
        self.nKeybIntHard += 1
        if self.nKeybIntHard > _PATIENCE:
            raise SystemExit

    # ------------------------------------------------------------------ requests

    def _ibwire_send(self, name: str, *values: object) -> None:
        """Encode and send one request; ``values`` are its row's fields in their order."""
        row = _ROWS[name]
        link, codec = self.conn, self._ibwire_codec
        if link is None or codec is None or not link.is_open():
            self._ibwire_error(errors.NOT_CONNECTED)
            return
        try:
            payload = codec.encode_row(row, _message(row, values))
        except UnsupportedByServer as problem:
            self._ibwire_error(errors.UPDATE_TWS, problem.text, _id(row, values))
            return
        except (RequestError, TypeError, ValueError, ArithmeticError, AttributeError) as problem:
            text = problem.text if isinstance(problem, RequestError) else str(problem)
            self._ibwire_report(SEND_FAILED[name], f"{name}: {text}", _id(row, values))
            return
        try:
            link.send(payload)
        except SessionLost as problem:  # part of it may have gone out
            self._ibwire_report(SEND_FAILED[name], f"{name}: {problem}", _id(row, values))

    def _ibwire_error(self, what: errors.CodeMsgPair, more: str = "", reqId: int = NO_VALID_ID) -> None:
        self._ibwire_report(what.code(), f"{what.msg()}: {more}" if more else what.msg(), reqId)

    def _ibwire_report(self, code: int, text: str, reqId: int) -> None:
        self.wrapper.error(reqId, now_ms(), code, text, "")


def _id(row: Row, values: tuple[object, ...]) -> int:
    """The request or order id among a request's values, -1 where it has none."""
    if row.fields and row.fields[0].name in _IDS and isinstance(values[0], int):
        return values[0]
    return NO_VALID_ID


def _message(row: Row, values: tuple[object, ...]) -> SimpleNamespace:
    """A request's values by name, after a look at the objects among them. Raises TypeError."""
    message = {}
    for f, value in zip(row.fields, values, strict=True):
        if isinstance(f.type, Struct) and not f.many:
            if value is None and f.type is structs.ORDER_CANCEL:
                continue
            if not hasattr(value, f.type.fields[0].name):
                raise TypeError(f"{f.name} is {value!r}; give a {f.type.name}")
        message[f.name] = value
    return SimpleNamespace(**message)
