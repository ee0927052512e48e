"""Redis that fails over: the programs follow what the sentinels name."""

import pytest
from harness.fastcgi import Responder
from harness.load import accept
from harness.sentinel import SentinelGroup
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 86400, "VERVE_REDIS_TIMEOUT_MS": 250}


@pytest.fixture
def group(sandbox):
    return SentinelGroup(sandbox).start()


def asks(responder, number=1):
    return responder.ask(accept(number)).status == 200


def test_failovers(sandbox, group):
    """A planned one, then a killed master."""
    responder = Responder(sandbox, group).start()
    wait_until(lambda: asks(responder), "counts")
    old = group.nodes[0]
    assert old.has_program()
    group.fail_over()
    new = group.wait_promoted(old)
    wait_until(new.has_program, "the program follows", 20.0)
    wait_until(lambda: not old.has_program(), "the old master is left")
    wait_until(lambda: asks(responder, 2), "counts at the new master")
    assert "the sentinels name another master" in responder.process.output()
    wait_until(old.follows, "the old master is a replica", 40.0)
    new.kill()
    other = group.wait_promoted(new)
    wait_until(lambda: asks(responder, 3), "counts at the third", 20.0)
    assert other.has_program()
