"""A name with two addresses: if the first answers but cannot be used, the second
is tried."""

import pytest
from harness.mounts import needs_mounts, wrap
from harness.redis import Redis
from harness.reporter import Reporter
from harness.resolver import Resolver
from harness.sandbox import free_port
from harness.settings import PATIENT_MS

SETTINGS = {"VERVE_WINDOW_SECONDS": 1, "VERVE_REDIS_TIMEOUT_MS": PATIENT_MS}
ADDRESSES = ["127.0.0.1", "127.0.0.2"]

pytestmark = needs_mounts


@pytest.fixture
def resolver(sandbox):
    return Resolver(sandbox, {"two.example": ADDRESSES})


@pytest.fixture
def make(sandbox):
    """Makes a Redis at one of the addresses, all at the same port."""
    port = free_port()

    def make(number, **config):
        redis = Redis(sandbox, name=f"redis{number}", port=port,
                      bind=ADDRESSES[number], **config).start()
        redis.url = f"redis://two.example:{port}"
        return redis
    return make


UNUSABLE = {
    "replica": {"replicaof": "127.0.0.1 1"},
    "password": {"requirepass": "secret"},
    "policy": {"maxmemory_policy": "allkeys-lru"},
    "full": {"maxclients": 1},
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("bad", [0, 1])
def test_the_other_address_is_tried(sandbox, resolver, make, kind, bad):
    make(bad, **UNUSABLE[kind])
    good = make(1 - bad)
    reporter = Reporter(sandbox, good, before=wrap(resolver.mounts())).start()
    reporter.process.wait_output("): ready")
    assert "cannot be used" not in reporter.process.output()


@pytest.mark.parametrize("bad", [0, 1])
def test_if_no_address_is_usable_both_reasons_are_said(sandbox, resolver, make,
                                                       bad):
    """Nothing but an operator can help."""
    make(bad, requirepass="secret")
    other = make(1 - bad, maxmemory_policy="allkeys-lru")
    reporter = Reporter(sandbox, other, before=wrap(resolver.mounts()))
    with pytest.raises(AssertionError):
        reporter.start()
    assert reporter.process.wait() == 100
    output = reporter.process.output()
    assert f"{ADDRESSES[bad]}: NOAUTH" in output
    assert f"{ADDRESSES[1 - bad]}: its maxmemory-policy" in output


@pytest.mark.parametrize("bad", [0, 1])
def test_what_may_become_usable_is_waited_for(sandbox, resolver, make, bad):
    """A replica may be promoted, whatever the other address says."""
    make(bad, requirepass="secret")
    replica = make(1 - bad, replicaof="127.0.0.1 1")
    reporter = Reporter(sandbox, replica, before=wrap(resolver.mounts())).start()
    reporter.process.wait_output("cannot be used yet")
    replica("REPLICAOF", "NO", "ONE")
    reporter.process.wait_output("): ready")
