"""Addresses that may not be called, in any spelling, as literals and by names:
there is never a connection."""

import re
import socket
import subprocess

import pytest
from harness.listener import Listener
from harness.mounts import needs_mounts, wrap
from harness.queue import dead, is_settled, put
from harness.redis import Redis
from harness.reporter import Reporter
from harness.resolver import Resolver
from harness.sandbox import free_port
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600}
NONE_ALLOWED = {"VERVE_CALLBACKS_ALLOW": ""}
# As hosts of URLs. @ is an address of this host.
LITERALS = """
127.0.0.1 127.0.0.2 127.255.255.254 127.1 127.0.1 2130706433 0x7f000001
0x7f.1 0x7F.0.0.1 0177.0.0.1 0177.1 017700000001 127.000.000.001 127.0.0.0x1
%31%32%37.0.0.1 127%2e0.0.1 0 0.0.0.0 0.0 0x0 10.0.0.1 10.255.255.255
172.16.0.1 172.31.255.255 192.168.0.1 169.254.0.1 169.254.169.254 0xa9fea9fe
2852039166 100.64.0.1 100.127.255.255 100.100.100.200 192.0.0.192 192.0.0.1
192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.255.255 192.88.99.1
224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
[::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1]
[::FFFF:127.0.0.1] [0:0:0:0:0:ffff:a00:1] [::127.0.0.1] [::7f00:1]
[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1]
[2002:7f00:1::1] [2002:a9fe:a9fe::1] [2001:0:4136:e378:8000:63bf:80ff:fffe]
[2001:db8::1] [3fff::1] [100::1] [fc00::1] [fd00:ec2::254] [fdff::1] [fe80::1]
[febf::1] [fec0::1] [ff02::1] [ff0e::1] [4000::1] [5f00::1] [1::1]
@
""".split()
NAMES = """
127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254
100.64.0.1 192.0.2.1 198.18.0.1 224.0.0.1 255.255.255.255 ::1 ::
::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::1 2001:db8::1
fc00::1 fd00:ec2::254 fe80::1 ff02::1 4000::1 @
""".split()


def own_address():
    """An address of this host outside of the loopback, or None."""
    done = subprocess.run(["hostname", "-I"], stdout=subprocess.PIPE,
                          check=False, text=True)
    return (done.stdout.split() or [None])[0]


