from __future__ import annotations

import pytest

from tests.unit.ring.impls import IMPLS, Impl


@pytest.fixture(params=sorted(IMPLS))
def impl(request: pytest.FixtureRequest) -> Impl:
    return IMPLS[request.param]
