"""The contract beside Debian's own lighttpd configuration."""

import pytest
from harness import debian
from harness.http import fetch
from harness.load import accept
from harness.sandbox import free_port
from harness.web import wait_until_healthy


@pytest.fixture
def port(sandbox, redis):
    port = free_port()
    sandbox.start("debian",
                  ["lighttpd", "-D", "-f", debian.site(sandbox, port)],
                  {"VERVE_REDIS_URL": redis.url})
    wait_until_healthy(port)
    return port


def test_the_contract_holds_beside_debians_settings(redis, port):
    assert fetch(port, accept(7)).body == b"ok"
    # Debian's url-normalize-required takes the last `?` for the query's start.
    answer = fetch(port, "/api/verve/accept?id=1&endpoint=http://h/p?a=b")
    assert answer.body == b"ok"
    assert '"url":"http://h/p?a=b"' in redis("LINDEX", "verve:{0}:callbacks",
                                             0)
    assert fetch(port, "/api/verve/acceptX?id=7").body == b"failed"
    assert fetch(port, "/readyz").body == b"ok"
    # The rest of the site is not ours.
    assert fetch(port, "/other").headers.get("verve-error") is None
    assert b"failed" not in fetch(port, "/other").body