class Silence:
    """Listens on every address of this host, and keeps the connections."""

    def __init__(self, sandbox):
        listener = socket.create_server(
            ("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port = listener.getsockname()[1]
        self.connections = []
        Listener(sandbox, listener, self.serve)

    def serve(self, connection):
        self.connections.append(connection)
        connection.close()

    def assert_hears(self):
        """A silence that can't be broken proves nothing."""
        for address in ("127.0.0.1", "::1", own_address() or "127.0.0.1"):
            socket.create_connection((address, self.port)).close()
        # A stranger may have called as well, as the port had been another's.
        wait_until(lambda: len(self.connections) >= 3, "the listener hears")
        self.connections.clear()


@pytest.fixture
def silence(sandbox):
    listener = Silence(sandbox)
    listener.assert_hears()
    return listener


def assert_all_refused(redis, reporter, silence, ids):
    wait_until(lambda: len(dead(redis)) >= len(ids), "all are dead")
    lines = {line["job"]: line for line in reporter.callbacks()}
    for number, host in ids.items():
        line = lines[number]
        assert (line["error"], line["status"], line["attempt"]) == \
            ("refused", "-", "1"), f"{host}: {line}"
        assert dead(redis)[number] == "refused", host
    assert len(reporter.callbacks()) == len(ids)
    assert is_settled(redis)
    assert not silence.connections


def test_refused_addresses_are_not_called_by_literal(sandbox, redis, silence):
    hosts = [own_address() or "127.0.0.1" if host == "@" else host
             for host in LITERALS]
    assert len(hosts) >= 40
    reporter = Reporter(sandbox, redis, **NONE_ALLOWED).start()
    urls = [f"http://{host}:{silence.port}/" for host in hosts]
    ids = dict(zip(put(redis, *urls), hosts))
    assert_all_refused(redis, reporter, silence, ids)
    said = [line for line in reporter.process.logged_with("callback refused")
            if re.match(r"\S+ is in \S+/\d+ .*callbacks\.allow",
                        line["reason"])]
    assert len(said) >= 40  # each of them


def test_the_port_of_redis_is_refused_if_its_socket_is_used(sandbox):
    """The reporter uses its unix socket, but Redis has a port as well."""
    redis = Redis(sandbox, port=free_port(), bind="127.0.0.1").start()
    reporter = Reporter(sandbox, redis,
                        VERVE_CALLBACKS_ALLOW="127.0.0.0/8").start()
    port = redis.config["port"]
    ids = put(redis, f"http://127.0.0.1:{port}/", f"http://127.1:{port}/")
    wait_until(lambda: len(dead(redis)) == 2, "both are dead")
    assert set(dead(redis)) == set(ids)
    assert "is Redis itself" in reporter.process.output()
    assert "SECURITY" not in redis.process.output()


@needs_mounts
def test_refused_addresses_are_not_called_by_name(sandbox, redis, silence):
    names = {f"n{number}.test":
             [own_address() or "127.0.0.1" if address == "@" else address]
             for number, address in enumerate(NAMES)}
    names["several.test"] = ["10.0.0.1", "127.0.0.1", "::1", "fe80::1"]
    resolver = Resolver(sandbox, names)
    reporter = Reporter(sandbox, redis, before=wrap(resolver.mounts()),
                        **NONE_ALLOWED).start()
    hosts = [*names, "localhost", "LOCALHOST", "ip6-localhost", "n0.test.",
             "N0.TEST"]
    urls = [f"http://{host}:{silence.port}/" for host in hosts]
    ids = dict(zip(put(redis, *urls), hosts))
    assert_all_refused(redis, reporter, silence, ids)


@needs_mounts
def test_a_name_with_a_refused_address_is_called_at_the_other(sandbox, redis,
                                                              receiver):
    """Only one of its addresses may be called, and only that is called."""
    resolver = Resolver(sandbox, {"both.test": ["127.0.0.2", "127.0.0.1"]})
    Reporter(sandbox, redis, before=wrap(resolver.mounts()),
             VERVE_CALLBACKS_ALLOW="127.0.0.1").start()
    put(redis, *[f"http://both.test:{receiver.port}/"] * 20)
    assert {got.address for got in receiver.wait_count(20)} == {"127.0.0.1"}
    wait_until(lambda: is_settled(redis), "all are settled")
    assert not dead(redis)


def test_an_allowed_address_is_called(sandbox, redis, receiver):
    Reporter(sandbox, redis,
             VERVE_CALLBACKS_ALLOW="10.0.0.0/8, 127.0.0.1").start()
    put(redis, receiver.url())
    receiver.wait_count(1)


def test_redis_is_never_called(sandbox):
    """Not even if its address is allowed."""
    port = free_port()
    redis = Redis(sandbox, port=port, bind="127.0.0.1 127.0.0.2").start()
    redis.url = f"redis://127.0.0.1:{port}"
    reporter = Reporter(
        sandbox, redis, VERVE_CALLBACKS_ALLOW="127.0.0.0/8 ::/0").start()
    hosts = ["127.0.0.1", "127.0.0.2", "localhost", "[::ffff:127.0.0.1]",
             "0x7f000001"]
    ids = dict(zip(put(redis, *(f"http://{host}:{port}/" for host in hosts)),
                   hosts))
    wait_until(lambda: len(dead(redis)) == len(ids), "all are dead")
    assert set(dead(redis).values()) == {"refused"}
    assert "Redis itself" in reporter.process.output()
    assert "SECURITY" not in redis.process.output()


@pytest.mark.parametrize("setting,value,words", [
    ("VERVE_CALLBACKS_ALLOW", "10.0.0.0/8,nonsense",
     ["callbacks.allow: ", "nonsense"]),
    ("VERVE_CALLBACKS_ALLOW", "10.0.0.0/33", ["callbacks.allow: ", "/33"]),
    ("VERVE_CALLBACKS_RESOLVERS", "127.0.0.1:53, ns.test",
     ["callbacks.resolvers: ", '"ns.test"']),
    ("VERVE_CALLBACKS_SECRET", "topsecret", ["callbacks.secret: "]),
])
def test_an_option_that_cannot_be_read_is_refused(sandbox, redis, setting,
                                                  value, words):
    """Logged by -t and at the start, without the secret itself."""
    reporter = Reporter(sandbox, redis, **{**NONE_ALLOWED, setting: value})
    for name, more in (("check", ["-t"]), ("start", [])):
        process = sandbox.start(name, [*reporter.command, *more],
                                reporter.settings)
        assert process.wait() == 100
        assert all(word in process.output() for word in [setting, *words])
        assert "topsecret" not in process.output()
