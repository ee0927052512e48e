"""Each shipped configuration of lighttpd: lighttpd accepts it, refuses it with a
wrong configuration of verve, and keeps the connections of clients."""

import re
import subprocess

import pytest
from harness import debian
from harness.http import fetch, fetch_kept
from harness.load import accept
from harness.process import children, times_ready
from harness.sandbox import free_port
from harness.settings import FCGI, ROOT
from harness.wait import wait_until
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


def check(sandbox, path, settings):
    """lighttpd -tt: (exit code, output)."""
    done = sandbox.start("check", ["lighttpd", "-tt", "-f", path], settings)
    return done.wait(), done.output()


@pytest.mark.parametrize("configuration", [own, balancer, within_debians])
def test_lighttpd_takes_it(sandbox, configuration):
    path, settings = configuration(sandbox, 8080)
    assert check(sandbox, path, settings) == (0, "")


WRONG = {"VERVE_WINDOW_SECONDS": "x"}


@pytest.mark.parametrize("configuration", [own, within_debians])
def test_a_wrong_configuration_of_verve_is_refused(sandbox, configuration):
    path, settings = configuration(sandbox, 8080)
    code, output = check(sandbox, path, {**settings, **WRONG})
    assert code not in (0, None)
    assert "VERVE_WINDOW_SECONDS: \"x\" is not a whole number" in output


def test_the_pool_of_another_is_not_checked(sandbox):
    path, settings = own(sandbox, 8080)
    assert check(sandbox, path, {**settings, **WRONG, "VERVE_FCGI": ""}) == \
        (0, "")
    path = debian.site(sandbox, 8080, program="")
    assert check(sandbox, path, WRONG) == (0, "")


def commands_of_reload(main, pid):
    """As systemd runs them, with the drop-in (systemd.service(5))."""
    text = (CONF / "systemd" / "lighttpd-reload.conf").read_text()
    first, *commands = re.findall("^ExecReload=(.*)$", text, re.M)
    assert first == ""  # forgets Debian's
    return [command.replace("/etc/lighttpd/lighttpd.conf", str(main))
            .replace("$MAINPID", str(pid)).split() for command in commands]


def test_a_reload_with_a_wrong_configuration_is_refused(sandbox, redis):
    """The file is what changes: a process keeps its environment."""
    port = free_port()
    verve_conf = sandbox.folder / "verve.conf"
    verve_conf.write_text("[window]\nseconds = 60\n")
    main = debian.site(sandbox, port)
    settings = {"VERVE_REDIS_URL": redis.url, "VERVE_CONF": verve_conf}
    lighttpd = sandbox.start("lighttpd", ["lighttpd", "-D", "-f", main],
                             settings)
    wait_until_healthy(port)
    pool = children(lighttpd.pid)
    wait_until(lambda: times_ready(lighttpd) == len(pool),
               "each responder has read its configuration", 20.0)

    def reload():
        for command in commands_of_reload(main, lighttpd.pid):
            done = subprocess.run(command, env=sandbox.environment(settings),
                                  capture_output=True, text=True, timeout=10)
            if done.returncode != 0:
                return done.stderr
        return ""

    verve_conf.write_text("[window]\nseconds = x\n")
    assert f"{verve_conf}:2: window.seconds" in reload()
    assert fetch(port, accept(7)).body == b"ok"
    assert children(lighttpd.pid) == pool
    verve_conf.write_text("[window]\nseconds = 60\n")
    assert reload() == ""
    wait_until(lambda: not set(pool) & set(children(lighttpd.pid)),
               "the pool is new", 20.0)
    wait_until_healthy(port)


@pytest.mark.parametrize("configuration", [own, within_debians])
def test_one_connection_serves_many_requests(sandbox, redis, configuration):
    fetch_kept(start(sandbox, redis, configuration), accept(7), REQUESTS)


def test_one_connection_through_the_balancer(sandbox, redis, web):
    """Fewer requests, as each takes a local port for a minute, but more than
    lighttpd's default for a connection."""
    fetch_kept(start(sandbox, redis, balancer, web_port=web.port), accept(7),
               REQUESTS // 10)
