"""What can be wrong with a journal.

::

    JournalError
     +-- JournalCorrupt   it has a hole or a bad checksum, and more entries behind it
     +-- JournalFull      it takes no more: no new order goes out, cancels do
     +-- JournalLocked    another process writes it
     +-- JournalVersion   a newer ibwire wrote it
"""

from __future__ import annotations

from ibwire.errors import JournalError

__all__ = ["JournalCorrupt", "JournalError", "JournalFull", "JournalLocked", "JournalVersion"]


class JournalCorrupt(JournalError):
    """A journal has a hole or a bad checksum, and more entries behind it. Nothing from there on is used.

    Attributes
    ----------
    path : str
        The file.
    offset : int
        Byte in that file at which the first bad entry begins.
    """

    path: str
    offset: int

    def __init__(self, problem: str = "", path: str = "", offset: int = -1, *, hint: str = "") -> None:
        super().__init__(f"{path} at byte {offset}: {problem}" if path else problem, hint=hint)
        self.path = path
        self.offset = offset


class JournalFull(JournalError):
    """The journal takes no more. New orders and modifies are refused, nothing was sent; cancels still go out."""


class JournalLocked(JournalError):
    """Another process, or another client of this one, writes the journal.

    Attributes
    ----------
    pid : int
        Who does; 0 when it is not known.
    """

    pid: int

    def __init__(self, problem: str = "", *, pid: int = 0, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.pid = pid


class JournalVersion(JournalError):
    """A journal has a format that this ibwire does not know.

    Attributes
    ----------
    found, known : int
        The version of the file, and the newest that is known here.
    """

    found: int
    known: int

    def __init__(self, problem: str = "", *, found: int = 0, known: int = 0, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.found = found
        self.known = known
