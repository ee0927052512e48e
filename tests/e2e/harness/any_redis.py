"""The Redis that VERVE_TEST_REDIS chooses, and the mark of tests that only one
server can pass. They are left out, not skipped: nothing is missing."""

import pytest

from .redis import Redis
from .settings import KIND_OF_REDIS
from .three_masters import ThreeMasters

AnyRedis = ThreeMasters if KIND_OF_REDIS == "cluster" else Redis


COUNTS = "a count is that of other shards up to a second ago"


def one_server(reason):
    """Marks a test, and says why it is about one server."""
    return pytest.mark.one_server(reason=reason)


def is_possible(item):
    return AnyRedis is Redis or item.get_closest_marker("one_server") is None
