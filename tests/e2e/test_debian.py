"""The contract beside Debian's own configurations of lighttpd and nginx."""

import pytest
from harness import debian
from harness.fastcgi import Responder
from harness.http import fetch
from harness.load import accept
from harness.queue import list_of
from harness.sandbox import free_port
from harness.servers import every_server
from harness.web import wait_until_healthy


@pytest.fixture
def port(sandbox, redis, server):
    port = free_port()
    if server == "lighttpd":
        debian.start_lighttpd(sandbox, port, VERVE_REDIS_URL=redis.url)
    else:
        Responder(sandbox, redis, "v").start()
        debian.start_nginx(sandbox, port)
    wait_until_healthy(port)
    return port


@every_server
def test_the_contract_holds_beside_debians_settings(redis, port):
    assert fetch(port, accept(7)).body == b"ok"
    # Debian's url-normalize-required takes the last `?` for the query's start.
    answer = fetch(port, "/api/verve/accept?id=1&endpoint=http://h/p?a=b")
    assert answer.body == b"ok"
    assert '"url":"http://h/p?a=b"' in redis("LINDEX", list_of("http://h/"),
                                             0)
    assert fetch(port, "/api/verve/acceptX?id=7").body == b"failed"
    assert fetch(port, "/readyz").body == b"ok"
    # Other paths of the site do not belong to verve.
    assert fetch(port, "/other").headers.get("verve-error") is None
    assert b"failed" not in fetch(port, "/other").body
