from __future__ import annotations

import inspect
import pickle

import pytest

from ibwire import errors
from ibwire.errors import IbwireError, OrderError, ProtocolError, RequestError, UnsupportedByServer, WaitTimeout

SAMPLES: list[IbwireError] = [
    IbwireError("a", hint="b"),
    errors.ConfigError("port 0", hint="name a port"),
    ProtocolError("not a number", message_name="orderStatus", field="filled", offset=3, payload=b"0123456", hint="x"),
    errors.PacingError("too fast", retry_after_ms=20.0),
    errors.RiskRejected("too large", policy="max_quantity"),
    OrderError(201, "rejected", reqId=7, hint="read it"),
    UnsupportedByServer("placeOrder.manualOrderTime", 169, 157, reqId=7),
    WaitTimeout("30 s"),
    errors.Lapped("behind", lost=12),
]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    lines = (errors.__doc__ or "").splitlines()
    drawn = {line.split("+--")[1].split()[0] for line in lines if "+--" in line}
    classes = {name for name, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, IbwireError)}
    assert drawn | {"IbwireError"} == classes == set(errors.__all__)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_pickles_with_text_and_attributes(error: IbwireError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_protocol_error_says_where() -> None:
    error = SAMPLES[2]
    assert str(error) == "orderStatus.filled at byte 3: not a number [30 31 32 >33 34 35 36]: x"
    assert str(ProtocolError("bad")) == "bad"
    assert str(ProtocolError("bad", field="f")) == "f: bad"


@pytest.mark.parametrize("offset", [-1, 0, 5, 1000, 5000])
def test_excerpt_is_short_and_does_not_hold_the_payload(offset: int) -> None:
    payload = bytes(1000)
    error = ProtocolError("bad", offset=offset, payload=memoryview(payload))
    assert 1 <= error.excerpt.count("00") <= 24
    assert error.excerpt.count(">") == 1
    assert payload not in vars(error).values()


def test_request_errors() -> None:
    assert str(OrderError(201, "rejected", reqId=7, hint="read it")) == "code 201 for id 7: rejected (read it)"
    assert str(RequestError(162)) == "code 162"
    error = UnsupportedByServer("placeOrder.manualOrderTime", 169, 157)
    assert isinstance(error, RequestError)
    assert (error.code, error.needs, error.server_version) == (503, 169, 157)
    assert "needs server version 169, the gateway speaks 157" in str(error)


def test_wait_timeout_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        raise WaitTimeout("no verdict")


def test_pacing_error_says_how_long() -> None:
    assert str(SAMPLES[3]) == "too fast: wait 20 ms and send it again"
