"""An order table that tells its journal: what it is told beside messages and commands, and every change of a state."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

from ibwire.io.journal_api import Journal
from ibwire.io.journal_rebuild import INPUTS, Rebuilt
from ibwire.io.journal_restore import begin

__all__ = ["journaled", "restore", "told_of"]

_ONLY_WHEN_EFFECTIVE: Final = frozenset({"check_deadlines"})


def journaled(
    table_type: type[Any], journal: Journal, after_seq: Callable[[], int], clock_ns: Callable[[], int]
) -> type[Any]:
    """A subclass of an order table's class, for one connection.

    Parameters
    ----------
    table_type : type
        Such as :class:`~ibwire.trade.orders.OrderTable`.
    journal : Journal
        Told of every call of :data:`~ibwire.io.journal_rebuild.INPUTS`, and of each change of an order's state.
    after_seq : callable
        The message that the table took last, as its sequence number.
    clock_ns : callable
        When that happened of which the table is not told the time.

    Notes
    -----
    One owner thread at a time, as the table itself.
    """
    members: dict[str, Any] = {"_is_telling": False, "__module__": __name__, "__doc__": table_type.__doc__}
    for name, method in inspect.getmembers(table_type, inspect.isfunction):
        if name.startswith("on_") or name in INPUTS:
            members[name] = _wrap(name, method, journal, after_seq, clock_ns)
    return type(f"Journaled{table_type.__name__}", (table_type,), members)


def _wrap(
    name: str, method: Callable[..., Any], journal: Journal, after_seq: Callable[[], int], clock_ns: Callable[[], int]
) -> Callable[..., Any]:
    signature = inspect.signature(method)
    names = list(signature.parameters)
    place = names.index("now_ns") - 1 if "now_ns" in names else -1
    is_input = name in INPUTS

    def call(self: Any, *args: Any, **values: Any) -> Any:
        if self._is_telling:  # one method of the table calls another: the outer one is what it was told
            return method(self, *args, **values)
        self._is_telling = True
        try:
            found = method(self, *args, **values)
        finally:
            self._is_telling = False
        if "now_ns" in values:
            now_ns = values["now_ns"]
        else:
            now_ns = args[place] if 0 <= place < len(args) else clock_ns()
        if is_input and (found or name not in _ONLY_WHEN_EFFECTIVE):
            bound = signature.bind(self, *args, **values).arguments
            facts = {key: _plain(value) for key, value in list(bound.items())[1:] if key != "now_ns"}
            journal.told(name, after_seq(), now_ns, **facts)
        for view in found if isinstance(found, list) else (found,):
            if view is not None:
                _tell_change(self, view, journal, now_ns)
        return found

    call.__name__, call.__doc__ = name, method.__doc__
    return call


def _plain(value: Any) -> Any:
    """An argument as JSON; orders by their ids."""
    if value is None or isinstance(value, str | int | float):
        return value
    return {"orders": [(view.client_id, view.order_id, view.perm_id) for view in value]}


def _tell_change(table: Any, view: Any, journal: Journal, now_ns: int) -> None:
    known: dict[int, Any] = table.__dict__.setdefault("_told_states", {})
    before = known.get(id(view))
    if before is view.state:
        return
    known[id(view)] = view.state  # views live as long as their table
    title = view.events[-1].state if view.events else ""
    label = "" if before is None else before.label
    journal.transition(view.order_id, view.perm_id, label, view.state.label, title, now_ns)


def restore(table: Any, journal: Journal) -> Rebuilt | None:
    """Give a new table what an earlier life of the program left in its journal, every open order as uncertain.

    Returns
    -------
    Rebuilt or None
        What the journal said; None without one on disk.

    Raises
    ------
    JournalCorrupt, JournalVersion : nothing may be sent before somebody has looked.
    """
    directory = getattr(journal, "directory", None)
    if directory is None:
        return None
    table._is_telling = True  # it stands there already
    try:
        rebuilt = begin(directory, table)
    finally:
        table._is_telling = False
    journal.prune({view.order_id: rebuilt.first_seq.get(view.order_id, 0) for view in rebuilt.open_orders})
    return rebuilt


def told_of(rebuilt: Rebuilt, cut: str) -> list[str]:
    """What whoever begins with this journal should hear of it; `cut`: the torn tail that was cut."""
    found = [f"journal: {cut}"] if cut else []
    if rebuilt.missed:
        found.append(f"journal: {rebuilt.missed} entries found no room: something may be missing")
    if rebuilt.undecodable:
        found.append(f"journal: {rebuilt.undecodable} messages in it could not be read")
    found += [
        f"journal: of the {one.act.label} of order {one.order_id} (entry {one.seq}) it is not known whether bytes left"
        for one in rebuilt.unanswered
    ]
    return found
