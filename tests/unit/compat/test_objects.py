"""Decoded values become official objects; official objects are encoded like the typed ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ibwire.compat import _objects
from ibwire.compat import order_condition as oc
from ibwire.compat.const import UNSET_DECIMAL, UNSET_DOUBLE, UNSET_INTEGER
from ibwire.compat.contract import (
    ComboLeg,
    Contract,
    ContractDetails,
    FundAssetType,
    FundDistributionPolicyIndicator,
)
from ibwire.compat.execution import Execution, OptionExerciseType
from ibwire.compat.objects import make_official
from ibwire.compat.order import Order, OrderComboLeg
from ibwire.compat.tag_value import TagValue
from ibwire.spec.model import Direction
from ibwire.spec.registry import by_name
from ibwire.spec.structs import ALL
from ibwire.types import incoming, outgoing, structs
from ibwire.wire.calls import bind, callbacks
from ibwire.wire.codec import Codec, Role, UnknownMessage
from ibwire.wire.plan import Dialect, Profile, default_of, struct_shape

BOTH = pytest.mark.parametrize("dialect", Dialect)


def through_the_wire(message: Any, dialect: Dialect, server_version: int = 225) -> list[Any]:
    """The arguments of the one callback of a message."""
    payload = Codec(server_version, Role.GATEWAY).encode(message, dialect)
    codec = Codec(server_version, Role.CLIENT, profile=Profile.OFFICIAL, make=make_official)
    found = codec.decode_registers(payload)
    assert not isinstance(found, UnknownMessage)
    plan, regs, _ = found
    ((_, arguments),) = callbacks(bind(plan), regs, make_official)
    return arguments


def order_with_conditions() -> incoming.OpenOrder:
    make = structs.OrderCondition
    order = structs.Order(
        conditions=[
            make(condType=1, isMore=True, price=187.5, conId=7, exchange="SMART", triggerMethod=2),
            make(condType=3, isMore=False, time="20261121-10:00:00", isConjunctionConnection=False),
            make(condType=4, isMore=True, percent=30.0),
            make(condType=5, secType="STK", exchange="NYSE", symbol="IBM"),
            make(condType=6, isMore=True, volume=1200, conId=9, exchange="SMART"),
            make(condType=7, isMore=False, changePercent=1.25, conId=9, exchange="SMART"),
        ]
    )
    return incoming.OpenOrder(orderId=3, contract=structs.Contract(symbol="AAPL"), order=order)


@BOTH
def test_conditions_are_of_their_class_with_only_their_attributes(dialect: Dialect) -> None:
    _, _, order, _ = through_the_wire(order_with_conditions(), dialect)
    assert [type(c) for c in order.conditions] == [
        oc.PriceCondition,
        oc.TimeCondition,
        oc.MarginCondition,
        oc.ExecutionCondition,
        oc.VolumeCondition,
        oc.PercentChangeCondition,
    ]
    assert [set(vars(c)) for c in order.conditions] == [set(vars(oc.Create(c.condType))) for c in order.conditions]
    price, time = order.conditions[:2]
    assert (price.price, price.conId, price.exchange, price.isMore, price.triggerMethod) == (187.5, 7, "SMART", True, 2)
    assert (time.time, time.isMore, time.isConjunctionConnection) == ("20261121-10:00:00", False, False)
    assert str(order.conditions[3]) == "trade occurs for IBM symbol on NYSE exchange for STK security type"


def test_what_a_condition_was_not_sent_stays_as_a_new_one_has_it() -> None:
    sent = structs.Order(conditions=[structs.OrderCondition(condType=7), structs.OrderCondition(condType=6)])
    _, _, order, _ = through_the_wire(incoming.OpenOrder(order=sent), Dialect.PROTO)
    change, volume = order.conditions
    assert change.changePercent == UNSET_DOUBLE and change.conId is None and change.isMore is None
    assert volume.volume is None


def test_a_condition_of_an_unknown_kind_is_kept() -> None:
    sent = structs.Order(conditions=[structs.OrderCondition(condType=99)])
    _, _, order, _ = through_the_wire(incoming.OpenOrder(order=sent), Dialect.PROTO)
    assert type(order.conditions[0]) is oc.OrderCondition
    assert order.conditions[0].type() == 99


@BOTH
def test_leg_prices_stand_in_the_order_alone(dialect: Dialect) -> None:
    contract = structs.Contract(
        secType="BAG", comboLegs=[structs.ComboLeg(conId=1, ratio=1), structs.ComboLeg(conId=2)]
    )
    order = structs.Order(orderComboLegs=[structs.OrderComboLeg(price=1.5), structs.OrderComboLeg(price=None)])
    _, contract_got, order_got, _ = through_the_wire(incoming.OpenOrder(contract=contract, order=order), dialect)
    assert [leg.price for leg in order_got.orderComboLegs] == [1.5, UNSET_DOUBLE]
    assert [leg.conId for leg in contract_got.comboLegs] == [1, 2]
    for leg in contract_got.comboLegs:
        assert type(leg) is ComboLeg and vars(leg).keys() == vars(ComboLeg()).keys()
        assert not hasattr(leg, "perLegPrice")


def fund(asset: str, policy: str) -> incoming.ContractData:
    details = structs.ContractDetails(
        contract=structs.Contract(secType="FUND"), fundAssetType=asset, fundDistributionPolicyIndicator=policy
    )
    return incoming.ContractData(reqId=1, contractDetails=details)


@BOTH
@pytest.mark.parametrize(
    ("asset", "policy", "members"),
    [
        ("000", "N", (FundAssetType.Others, FundDistributionPolicyIndicator.AccumulationFund)),
        ("004", "Y", (FundAssetType.Equity, FundDistributionPolicyIndicator.IncomeFund)),
        ("", "", (FundAssetType.NoneItem, FundDistributionPolicyIndicator.NoneItem)),
        ("777", "?", (FundAssetType.NoneItem, FundDistributionPolicyIndicator.NoneItem)),
    ],
)
def test_fund_codes_are_members(dialect: Dialect, asset: str, policy: str, members: tuple[object, object]) -> None:
    _, details = through_the_wire(fund(asset, policy), dialect)
    assert type(details) is ContractDetails
    assert (details.fundAssetType, details.fundDistributionPolicyIndicator) == members


@pytest.mark.parametrize(
    ("number", "member"),
    [(None, OptionExerciseType.NoneItem), (2, OptionExerciseType.Lapse), (4711, OptionExerciseType.NoneItem)],
)
def test_how_an_option_ended_is_a_member(number: int | None, member: OptionExerciseType) -> None:
    message = incoming.ExecDetails(execution=structs.Execution(optExerciseOrLapseType=number, shares=Decimal(3)))
    _, _, execution = through_the_wire(message, Dialect.PROTO)
    assert type(execution) is Execution
    assert execution.optExerciseOrLapseType is member
    assert f"OptExerciseOrLapseType: {member.value[1]}" in str(execution)


def test_objects_belong_to_the_caller() -> None:
    first = through_the_wire(order_with_conditions(), Dialect.TEXT)[2]
    second = through_the_wire(order_with_conditions(), Dialect.TEXT)[2]
    first.conditions.clear()
    first.note = "mine"
    assert len(second.conditions) == 6 and not hasattr(second, "note")
    one, two = Contract(), Contract()
    one.comboLegs.append(ComboLeg())
    assert two.comboLegs == []


@pytest.mark.parametrize("name", sorted(_objects.CLASSES))
def test_a_new_object_holds_what_an_empty_message_decodes_to(name: str) -> None:
    struct = next(s for s in ALL if s.name == name)
    made = vars(_objects.CLASSES[name]())
    shape = struct_shape(struct)
    plain = [f.name for f in struct.fields if f.name in made and f.name in shape.index]
    assert plain
    for attribute in plain:
        if attribute in ("fundAssetType", "fundDistributionPolicyIndicator", "optExerciseOrLapseType"):
            assert made[attribute].name == "NoneItem"
            continue
        expected = default_of(shape.regs[shape.index[attribute]], Profile.OFFICIAL, Dialect.TEXT, Direction.INCOMING)
        assert made[attribute] == (list(expected) if isinstance(expected, tuple) else expected), attribute


class PlaceOrder:
    """A request as EClient hands it to the codec."""

    def __init__(self, orderId: int, contract: Any, order: Any) -> None:
        self.orderId, self.contract, self.order = orderId, contract, order


def official_order() -> tuple[Contract, Order]:
    contract, order = Contract(), Order()
    contract.symbol, contract.secType, contract.exchange, contract.currency = "AAPL", "BAG", "SMART", "USD"
    leg = ComboLeg()
    leg.conId, leg.ratio, leg.action, leg.exchange = 265598, 2, "BUY", "SMART"
    contract.comboLegs = [leg]
    order.action, order.orderType, order.totalQuantity, order.lmtPrice = "BUY", "LMT", Decimal("1.5"), 187.43
    order.tif = "DAY"
    price = OrderComboLeg()
    price.price = 12.25
    order.orderComboLegs = [price]
    order.algoStrategy = "Adaptive"
    order.algoParams = [TagValue("adaptivePriority", "Normal")]
    order.conditions = [
        oc.PriceCondition(2, 7, "SMART", True, 187.5).Or(),
        oc.TimeCondition(False, "20261121-10:00:00"),
    ]
    return contract, order


def typed_order() -> tuple[structs.Contract, structs.Order]:
    contract = structs.Contract(
        symbol="AAPL",
        secType="BAG",
        exchange="SMART",
        currency="USD",
        comboLegs=[structs.ComboLeg(conId=265598, ratio=2, action="BUY", exchange="SMART")],
    )
    order = structs.Order(
        action="BUY",
        orderType="LMT",
        totalQuantity=Decimal("1.5"),
        lmtPrice=187.43,
        tif="DAY",
        orderComboLegs=[structs.OrderComboLeg(price=12.25)],
        algoStrategy="Adaptive",
        algoParams=[structs.TagValue(tag="adaptivePriority", value="Normal")],
        conditions=[
            structs.OrderCondition(
                condType=1,
                isConjunctionConnection=False,
                isMore=True,
                price=187.5,
                conId=7,
                exchange="SMART",
                triggerMethod=2,
            ),
            structs.OrderCondition(condType=3, isMore=False, time="20261121-10:00:00"),
        ],
    )
    return contract, order


@pytest.mark.parametrize("server_version", [140, 170, 202, 203, 225])
def test_official_objects_are_sent_as_the_typed_ones_are(server_version: int) -> None:
    codec = Codec(server_version, Role.CLIENT)
    row = by_name("placeOrder")
    ours = codec.encode_row(row, PlaceOrder(5, *official_order()))
    assert ours == codec.encode(outgoing.PlaceOrder(5, *typed_order()))
    if server_version >= 200:
        assert b"adaptivePriority" in ours


@pytest.mark.parametrize("server_version", [140, 203])
def test_a_received_order_can_be_sent_again(server_version: int) -> None:
    """Modify what openOrder showed: sentinels, None lists and conditions go out as they came."""
    typed = typed_order()
    message = incoming.OpenOrder(5, *typed)
    dialect = Dialect.TEXT if server_version < 203 else Dialect.PROTO
    _, contract, order, _ = through_the_wire(message, dialect, server_version)
    codec = Codec(server_version, Role.CLIENT)
    again = codec.encode_row(by_name("placeOrder"), PlaceOrder(5, contract, order))
    got = Codec(server_version, Role.GATEWAY).decode(again)
    assert got.order.conditions == typed[1].conditions
    assert got.order.orderComboLegs == typed[1].orderComboLegs
    assert (got.order.lmtPrice, got.order.auxPrice, got.order.totalQuantity) == (187.43, None, Decimal("1.5"))


def test_unset_order_numbers_are_the_sentinels() -> None:
    order = Order()
    assert (order.minQty, order.lmtPrice, order.totalQuantity) == (UNSET_INTEGER, UNSET_DOUBLE, UNSET_DECIMAL)
    assert order.usePriceMgmtAlgo is None and order.algoParams is None and order.conditions == []
