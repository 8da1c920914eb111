"""String forms, helpers and tables of the official modules."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum as PythonEnum

import pytest

from ibwire import compat
from ibwire.compat import common, errors, message, server_versions, utils
from ibwire.compat import order_condition as oc
from ibwire.compat.account_summary_tags import AccountSummaryTags
from ibwire.compat.common import BarData, HistoricalTickBidAsk, RealTimeBar, TickAttrib
from ibwire.compat.contract import ComboLeg, Contract, DeltaNeutralContract, FundAssetType
from ibwire.compat.enum_implem import Enum
from ibwire.compat.order import Order, OrderComboLeg
from ibwire.compat.order_state import OrderAllocation, OrderState
from ibwire.compat.scanner import ScanData, ScannerSubscription
from ibwire.compat.tag_value import TagValue
from ibwire.compat.ticktype import TickTypeEnum
from ibwire.spec import versions as V
from ibwire.spec.registry import INCOMING, OUTGOING


def test_a_bar_prints_numbers_without_sentinels_and_noise() -> None:
    bar = BarData()
    bar.date, bar.open, bar.close, bar.volume, bar.barCount = "20260102", 1.10000000001, 100.0, Decimal("1E+3"), 7
    assert str(bar) == ("Date: 20260102, Open: 1.1, High: 0, Low: 0, Close: 100, Volume: 1000, WAP: , BarCount: 7")


def test_order_and_contract_print_their_lists() -> None:
    order = Order()
    order.orderId, order.orderType, order.action, order.totalQuantity, order.tif = 5, "LMT", "BUY", Decimal(100), "DAY"
    order.lmtPrice = 187.43
    assert str(order) == "5,0,0: LMT BUY 100@187.43 DAY"
    order.orderComboLegs = [OrderComboLeg(), OrderComboLeg()]
    order.conditions = [oc.MarginCondition(True, 30)]
    assert str(order).endswith(" DAY CMB(,,) COND(the margin cushion percent  >=  30 ,)")
    contract = Contract()
    contract.comboLegs, contract.deltaNeutralContract = [ComboLeg()], DeltaNeutralContract()
    assert str(contract).endswith("IssuerId: Combo:;0,0,,,0,0,,-1;0,0,0")


def test_other_string_forms() -> None:
    tick = HistoricalTickBidAsk()
    tick.time, tick.priceBid = 1700000000, 1.5
    assert str(tick) == (
        "Time: 1700000000, TickAttriBidAsk: BidPastLow: 0, AskPastHigh: 0, PriceBid: 1.5, PriceAsk: 0, SizeBid: , "
        "SizeAsk: "
    )
    attrib = TickAttrib()
    attrib.pastLimit = True
    assert str(attrib) == "CanAutoExecute: 0, PastLimit: 1, PreOpen: 0"
    assert str(RealTimeBar(time=5, open_=1.0)).startswith("Time: 5, Open: 1, High: 0")
    assert str(TagValue("a", 1)) == "a=1;"
    state = OrderState()
    state.orderAllocations = [OrderAllocation()]
    assert str(state).endswith("CompletedStatus:  OrderAllocations(" + str(OrderAllocation()) + "; )")
    assert str(ScannerSubscription()) == "Instrument: , LocationCode: , ScanCode: "
    assert str(ScanData(rank=3)).startswith("Rank: 3, Symbol: , SecType: ")
    assert repr(attrib) == f"{id(attrib)}: {attrib}"


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (oc.PriceCondition(2, 7, "SMART", True, 1.5), "Last price of 7 on SMART is  >=  1.5  "),
        (oc.TimeCondition(False, "20260102"), "time is  <=  20260102 "),
        (oc.VolumeCondition(7, "SMART", True, 100), "volume of 7 on SMART is  >=  100  "),
        (oc.PercentChangeCondition(7, "SMART", True, 2.5), "percent change of 7 on SMART is  >=  2.5  "),
    ],
)
def test_conditions_print_as_sentences(condition: oc.OrderCondition, text: str) -> None:
    assert str(condition) == text


def test_conditions_are_made_and_joined() -> None:
    made = [oc.Create(kind) for kind in (1, 3, 4, 5, 6, 7)]
    assert [type(c) for c in made] == list(oc.KINDS.values())
    assert oc.Create(2) is None
    condition = oc.VolumeCondition().Or()
    assert not condition.isConjunctionConnection and condition.And().isConjunctionConnection
    condition.setValueFromString("300")
    assert condition.volume == 300
    with pytest.raises(NotImplementedError):
        oc.OperatorCondition(1, True).valueToString()


def test_enumerations() -> None:
    assert TickTypeEnum.BID == 1 and TickTypeEnum.toStr(66) == "DELAYED_BID" and TickTypeEnum.toStr(4711) == "NOTFOUND"
    assert TickTypeEnum.idx2name[TickTypeEnum.NOT_SET] == "NOT_SET"
    assert common.FaDataTypeEnum.ALIASES == 3
    assert getattr(common.FaDataTypeEnum, "N/A") == 2
    with pytest.raises(AttributeError, match="no BIDD"):
        _ = Enum("BID").BIDD


def test_helpers() -> None:
    assert utils.floatMaxString(utils.UNSET_DOUBLE) == utils.floatMaxString(None) == ""
    assert utils.floatMaxString(1e-9) == "0" and utils.floatMaxString(-2.50) == "-2.5"
    assert utils.decimalMaxString(0.1) == "0.1" and utils.decimalMaxString("1E+2") == "100"
    assert utils.decimalMaxString(utils.UNSET_DECIMAL) == utils.intMaxString(2147483647) == ""
    assert utils.longMaxString(2147483647) == "2147483647" and utils.longMaxString(2**63 - 1) == ""
    assert utils.getEnumTypeFromString(FundAssetType, "004") is FundAssetType.Equity
    assert utils.getEnumTypeFromString(FundAssetType, "zzz") is FundAssetType.NoneItem
    assert utils.getEnumTypeName(FundAssetType, FundAssetType.Sector) == "Sector"
    assert utils.getEnumTypeName(FundAssetType, "004") == "None"
    assert utils.listOfValues(FundAssetType)[0] is FundAssetType.NoneItem
    assert not utils.isAsciiPrintable("é") and not utils.isAsciiPrintable("\0") and utils.isAsciiPrintable("a b\t~\r\n")
    assert utils.current_fn_name() == "test_helpers"
    assert utils.iswrapper(test_helpers) is test_helpers
    assert utils.getTimeStrFromMillis(0) == "" and utils.getTimeStrFromMillis(1_700_000_000_123).endswith(".123")
    assert issubclass(FundAssetType, PythonEnum)
    assert utils.currentTimeMillis() > 1_700_000_000_000


def test_log_function_logs_the_call_and_returns_its_value(caplog: pytest.LogCaptureFixture) -> None:
    class Program:
        @utils.LogFunction("REQUEST", 20)
        def twice(self, number: int) -> int:
            return 2 * number

    with caplog.at_level(20, "ibwire.compat"):
        assert Program().twice(4) == 8
    assert caplog.messages == ["REQUEST twice (4,) {}"]
    caplog.clear()
    with caplog.at_level(30, "ibwire.compat"):
        Program().twice(4)
    assert caplog.messages == []


def test_message_ids_are_those_of_the_rows() -> None:
    ids = {v for k, v in vars(message.IN).items() if k.isupper()}
    assert ids == set(INCOMING)
    assert {v for k, v in vars(message.OUT).items() if k.isupper()} == set(OUTGOING)
    assert INCOMING[message.IN.COMMISSION_AND_FEES_REPORT].name == "commissionAndFeesReport"
    assert OUTGOING[message.OUT.REQ_CALC_OPTION_PRICE].name == "calculateOptionPrice"


def test_gates_and_codes() -> None:
    names = [n for n in vars(server_versions) if n.startswith("MIN_SERVER_VER_")]
    assert len(names) == len(V.GATES)
    assert server_versions.MIN_SERVER_VER_PROTOBUF == V.PROTOBUF
    assert (server_versions.MIN_CLIENT_VER, server_versions.MAX_CLIENT_VER) == (100, 225)
    assert common.PROTOBUF_MSG_IDS[message.OUT.PLACE_ORDER] == V.PROTOBUF_PLACE_ORDER
    assert message.OUT.REQ_CONFIG not in common.PROTOBUF_MSG_IDS
    assert (errors.NOT_CONNECTED.code(), errors.UPDATE_TWS.errorCode) == (504, 503)
    assert errors.BAD_MESSAGE.msg()


def test_all_tags_names_every_tag_once() -> None:
    tags = AccountSummaryTags.AllTags.split(",")
    assert tags[0] == "AccountType" and tags[-1] == "Leverage" and len(tags) == len(set(tags)) == 29
    assert all(getattr(AccountSummaryTags, tag) == tag for tag in tags)


def test_the_package_says_which_release_s_surface_it_has() -> None:
    assert compat.VERSION == {"major": 10, "minor": 46, "micro": 1}
    assert compat.get_version_string() == compat.__version__ == "10.46.1"
