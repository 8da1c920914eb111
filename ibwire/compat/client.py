"""EClient: connecting, the message loop, and every request of the official client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ibwire.compat import errors
from ibwire.compat._clock import now_ms

# Programs take these names from here too: ``from ibapi.client import *``.
from ibwire.compat._objects import Contract as Contract
from ibwire.compat._objects import ExecutionFilter as ExecutionFilter
from ibwire.compat._objects import Order as Order
from ibwire.compat._objects import OrderCancel as OrderCancel
from ibwire.compat._objects import ScannerSubscription as ScannerSubscription
from ibwire.compat._older import OlderRequests, same_signature
from ibwire.compat._proto_requests import ProtoRequests
from ibwire.compat._requests import NAMED_WHEN_NOT_CONNECTED, SEND_FAILED
from ibwire.compat.common import *  # noqa: F403
from ibwire.compat.const import MAX_MSG_LEN as MAX_MSG_LEN
from ibwire.compat.const import NO_VALID_ID as NO_VALID_ID
from ibwire.compat.const import UNSET_DOUBLE as UNSET_DOUBLE
from ibwire.compat.errors import *  # noqa: F403
from ibwire.compat.utils import BadMessage as BadMessage
from ibwire.compat.utils import ClientException as ClientException
from ibwire.compat.utils import isAsciiPrintable
from ibwire.errors import ConnectError, ProtocolError, RiskRejected, SessionLost
from ibwire.spec.errorcodes import OWN_NOTICE

if TYPE_CHECKING:
    from ibwire.compat._sending import Encoder
    from ibwire.compat.connection import OpenConnection
    from ibwire.compat.decoder import Decoder
    from ibwire.compat.link import Connector, Link

# The spec, the codec, sockets and threads are loaded when a program connects: importing this module stays cheap.

_WAIT_MS: Final = 200  # between two calls of msgLoopTmo
LOST_DATA: Final = "{} messages of market data were given up: this program was too far behind"
_AT_ONCE: Final = 4096  # payloads that the loop takes from the link at a time
_PATIENCE: Final = 5  # Ctrl-C that often, and run() gives up


def _check(host: object, port: object, clientId: object) -> None:
    if host is not None and not isinstance(host, str):
        raise TypeError(f"host is {host!r}; give a text")
    for name, value in (("port", port), ("clientId", clientId)):
        if not isinstance(value, int):
            raise TypeError(f"{name} is {value!r}; give a whole number")
    if isinstance(port, int) and not 0 < port < 65536:
        raise ValueError(f"port is {port}; it may be 1..65535")


def _send_msg(self: object, msgId: int, msg: str) -> None: ...


class EClient(OlderRequests, ProtoRequests):
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
    # For programs that cannot say of which release they are; `ibwire exec` sets them on the class.
    _ibwire_sizes: str | None = None
    _ibwire_error_style: int | None = None
    # What may wait for the callbacks before market data is given up; None for the link's own limit.
    _ibwire_backlog_bytes: int | None = None

    def __init__(self, wrapper: Any) -> None:
        self.wrapper = wrapper
        self.reset()

    def reset(self) -> None:
        """Back to the state of a new client; an open connection is forgotten, not closed."""
        self.nKeybIntHard = 0
        self.conn: OpenConnection | None = None
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
        self.decoder: Decoder | None = None
        self._ibwire_started = False
        self._ibwire_encoder: Encoder | None = None
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
        A failure is reported through ``error()``: 501 connected already, 502 no connection (and ``connectionClosed``
        follows), 579 a character that cannot be sent. ``connectAck`` follows a success. With ``asynchronous`` set,
        ``connectAck`` comes before the API is started, and may start it itself.

        Raises
        ------
        TypeError, ValueError : an argument is of the wrong kind, or the port beyond 1..65535.
        """
        _check(host, port, clientId)
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
            self.reset()
            self.wrapper.connectionClosed()
            return
        except BaseException:
            self.setConnState(EClient.DISCONNECTED)
            raise
        self._ibwire_begin(link)
        if not self.asynchronous:
            self.startApi()
        self.wrapper.connectAck()
        if not self._ibwire_started and self.isConnected():
            self.startApi()

    def _ibwire_begin(self, link: Link) -> None:
        from ibwire.compat._sending import Encoder
        from ibwire.compat.connection import OpenConnection
        from ibwire.compat.decoder import Decoder

        try:
            sizes, style = self._ibwire_sizes, self._ibwire_error_style
            self.decoder = Decoder(self.wrapper, link.server_version, sizes=sizes, error_style=style)
        except BaseException:
            self.setConnState(EClient.DISCONNECTED)
            link.close()
            raise
        self.conn = OpenConnection(self, link)
        self._ibwire_links.append(link)
        self.connTime = link.connection_time
        self.serverVersion_ = link.server_version
        self._ibwire_encoder = Encoder(link.server_version)
        self.setConnState(EClient.CONNECTED)

    def _ibwire_open(self, host: str, port: int, options: str) -> Link:
        connector = type(self)._ibwire_connector
        if connector is not None:
            return connector(host, port, options)
        from ibwire.compat._guard import Guarded
        from ibwire.io.payloads import PayloadLink  # sockets and threads only once a connection is wanted

        most = type(self)._ibwire_backlog_bytes
        settings = {} if most is None else {"max_backlog_bytes": most}
        return Guarded(PayloadLink(host, port, options, **settings), host, port, self.clientId or 0)

    def startApi(self) -> None:
        """Name this client to the gateway, which then sends ids and accounts; :meth:`connect` does it."""
        self._ibwire_started = True
        self._ibwire_send("startApi", self.clientId or 0, self.optCapab or "")

    def disconnect(self) -> None:
        """Close the connection; orders that were sent stay. ``connectionClosed`` is called once."""
        self.setConnState(EClient.DISCONNECTED)
        if self.decoder is not None:
            self.decoder.dispatcher.stop()  # nothing more is delivered
        try:
            link = self._ibwire_links.pop()  # of several threads, one gets it
        except IndexError:
            return
        link.close()
        self.reset()
        self.wrapper.connectionClosed()

    def isConnected(self) -> bool:
        """True from the handshake until either side closes."""
        conn = self.conn
        return self.connState == EClient.CONNECTED and conn is not None and conn.isConnected()

    def serverVersion(self) -> int | None:
        """The version agreed with the gateway, None while not connected."""
        return self.serverVersion_

    def twsConnectionTime(self) -> str | None:
        """The gateway's time at the handshake, as it wrote it; None while not connected."""
        return self.connTime

    def setConnectOptions(self, opts: str) -> None:
        """Options for the next handshake, such as ``+PACEAPI``."""
        self.connectOptions = opts

    def setConnectionOptions(self, opts: str) -> None:
        """:meth:`setConnectOptions` under its name before 10.30."""
        self.setConnectOptions(opts)

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
            self.decoder.dispatcher.refresh()
        try:
            while self.conn is not None:
                try:
                    if not self._ibwire_steps():
                        break
                except (KeyboardInterrupt, SystemExit):
                    self.keyboardInterrupt()
                    self.keyboardInterruptHard()
        finally:
            self.disconnect()

    def _ibwire_steps(self) -> bool:
        """Deliver what comes until the wait for more is over or this connection is done with.

        Returns False when the link ended.
        """
        conn, decoder = self.conn, self.decoder
        if conn is None or decoder is None:
            return False
        dispatcher = decoder.dispatcher
        interpret, told = dispatcher.interpret, self.msgLoopRec
        listener = None if getattr(told, "__func__", None) is EClient.msgLoopRec else told

        def drain(payloads: Any) -> int:
            return dispatcher.drain(payloads, _AT_ONCE, listener)

        try:
            while self.conn is conn:
                for payload in conn.waiting:  # one iterator: after Ctrl-C in a callback it goes on with the next one
                    interpret(payload)
                    told()
                    if self.conn is not conn:
                        return True
                try:
                    count = conn.payloads.drain(_WAIT_MS, drain)
                except SessionLost:
                    return False
                except ProtocolError as problem:
                    self._ibwire_error(errors.BAD_LENGTH, str(problem))
                    return False
                if lost := conn.newly_lost():
                    self._ibwire_report(OWN_NOTICE, LOST_DATA.format(lost), NO_VALID_ID)
                if not count:
                    dispatcher.look()
                    self.msgLoopTmo()
                    return True
            return True
        finally:
            del conn  # a traceback shall not keep the connection and what it received

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
        conn, encoder = self.conn, self._ibwire_encoder
        if conn is None or encoder is None or not conn.isConnected():
            reqId = values[0] if name in NAMED_WHEN_NOT_CONNECTED else NO_VALID_ID
            self._ibwire_error(errors.NOT_CONNECTED, reqId=reqId if isinstance(reqId, int) else NO_VALID_ID)
            return
        from ibwire.compat._sending import Refused, request_id

        try:
            payload = encoder.encode(name, values, extra_auth=bool(self.extraAuth))
        except Refused as problem:
            self._ibwire_report(problem.code, problem.text, problem.reqId)
            return
        try:
            conn.payloads.send(payload)
        except (RiskRejected, SessionLost) as problem:  # of a lost session, part of it may have gone out
            self._ibwire_report(SEND_FAILED[name], f"{name}: {problem}", request_id(name, values))

    def _ibwire_send_twin(self, name: str, message: Any) -> None:
        """Send a protobuf message that the program made; ``name`` is the method."""
        if message is None:
            return
        from ibwire.compat._sending_proto import TWINS, Refused, encode, message_id

        conn, version = self.conn, self.serverVersion_
        if conn is None or version is None or not conn.isConnected():
            self._ibwire_error(errors.NOT_CONNECTED, reqId=message_id(name, message))
            return
        try:
            conn.payloads.send(encode(name, message, version, self.extraAuth))
        except Refused as problem:
            self._ibwire_report(problem.code, problem.text, problem.reqId)
        except (RiskRejected, SessionLost) as problem:  # of a lost session, part of it may have gone out
            self._ibwire_report(TWINS[name].code, f"{name}: {problem}", message_id(name, message))

    @same_signature(_send_msg)
    def sendMsg(self, msgId: int | str, msg: str | None = None) -> None:
        """Send a message made by hand: its id, and its fields each with a zero at the end (``comm.make_field``).

        Parameters
        ----------
        msgId : the id; before 10.37 the whole text, id field first, was the only argument.
        msg : the fields.
        """
        if msg is None:
            number, _, msg = str(msgId).partition("\0")
            msgId = int(number)
        self._ibwire_send_raw(int(msgId), msg.encode())

    def sendMsgProtoBuf(self, msgId: int, msg: bytes) -> None:
        """Send a protobuf message made by hand; ``msgId`` is the id on the wire, 200 added."""
        self._ibwire_send_raw(msgId, bytes(msg))

    def _ibwire_send_raw(self, msgId: int, body: bytes) -> None:
        conn = self.conn
        if conn is None or not conn.isConnected():
            self._ibwire_error(errors.NOT_CONNECTED)
            return
        from ibwire.compat.comm import make_id
        from ibwire.compat.server_versions import MIN_SERVER_VER_PROTOBUF

        conn.payloads.send(make_id(msgId, (self.serverVersion_ or 0) >= MIN_SERVER_VER_PROTOBUF) + body)

    def _ibwire_error(self, what: errors.CodeMsgPair, more: str = "", reqId: int = NO_VALID_ID) -> None:
        self._ibwire_report(what.code(), f"{what.msg()}: {more}" if more else what.msg(), reqId)

    def _ibwire_report(self, code: int, text: str, reqId: int) -> None:
        from ibwire.compat._generations import error_caller

        error_caller(self.wrapper, self._ibwire_error_style)(reqId, now_ms(), code, text, "")
