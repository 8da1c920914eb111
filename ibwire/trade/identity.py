"""Who is who: order id, client id, permId, execution id, order reference, parent and OCA group in one graph; and ids.

Rules: an id that is not known is held, never dropped; a known id is never overwritten with an unset one; under one
order id two permIds are two orders; an order typed into TWS has order id 0 until it is bound (then a negative one) and
is known by its permId; ids that were given out are never given out again, whatever the gateway says. Pure; one owner
thread. Facts: reference SEMANTICS, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ibwire.errors import ConfigError
from ibwire.spec.orderstates import Flag, State
from ibwire.trade.view import OrderView

__all__ = ["IdStore", "Ids", "MemoryIdStore", "OrderGraph", "SharedReference", "client_of", "id_of"]

_UNSET_IDS: Final = frozenset({0, 2**31 - 1, 2**63 - 1, -(2**63), -(2**63) + 1})


def id_of(value: Any) -> int:
    """An id as int, 0 for any spelling of "none"."""
    number = int(value or 0)
    return 0 if number in _UNSET_IDS else number


def client_of(message: Any) -> int | None:
    """The client id of a message, None when it has none."""
    value = getattr(message, "clientId", None)
    return None if value is None or value in (2**31 - 1, 2**63 - 1) else int(value)


@dataclass(frozen=True, slots=True)
class SharedReference:
    """Several orders that may be filled under what should name one of them.

    Attributes
    ----------
    kind : str
        ``orderId`` (client id and order id) or ``orderRef``.
    reference : str
        The id or the reference.
    perm_ids : tuple of int
        The account-wide ids of the orders, at least two.
    """

    kind: str
    reference: str
    perm_ids: tuple[int, ...]


class OrderGraph:
    """Every order by each of its names.

    Parameters
    ----------
    client_id : int
        Our own client id: messages without one are ours.
    view_type : type
        What to make of a new order.

    Attributes
    ----------
    earlier : callable or None
        Asked for an order of our own that nothing here is known of, ``earlier(order_id, perm_id)`` with one of them 0;
        it may :meth:`adopt` it.
    """

    def __init__(self, client_id: int, view_type: type[OrderView] = OrderView) -> None:
        self.client_id = client_id
        self.earlier: Callable[[int, int], object] | None = None
        self.view_type = view_type
        self._views: list[OrderView] = []
        self._by_key: dict[tuple[int, int], OrderView] = {}
        self._by_perm: dict[int, OrderView] = {}
        self._by_ref: dict[str, list[OrderView]] = {}
        self._nameless: dict[tuple[object, ...], OrderView] = {}

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[OrderView]:
        return iter(list(self._views))

    # -- looking ---------------------------------------------------------------------------------------------------

    def by_key(self, order_id: int, client_id: int | None = None) -> OrderView | None:
        """The order with this id, of our own client unless another is named."""
        client_id = self.client_id if client_id is None else client_id
        if self.earlier is not None:
            self.recall(client_id, order_id, 0)
        return self._by_key.get((client_id, order_id))

    def by_perm_id(self, perm_id: int) -> OrderView | None:
        """The order with this account-wide id."""
        if self.earlier is not None:
            self.recall(None, 0, perm_id)
        return self._by_perm.get(perm_id)

    def by_ref(self, order_ref: str) -> list[OrderView]:
        """Every order with this reference, oldest first."""
        return list(self._by_ref.get(order_ref, ()))

    def children(self, view: OrderView) -> list[OrderView]:
        """The orders that wait for this one to be filled."""
        own = (view.client_id, view.order_id)
        return [v for v in self._views if view.order_id and (v.client_id, v.parent_id) == own]

    def parent(self, view: OrderView) -> OrderView | None:
        """The order that this one waits for, None when it has none or that is not known."""
        return self._by_key.get((view.client_id, view.parent_id)) if view.parent_id else None

    def oca_group(self, view: OrderView) -> list[OrderView]:
        """The other orders of its one-cancels-all group."""
        group = view.oca_group
        return [v for v in self._views if group and v is not view and v.oca_group == group]

    def shared_references(self) -> list[SharedReference]:
        """Where one reference stands for several orders that may be filled, each with a permId of its own.

        An order reference is the caller's: who puts the same one on many orders on purpose need not look.
        """
        found: dict[tuple[str, str], list[int]] = {}
        for view in self._views:
            if not view.may_fill or not view.perm_id:
                continue
            if view.order_id:
                found.setdefault(("orderId", f"{view.client_id}/{view.order_id}"), []).append(view.perm_id)
            if view.order_ref:
                found.setdefault(("orderRef", view.order_ref), []).append(view.perm_id)
        return [SharedReference(kind, text, tuple(ids)) for (kind, text), ids in found.items() if len(ids) > 1]

    # -- writing ---------------------------------------------------------------------------------------------------

    def recall(self, client_id: int | None, order_id: int, perm_id: int) -> None:
        """Have an order of an earlier life, if it is named and not here."""
        if self.earlier is None:
            return
        ours = order_id if client_id in (None, self.client_id) else 0
        if ours and (self.client_id, ours) not in self._by_key:
            self.earlier(ours, 0)
        if perm_id and perm_id not in self._by_perm:
            self.earlier(0, perm_id)

    def adopt(self, view: OrderView) -> None:
        """Take an order of our own with all that is known of it; nothing was known of it here."""
        self._views.append(view)
        self._by_key.setdefault((view.client_id, view.order_id), view)
        if view.perm_id:
            self._by_perm.setdefault(view.perm_id, view)
        if view.order_ref:
            self._by_ref.setdefault(view.order_ref, []).append(view)

    def new(self, client_id: int, order_id: int, now_ns: int) -> OrderView:
        """A new order; the first one under an id has it."""
        view = self.view_type(order_id, client_id, now_ns)
        self._views.append(view)
        if order_id:
            self._by_key.setdefault((client_id, order_id), view)
        return view

    def hold(self, client_id: int, order_id: int, now_ns: int) -> OrderView:
        """A view for an order that was not placed here: other client, manual, or an earlier life."""
        view = self.new(client_id, order_id, now_ns)
        view.state = State.UNCERTAIN
        view.flags |= int(Flag.HELD | Flag.NEEDS_QUERY)
        return view

    def locate(
        self, client: int | None, order_id: int, perm_id: int, now_ns: int, marks: tuple[object, ...] = ()
    ) -> tuple[OrderView, OrderView | None, OrderView | None]:
        """Find the order that a message is about, or hold a new one.

        `marks` tell orders without any id apart (contract, side, size, ...): told again, it is the same one.

        Returns
        -------
        view, merged, rival
            `merged`: an order held under its permId only, which turned out to be this one and is gone from the graph.
            `rival`: the order that has the same order id and another permId; the view is new then.
        """
        client_id = self.client_id if client is None else client
        if self.earlier is not None:
            self.recall(client_id, order_id, perm_id)
        keyed = self._by_key.get((client_id, order_id)) if order_id else None
        if keyed is None and order_id and client_id == 0 and not perm_id:
            keyed = self._by_key.get((self.client_id, order_id))  # a message with its ids zeroed makes no new order
        permed = self._by_perm.get(perm_id) if perm_id else None
        merged = rival = None
        if permed is not None and keyed is not None and permed is not keyed:
            if keyed.perm_id:
                return permed, None, None  # one order id, two orders: the account-wide id decides
            merged, permed = permed, keyed
            self._absorb(keyed, merged)
        if permed is None and keyed is not None and perm_id and keyed.perm_id and keyed.perm_id != perm_id:
            rival, keyed = keyed, None
        if permed is not None:
            view = permed
        elif keyed is not None:
            view = keyed
        elif order_id or perm_id:
            view = self.hold(client_id, order_id, now_ns)
        else:
            view = self._nameless.get((client_id, *marks)) or self.hold(client_id, 0, now_ns)
            self._nameless[client_id, *marks] = view
        if order_id:
            if not view.order_id:
                view.order_id, view.client_id = order_id, client_id
            self._by_key.setdefault((client_id, order_id), view)
        self.learn_perm(view, perm_id)
        return view, merged, rival

    def learn_perm(self, view: OrderView, perm_id: int) -> OrderView | None:
        """Note the account-wide id; a known one stays. Returns what was held under it until now and is gone."""
        if not perm_id or view.perm_id:
            return None
        other = self._by_perm.get(perm_id)
        if other is not None and other is not view:
            self._absorb(view, other)
            return other
        view.perm_id = perm_id
        self._by_perm[perm_id] = view
        return None

    def learn_order(self, view: OrderView, order: Any) -> None:
        """Note parent, reference and group; known ones stay."""
        view.parent_id = id_of(getattr(order, "parentId", 0)) or view.parent_id
        view.oca_group = str(getattr(order, "ocaGroup", "") or "") or view.oca_group
        self.learn_ref(view, str(getattr(order, "orderRef", "") or ""))

    def learn_ref(self, view: OrderView, order_ref: str) -> None:
        """Note the caller's reference."""
        if order_ref and not view.order_ref:
            view.order_ref = order_ref
            self._by_ref.setdefault(order_ref, []).append(view)

    def _absorb(self, view: OrderView, other: OrderView) -> None:
        view.perm_id = other.perm_id
        self._by_perm[other.perm_id] = view
        for key, held in list(self._by_key.items()):
            if held is other:
                self._by_key[key] = view
        self._views.remove(other)
        if other.order_ref:
            self._by_ref[other.order_ref].remove(other)
            self.learn_ref(view, other.order_ref)
        view.parent_id = view.parent_id or other.parent_id
        view.oca_group = view.oca_group or other.oca_group


