"""The gate and the kill switch in a client, against the embedded gateway."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import ibwire
from ibwire.cli import main
from ibwire.client.risk import Event
from ibwire.errors import ConfigError, PacingError, RiskRejected
from ibwire.io import clock
from ibwire.io.killswitch import Kill, write_kill
from ibwire.trade.risk import ALLOW, Cancel, Reject, Verdict
from ibwire.trade.risk_policies import FlatOnLoss, MaxPosition, MaxQuantity, ReadOnly
from ibwire.types.builders import bracket, stop, trailing
from ibwire.types.constructors import limit, market, stock
from ibwire.types.outgoing import ExerciseOptions


def connect(**settings: Any) -> ibwire.Client:
    return ibwire.connect("sim", **settings)


def test_a_policy_refuses_before_anything_is_sent() -> None:
    with connect(policies=[MaxQuantity(10)]) as client:
        aapl, sent = client.qualify(stock("AAPL")), client.stats["sent"]
        with pytest.raises(RiskRejected, match="max quantity"):
            client.orders.place(aapl, limit("BUY", 11, 1.0))
        assert client.orders.all() == []
        order = client.orders.place(aapl, limit("BUY", 10, 1.0))
        assert client.stats["sent"] == sent + 1
        with pytest.raises(RiskRejected):  # a modify that adds risk
            client.orders.place(aapl, limit("BUY", 11, 1.0, orderId=order.order_id))


def test_cancels_and_modifies_that_lower_risk_pass_no_policy() -> None:
    with connect() as client:
        aapl = client.qualify(stock("AAPL"))
        order = client.orders.place(aapl, limit("BUY", 10, 1.0)).wait("live")
        client.risk.gate._checks = (ReadOnly().check,)
        client.orders.place(aapl, limit("BUY", 9, 1.0, orderId=order.order_id))
        order.cancel()
        assert order.wait("done").state.name == "CANCELLED"


def test_positions_and_fills_reach_the_book() -> None:
    with connect(policies=[MaxPosition(100)]) as client:
        aapl = client.qualify(stock("AAPL"))
        assert client._core.wait_until(lambda: "positions" in client.risk.book.told, 5)
        held = client.positions()[aapl].size
        line = client.risk.book.line(client.accounts[0], aapl)
        assert line.position == held
        order = client.orders.place(aapl, market("BUY", 100 - int(held))).wait("done")
        assert order.is_filled
        assert client._core.wait_until(lambda: line.position == 100 and line.buy == 0, 5)
        with pytest.raises(RiskRejected, match="max position"):
            client.orders.place(aapl, market("BUY", 1))
        client.orders.place(aapl, market("SELL", 1))


def test_what_adds_risk_does_not_go_round_the_gate() -> None:
    with connect() as client, pytest.raises(RiskRejected, match="exerciseOptions"):
        client._core.send(ExerciseOptions())


def test_an_unqualified_contract_is_refused() -> None:
    with connect() as client, pytest.raises(ConfigError, match="not qualified"):
        client.orders.place(stock("AAPL"), limit("BUY", 1, 1.0))
    with connect(allow_unqualified=True) as client:
        client.orders.place(stock("AAPL"), limit("BUY", 1, 1.0)).wait("live")


def test_a_kill_under_load_leaves_nothing_open(tmp_path: Path) -> None:
    with connect(state_dir=str(tmp_path), rate_per_s=2000, max_queue_ms=5000) as client:
        aapl = client.qualify(stock("AAPL"))
        go, refused = threading.Event(), []

        def place(size: int) -> None:
            for number in range(200):
                try:
                    client.orders.place(aapl, limit("BUY", size, round(1.0 + number / 100, 2)))
                except RiskRejected as error:
                    refused.append(str(error))
                    return
                if number == 5:
                    go.set()

        threads = [threading.Thread(target=place, args=(size,)) for size in (1, 2, 3)]
        for thread in threads:
            thread.start()
        assert go.wait(20)
        report = client.risk.kill("drill", timeout=20)
        for thread in threads:
            thread.join()
        assert len(refused) == 3
        assert "drill" in refused[0]
        assert (report.left, report.failed) == ([], [])
        assert client.risk.left() == []
        every = client.orders.all()
        unasked = [order for order in every if order.order_id not in report.asked]
        assert [order for order in every if not order.is_done] == []
        assert [(order.state.name, order.last_error) for order in unasked] == []
        assert (tmp_path / "kill.json").exists()
        with pytest.raises(RiskRejected):
            client.orders.place(aapl, limit("BUY", 1, 1.0))
        client.risk.release()
        client.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live")


def test_the_largest_risk_goes_first_and_everything_is_one_message() -> None:
    with connect() as client:
        aapl = client.qualify(stock("AAPL"))
        orders = [client.orders.place(aapl, limit("BUY", size, 1.0)).wait("live") for size in (1, 3, 2)]
        report = client.risk.kill()
        assert report.asked == [orders[1].order_id, orders[2].order_id, orders[0].order_id]
        client.risk.release()
        order = client.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live")
        report = client.risk.kill(scope="everything")
        assert (report.asked, report.left) == ([], [])
        assert order.wait("done").state.name == "CANCELLED"


def test_what_nobody_can_value_goes_first() -> None:
    with connect() as client:
        aapl = client.qualify(stock("AAPL"))
        exits = [trailing("SELL", 1, percent=50), stop("SELL", 1, 60.0)]  # the first says no price
        wanted = [limit("BUY", 20, 1.0), *exits, limit("BUY", 3, 1.0)]
        orders = [client.orders.place(aapl, one).wait("live") for one in wanted]
        assert client.risk.kill().asked == [orders[n].order_id for n in (1, 2, 0, 3)]


def test_a_file_of_another_program_kills(tmp_path: Path) -> None:
    with connect(state_dir=str(tmp_path / "s")) as client:
        aapl = client.qualify(stock("AAPL"))
        order = client.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live")
        write_kill(tmp_path / "s", Kill("from outside", "ops"))
        with pytest.raises(RiskRejected, match="from outside"):
            client.orders.place(aapl, limit("BUY", 1, 1.0))
        assert order.wait("done", 10).state.name == "CANCELLED"


def test_a_governor_cancels_a_live_order_and_blocks_others() -> None:
    seen: list[Event] = []

    def governor(event: Event, subject: Any) -> Verdict:
        seen.append(event)
        if event is Event.PRE_ORDER and subject.quantity > 5:
            return Reject("too much")
        return Cancel("not today", "order") if event is Event.ORDER_LIVE else ALLOW

    with connect(governor=governor) as client:
        aapl = client.qualify(stock("AAPL"))
        with pytest.raises(RiskRejected, match="governor: too much"):
            client.orders.place(aapl, limit("BUY", 6, 1.0))
        assert client.orders.place(aapl, limit("BUY", 5, 1.0)).wait("done").state.name == "CANCELLED"
        assert seen == [Event.PRE_ORDER, Event.PRE_ORDER, Event.ORDER_LIVE]


def _says(*events: Event) -> Any:
    return lambda event, subject: Cancel("enough", "mine") if event in events else ALLOW


@pytest.mark.parametrize("mode", ["threaded", "inline"])
@pytest.mark.parametrize("event", [Event.PRE_ORDER, Event.ORDER_LIVE, Event.FILL])
def test_a_governors_kill_is_its_own_everywhere(
    event: Event, mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(governor=_says(event), state_dir=str(tmp_path), mode=mode) as client:
        aapl = client.qualify(stock("AAPL"))
        try:
            client.orders.place(aapl, market("BUY", 1)).wait("done")
        except RiskRejected:
            assert event is Event.PRE_ORDER
        client._core.wait_until(lambda: bool(client.risk.reports), 5)
        kill = client.risk.reports[0].kill
        assert (kill.by, kill.reason, client.risk.switch.kill) == ("governor", "enough", kill)
    told = "killed by governor: enough"
    assert main(["kill", "--status", "--state-dir", str(tmp_path)]) == 1
    assert told in capsys.readouterr().out
    assert main(["journal", "show", str(tmp_path / "journal")]) == 0
    assert told in capsys.readouterr().out


def test_the_budget_of_the_gate_is_a_setting() -> None:
    class Slow:
        name = "slow"

        def check(self, request: Any, book: Any, now_ns: int) -> Verdict:
            end_ns = clock.now_ns() + 2_000_000
            while clock.now_ns() < end_ns:
                pass
            return ALLOW

    with connect(policies=[Slow()], gate_budget_ms=1) as client:
        with pytest.raises(RiskRejected, match="at most 1 ms"):
            client.orders.place(client.qualify(stock("AAPL")), market("BUY", 1))
        assert client.orders.all() == []
    with connect(policies=[Slow()], gate_budget_ms=60_000) as client:
        client.orders.place(client.qualify(stock("AAPL")), market("BUY", 1)).wait("live")


def test_a_policys_kill_names_the_policy() -> None:
    class Daily:
        name = "my limit"

        def check(self, request: Any, book: Any, now_ns: int) -> Verdict:
            return Cancel("enough")

    with connect(policies=[Daily()]) as client:
        with pytest.raises(RiskRejected, match="my limit: enough"):
            client.orders.place(client.qualify(stock("AAPL")), market("BUY", 1))
        assert client._core.wait_until(lambda: bool(client.risk.reports), 5)
        assert str(client.risk.reports[0].kill) == "killed by policy my limit: enough"


def test_a_bracket_is_one_thing() -> None:
    with connect() as client:
        aapl = client.qualify(stock("AAPL"))
        group = client.orders.place_bracket(aapl, bracket("BUY", 3, 1.0, 2.0, 0.5))
        group.parent.wait("live")
        assert group.problem == ""
        assert [order.order.parentId for order in group.orders] == [0, group.parent.order_id, group.parent.order_id]
        group.cancel()
        assert all(order.wait("done").is_done for order in group.orders)


def test_half_a_bracket_is_cancelled_and_told() -> None:
    with connect(policies=[MaxQuantity(3, "contract")]) as client:
        aapl = client.qualify(stock("AAPL"))
        client.risk.gate._checks = (
            lambda request, book, now_ns: Reject("no stops") if request.order_type == "STP" else ALLOW,
        )
        with pytest.raises(RiskRejected, match="no stops") as caught:
            client.orders.place_bracket(aapl, bracket("BUY", 3, 1.0, 2.0, 0.5))
        assert len(caught.value.__notes__) == 2
        assert client._core.wait_until(lambda: client.risk.left() == [], 5)


def test_past_the_rate_an_order_is_refused_and_nothing_of_it_stays() -> None:
    with connect(policies=[MaxQuantity(1000, "contract")], rate_per_s=20, max_queue_ms=0) as client:
        aapl = client.qualify(stock("AAPL"))
        with pytest.raises(PacingError):
            for _ in range(40):
                client.orders.place(aapl, limit("BUY", 1, 1.0))
        placed = client.orders.all()
        assert client.risk.book.line(client.accounts[0], aapl).buy == len(placed)
        placed[0].cancel()  # its tokens are its own


def test_the_days_loss_kills_and_where_it_was_asked_for_closes() -> None:
    with connect(policies=[FlatOnLoss(100)]) as client:
        aapl, core = client.qualify(stock("AAPL")), client._core
        account = client.accounts[0]
        assert core.wait_until(lambda: "positions" in client.risk.book.told and account in client.risk.book.pnl, 5)
        assert client.orders.place(aapl, market("BUY", 7)).wait("done").is_filled
        resting = client.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live")
        client.risk.book.on_pnl(account, -100.0, clock.now_ns())
        client.risk.gate.watch(clock.now_ns())
        with pytest.raises(RiskRejected):
            client.orders.place(aapl, limit("BUY", 1, 1.0))
        assert resting.wait("done").state.name == "CANCELLED"
        assert core.wait_until(lambda: client.positions()[aapl].size == 0 or bool(client.risk.problems), 10)
        assert client.risk.problems == []
        assert client.risk.switch.check() is not None


def test_positions_are_closed_only_while_it_is_shut() -> None:
    with connect(policies=[MaxPosition(10)]) as client, pytest.raises(ConfigError, match="kill"):
        client.risk.flatten()
    with pytest.raises(ConfigError, match="threaded"):
        connect(policies=[FlatOnLoss(1)], mode="inline")


def test_inline_a_file_kills_at_the_next_step(tmp_path: Path) -> None:
    with connect(state_dir=str(tmp_path), mode="inline") as client:
        aapl = client.qualify(stock("AAPL"))
        order = client.orders.place(aapl, limit("BUY", 1, 1.0)).wait("live")
        write_kill(tmp_path, Kill("from outside", "ops"))
        assert order.wait("done").state.name == "CANCELLED"
        with pytest.raises(RiskRejected, match="from outside"):
            client.orders.place(aapl, limit("BUY", 1, 1.0))


@pytest.mark.parametrize("version", [176, 225])
def test_a_prepared_order_goes_the_same_way(version: int) -> None:
    with connect(policies=[MaxQuantity(10)], max_server_version=version) as client:
        aapl = client.qualify(stock("AAPL"))
        prepared = client.orders.prepare(aapl, limit("BUY", 5, 2.0, orderRef="mine"))
        first, second = prepared.place(1.25), prepared.place(1.5, 7)
        for order, price, size in ((first, 1.25, 5), (second, 1.5, 7)):
            order.wait("live")
            told = order.broker_order
            assert (told.lmtPrice, told.totalQuantity, told.orderRef) == (price, size, "mine")
        assert first.order_id != second.order_id
        with pytest.raises(RiskRejected, match="max quantity"):
            prepared.place(1.0, 11)
        with pytest.raises(ConfigError, match="nan"):
            prepared.place(float("nan"))
        with pytest.raises(ConfigError, match="lmtPrice"):
            client.orders.prepare(aapl, market("BUY", 5))
