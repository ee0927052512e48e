"""Each shipped configuration of lighttpd: lighttpd accepts it, and keeps the
connections of clients."""

import pytest
from harness import debian
from harness.http import fetch_kept
from harness.load import accept
from harness.sandbox import free_port
from harness.settings import FCGI, ROOT
from harness.web import wait_until_healthy

CONF = ROOT / "conf"
REQUESTS = 20000


def own(sandbox, port):
    return CONF / "lighttpd.conf", {
        "BIND": "127.0.0.1", "PORT": port, "VERVE_FCGI": FCGI,
        "VERVE_SOCKET": sandbox.folder / "v.sock", "VERVE_PROCS": 2}


def balancer(_, port, web_port=80):
    return CONF / "balancer.conf", {
        "BIND": "127.0.0.1", "PORT": port, "WEB1": "127.0.0.1",
        "WEB2": "127.0.0.1", "WEB_PORT": web_port}


def within_debians(sandbox, port):
    return debian.site(sandbox, port), {}


def start(sandbox, redis, configuration, **kwargs):
    """Returns the port, once a responder answers."""
    port = free_port()
    path, settings = configuration(sandbox, port, **kwargs)
    sandbox.start(path.name, ["lighttpd", "-D", "-f", path],
                  {"VERVE_REDIS_URL": redis.url, **settings})
    wait_until_healthy(port)
    return port


@pytest.mark.parametrize("configuration", [own, balancer, within_debians])
def test_lighttpd_takes_it(sandbox, configuration):
    path, settings = configuration(sandbox, 8080)
    check = sandbox.start("check", ["lighttpd", "-tt", "-f", path], settings)
    assert (check.wait(), check.output()) == (0, "")


@pytest.mark.parametrize("configuration", [own, within_debians])
def test_one_connection_serves_many_requests(sandbox, redis, configuration):
    fetch_kept(start(sandbox, redis, configuration), accept(7), REQUESTS)


def test_one_connection_through_the_balancer(sandbox, redis, web):
    """Fewer requests, as each takes a local port for a minute, but more than
    lighttpd's default for a connection."""
    fetch_kept(start(sandbox, redis, balancer, web_port=web.port), accept(7),
               REQUESTS // 10)