# -- ids ---------------------------------------------------------------------------------------------------------------


class IdStore(Protocol):
    """The high-water mark of order ids, shared by whoever uses the same store."""

    def reserve(self, least: int, count: int) -> int:
        """Take `count` ids in a row, none below `least` and none that was ever taken; returns the first.

        The mark is safe before this returns: a crash may skip ids, it never repeats one.
        """

    def top_up(self) -> None:
        """Take what will be wanted soon, so that :meth:`reserve` need not wait for a disk. Any thread."""

    def close(self) -> None:
        """Give back what was taken and not given out."""


class MemoryIdStore:
    """A mark that ends with the program: ids of an earlier life are known only from the gateway. One thread."""

    def __init__(self, mark: int = 1) -> None:
        self._mark = mark

    def reserve(self, least: int, count: int) -> int:
        """As :meth:`IdStore.reserve`."""
        first = max(self._mark, least)
        self._mark = first + count
        return first

    def top_up(self) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to give back to."""


class Ids:
    """Order ids and request ids, which never meet: errors share one field for both.

    Parameters
    ----------
    store : IdStore
        Keeps the mark of the order ids.
    used : int
        The highest order id of an earlier life, as far as it is known; 0 for none.

    Attributes
    ----------
    used : int
        The highest that an order is known to have had, or that the gateway passed over. An id may be above it and
        below the mark: skipped, and free for a caller who names it.

    Notes
    -----
    One thread at a time. Order ids below 2**30 leave what is above to requests; where the gateway is beyond 2**29
    already, requests have 2**20 to 2**29 and orders all above. The first id that is given out settles which.
    """

    ORDER_LIMIT: Final = 1 << 30
    HIGH_GATEWAY: Final = 1 << 29
    LOW_REQUESTS: Final = 1 << 20
    LAST: Final = 2**31 - 2

    def __init__(self, store: IdStore | None = None, used: int = 0) -> None:
        self._store = store if store is not None else MemoryIdStore()
        self._least = max(used, 0) + 1
        self._earlier = self.used = max(used, 0)
        self._is_settled = False
        self._first_request = self._next_request = self._request_end = 0
        self._order_end = 0
        self._split()

    def learn(self, next_valid_id: int) -> None:
        """The gateway named its next id. A lower one than before changes nothing.

        Raises
        ------
        ConfigError : it is beyond what can be used.
        """
        if next_valid_id > self.LAST:
            raise ConfigError(f"next valid id {next_valid_id} is the last", hint="reset the id sequence in TWS")
        self._least = max(self._least, next_valid_id)
        self.used = max(self.used, next_valid_id - 1)
        self._split()

    @property
    def requests(self) -> tuple[int, int]:
        """The first id of a request, and the first beyond them."""
        return self._first_request, self._request_end

    def _split(self) -> None:
        """Choose the ranges; once an id is out they stay."""
        if self._is_settled:
            return
        if self._least > self.HIGH_GATEWAY:
            # Above what orders of an earlier life have, which may be open still.
            earlier = self._earlier + 1 if self._earlier < self.HIGH_GATEWAY // 2 else 0
            self._first_request = max(self.LOW_REQUESTS, earlier)
            self._request_end, self._order_end = self.HIGH_GATEWAY, self.LAST
        else:
            self._first_request, self._request_end, self._order_end = self.ORDER_LIMIT, self.LAST, self.ORDER_LIMIT
        self._next_request = self._first_request

    def reserve(self, count: int = 1) -> int:
        """Take `count` order ids in a row; returns the first.

        Raises
        ------
        ConfigError : none are left below the request ids, or `count` is not positive.
        """
        if count < 1:
            raise ConfigError(f"{count} ids cannot be reserved")
        self._is_settled = True
        first = self._store.reserve(self._least, count)
        if first + count > self._order_end:
            raise ConfigError(f"order ids are used up at {first}", hint="reset the id sequence in TWS, and state_dir")
        self._least = first + count
        self.used = max(self.used, first + count - 1)
        return first

    def use(self, order_id: int) -> None:
        """The caller chose an id for a new order; no other gets it, nor a lower one.

        Raises
        ------
        ConfigError : it is not positive, lies where request ids are, or is not above those that were used.
        """
        if not 0 < order_id < self._order_end:
            hint = f"1 to {self._order_end - 1}, or 0 for the next"
            raise ConfigError(f"{order_id} cannot be an order id", hint=hint)
        if self._order_end == self.LAST and order_id < self.HIGH_GATEWAY and order_id >= self.LOW_REQUESTS:
            raise ConfigError(f"{order_id} lies where request ids are", hint="set orderId to 0")
        if order_id <= self.used:
            problem = f"order id {order_id} is not above {self.used}, the highest that was used"
            raise ConfigError(problem, hint="it may be another order's; set orderId to 0 for the next free one")
        self._is_settled = True
        if order_id >= self._least:
            self._least = self._store.reserve(order_id + 1, 0)
        self.used = order_id

    def take_request(self) -> int:
        """A new request id; no order has or gets it.

        Raises
        ------
        ConfigError : none are left in this session.
        """
        self._is_settled = True
        if self._next_request >= self._request_end:
            raise ConfigError("request ids are used up", hint="connect again")
        self._next_request += 1
        return self._next_request - 1
