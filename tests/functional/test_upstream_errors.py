"""What a caller is told when another index fails: 502 to 504, and never that a project is not there."""

from __future__ import annotations

import pytest

from pypicloud_lite.kernel import errors
from pypicloud_lite.web.errors import status_of

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.UpstreamError)]
NOT_502 = {errors.UpstreamUnavailable: 503, errors.UpstreamTimedOut: 504}


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_upstream_is_never_a_missing_project(kind):
    error = kind("why", 7) if kind is errors.UpstreamUnavailable else kind("why")
    assert status_of(error) == NOT_502.get(kind, 502)
    assert not isinstance(error, errors.NotFound)


def test_each_has_a_code_of_its_own():
    assert len(KINDS) > 5
    assert len({kind.code for kind in KINDS}) == len(KINDS)
