"""Decoder: fields or protobuf bytes to callbacks, for programs with a message loop of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ibwire.compat.comm import make_id
from ibwire.compat.const import PROTOBUF_MSG_ID
from ibwire.compat.dispatch import Dispatcher
from ibwire.compat.errors import BAD_MESSAGE
from ibwire.compat.server_versions import MIN_CLIENT_VER, MIN_SERVER_VER_PROTOBUF
from ibwire.compat.utils import BadMessage


class _Strict(Dispatcher):
    """Raises BadMessage after it reported one, as the official decoder does."""

    def _report(self, code: int, text: str) -> None:
        super()._report(code, text)
        if code == BAD_MESSAGE.code():
            raise BadMessage(text)


class Decoder:
    """Makes the callbacks of one message at a time.

    Parameters
    ----------
    wrapper : EWrapper
        Gets the callbacks.
    serverVersion : the version agreed with the gateway; may be set later, and None or 0 before.
    sizes, error_style : as for :class:`~ibwire.compat.dispatch.Dispatcher`.

    Attributes
    ----------
    dispatcher : what EClient's own loop uses; it takes whole payloads and goes on after a bad one.
    """

    def __init__(
        self,
        wrapper: Any,
        serverVersion: int | None,
        *,
        sizes: str | None = None,
        error_style: int | None = None,
    ) -> None:
        self.wrapper = wrapper
        self._settings: dict[str, Any] = {"sizes": sizes, "error_style": error_style}
        self._strict: _Strict | None = None
        self.serverVersion = serverVersion

    @property
    def serverVersion(self) -> int | None:
        """The version agreed with the gateway."""
        return self._version

    @serverVersion.setter
    def serverVersion(self, value: int | None) -> None:
        self._version = value
        self._strict = None
        self.dispatcher = Dispatcher(self.wrapper, value or MIN_CLIENT_VER, **self._settings)

    def interpret(self, fields: Iterable[bytes], msgId: int | None = None) -> None:
        """Make the callbacks of a text message.

        Parameters
        ----------
        fields : the fields as ``comm.read_fields`` gives them; without ``msgId``, as before 10.37, the id is the first.
        msgId : the id; 0 means none, and nothing is done.

        Raises
        ------
        BadMessage : after it was reported through ``error()`` as 508. An unknown id is reported as 505.
        """
        found = list(fields)
        if msgId is None:
            if not found:
                return
            msgId = int(found.pop(0))
        if msgId:
            body = b"".join(field + b"\0" for field in found)
            self._one(make_id(msgId, self._raw) + body)

    def processProtoBuf(self, protoBuf: bytes, msgId: int) -> None:
        """Make the callbacks of a protobuf message; ``msgId`` is its id without the 200 of the wire.

        Raises
        ------
        BadMessage : after it was reported through ``error()`` as 508. An unknown id is reported as 505.
        """
        if msgId:
            self._one(make_id(msgId + PROTOBUF_MSG_ID, self._raw) + bytes(protoBuf))

    @property
    def _raw(self) -> bool:
        return (self._version or 0) >= MIN_SERVER_VER_PROTOBUF

    def _one(self, payload: bytes) -> None:
        if self._strict is None:
            self._strict = _Strict(self.wrapper, self._version or MIN_CLIENT_VER, **self._settings)
        self._strict.interpret(payload)
