from __future__ import annotations

import pytest

from ibwire.session.liveness import Readiness


@pytest.mark.parametrize("accounts_first", [True, False])
def test_ready_once_both_have_come(accounts_first: bool) -> None:
    readiness = Readiness()
    steps = [lambda: readiness.on_managed_accounts("DU0000001,"), lambda: readiness.on_next_valid_id(7)]
    for step in steps if accounts_first else reversed(steps):
        assert not readiness.ready
        step()
    assert readiness.ready
    assert readiness.accounts == ("DU0000001",)


def test_account_names() -> None:
    readiness = Readiness()
    readiness.on_managed_accounts("DU0000001, DU0000002,,")
    assert readiness.accounts == ("DU0000001", "DU0000002")
    readiness.on_managed_accounts("")
    assert readiness.accounts == ()


def test_the_next_id_never_falls() -> None:
    readiness = Readiness()
    for given, kept in ((5, 5), (9, 9), (3, 9)):
        readiness.on_next_valid_id(given)
        assert readiness.next_valid_id == kept
