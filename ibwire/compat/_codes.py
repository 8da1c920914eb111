"""A code that the client reports, and its text."""

from __future__ import annotations


class CodeMsgPair:
    """One entry of :mod:`ibwire.compat.errors`."""

    def __init__(self, code: int, msg: str) -> None:
        self.errorCode = code
        self.errorMsg = msg

    def code(self) -> int:
        """The number."""
        return self.errorCode

    def msg(self) -> str:
        """The text, in our words."""
        return self.errorMsg
