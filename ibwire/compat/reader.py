"""EReader, for programs that name it: EClient receives on a reader of its own and needs none."""

from __future__ import annotations

from typing import Any

from ibwire.compat import comm


class EReader:
    """Cuts what a :class:`~ibwire.compat.connection.Connection` receives into payloads.

    Parameters
    ----------
    conn : Connection
    msg_queue : object with ``put``
        Gets each payload.

    Notes
    -----
    Either :meth:`start` it once, or call :meth:`run`.
    """

    def __init__(self, conn: Any, msg_queue: Any) -> None:
        self.conn = conn
        self.msg_queue = msg_queue

    def start(self) -> None:
        """Run in a thread of its own, which does not keep the program alive."""
        from ibwire.compat._background import Background

        self._thread = Background(self.run)

    def run(self) -> None:
        """Receive until the connection ends."""
        buf = b""
        while self.conn.isConnected():
            buf += self.conn.recvMsg()
            while buf:
                _, msg, buf = comm.read_msg(buf)
                if not msg:
                    break
                self.msg_queue.put(msg)
