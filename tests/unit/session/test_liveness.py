from __future__ import annotations

import pytest

from ibwire.session.liveness import Readiness


@pytest.mark.parametrize("accounts_first", [True, False])
def test_ready_once_both_have_come(accounts_first: bool) -> None:
    readiness = Readiness()
    for accounts in (accounts_first, not accounts_first):
        assert not readiness.ready
        if accounts:
            readiness.on_managed_accounts("DU0000001,")
        else:
            readiness.on_next_valid_id(7)
    assert readiness.ready
    assert readiness.accounts == ("DU0000001",)


def test_account_names() -> None:
    readiness = Readiness()
    for text, names in (("DU0000001, DU0000002,,", ["DU0000001", "DU0000002"]), ("", [])):
        readiness.on_managed_accounts(text)
        assert list(readiness.accounts or ()) == names


def test_the_next_id_never_falls() -> None:
    readiness = Readiness()
    for given, kept in ((5, 5), (9, 9), (3, 9)):
        readiness.on_next_valid_id(given)
        assert readiness.next_valid_id == kept
