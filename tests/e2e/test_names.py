"""Names are looked up before a job takes a slot, and name servers that are silent
delay no callbacks to other names."""

import socket
import time
from urllib.parse import urlsplit

import pytest
from harness.mounts import needs_mounts, wrap
from harness.queue import dead, due, is_settled, put
from harness.reporter import Reporter
from harness.resolver import Resolver
from harness.tls import ANSWER, Peer
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600,
            "VERVE_CALLBACKS_RETRY_DELAYS_S": "60"}
SILENT = ".silent.test"


def serve(sandbox, redis, names=(), **settings):
    """A name server, where all of SILENT is silent, and a reporter."""
    resolver = Resolver(sandbox, dict(names), port=0, silent=SILENT, ttl_s=60)
    reporter = Reporter(sandbox, redis, **resolver.settings, **settings)
    return resolver, reporter.start()


def put_silent(redis, resolver, count, asked):
    """Jobs for so many names; returns once so many names are asked for."""
    ids = put(redis, *(f"http://n{n}{SILENT}/" for n in range(count)))
    wait_until(lambda: len(set(resolver.asked)) >= asked, "they are asked for",
               30.0)
    return ids


def latencies(redis, receiver, hosts):
    """The seconds that a callback to each host takes, one after the other."""
    took = []
    for number, host in enumerate(hosts):
        path = f"/{number}-{host}"
        started = time.monotonic()
        put(redis, f"http://{host}:{receiver.port}{path}")
        receiver.wait_count(1, path, seconds=20.0)
        took.append(time.monotonic() - started)
    return sorted(took)


def test_2000_silent_names_delay_no_others(sandbox, redis, receiver):
    """Neither known names nor new ones, of which each is looked up."""
    new = [f"new{n}.test" for n in range(40)]
    names = {name: ["127.0.0.1"] for name in [*new, "known.test"]}
    resolver, _ = serve(sandbox, redis, names)
    latencies(redis, receiver, ["known.test"])
    put_silent(redis, resolver, 2000, 500)
    took = latencies(redis, receiver, [
        host for name in new for host in (name, "known.test")])
    assert took[len(took) // 2] < 0.5
    assert took[-1] < 5.0
    assert resolver.asked.count("known.test") <= 2  # A and AAAA


def test_no_slot_is_held_for_a_name(sandbox, redis, receiver):
    resolver, _ = serve(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=2,
                        VERVE_CALLBACKS_TIMEOUT_MS=15000,
                        VERVE_CALLBACKS_LEASE_S=60)
    put_silent(redis, resolver, 20, 20)
    started = time.monotonic()
    put(redis, *[receiver.url()] * 20)
    receiver.wait_count(20)
    assert time.monotonic() - started < 10.0


def test_a_job_that_waits_for_its_name_is_returned_at_the_end(sandbox, redis):
    """At once, and without an attempt used."""
    resolver, reporter = serve(sandbox, redis,
                               VERVE_CALLBACKS_TIMEOUT_MS=30000,
                               VERVE_CALLBACKS_LEASE_S=60)
    ids = put_silent(redis, resolver, 3, 3)
    started = time.monotonic()
    assert reporter.term() == 0
    assert time.monotonic() - started < 9.0  # not the time limit of an attempt
    assert {job: (claim, attempts) for job, (claim, attempts, _) in
            due(redis).items()} == {job: ("-", 0) for job in ids}
    assert not reporter.callbacks()


def test_a_failure_is_remembered(sandbox, redis):
    """For the jobs that follow: nobody is asked again."""
    resolver, reporter = serve(sandbox, redis)
    put(redis, "http://missing.test/")
    wait_until(reporter.callbacks, "the first has failed")
    asked = len(resolver.asked)
    put(redis, *["http://missing.test/"] * 20)
    wait_until(lambda: len(reporter.callbacks()) == 21, "all have failed")
    assert {line["error"] for line in reporter.callbacks()} == {"resolve"}
    assert len(resolver.asked) == asked


def test_a_name_is_looked_up_after_its_ttl(sandbox, redis, receiver):
    """And then the new address is called."""
    resolver, _ = serve(sandbox, redis, {"moving.test": ["127.0.0.1"]})
    resolver.ttl_s = 1
    put(redis, f"http://moving.test:{receiver.port}/")
    receiver.wait_count(1)
    resolver.names["moving.test"] = ["127.0.0.2"]

    def is_followed():
        receiver.interject(b"")  # ends the kept connection
        count = len(receiver.received)
        put(redis, f"http://moving.test:{receiver.port}/")
        receiver.wait_count(count + 1)
        return receiver.received[-1].address == "127.0.0.2"
    wait_until(is_followed, "the new address is called", 20.0)


@needs_mounts
def test_the_hosts_file_comes_first(sandbox, redis, receiver):
    """Also before callbacks.resolvers, and after a change of it."""
    resolver = Resolver(sandbox, {"both.test": ["127.0.0.9"]})
    with resolver.hosts.open("a") as hosts:
        hosts.write("127.0.0.1 both.test\n")
    Reporter(sandbox, redis, before=wrap(resolver.mounts()),
             **resolver.settings).start()
    put(redis, f"http://both.test:{receiver.port}/")
    (request,) = receiver.wait_count(1)
    assert request.address == "127.0.0.1"
    with resolver.hosts.open("a") as hosts:
        hosts.write("127.0.0.3 late.test\n")
    put(redis, f"http://LATE.test:{receiver.port}/late")
    (request,) = receiver.wait_count(1, "/late")
    assert request.address == "127.0.0.3"
    assert not resolver.asked


@needs_mounts
def test_a_changed_resolv_conf_is_followed(sandbox, redis, receiver):
    nowhere = Resolver(sandbox, {"name.test": None})
    first = nowhere.resolv.read_text()
    resolver = Resolver(sandbox, {"other.test": ["127.0.0.1"]})
    second = resolver.resolv.read_text()  # the same file
    resolver.resolv.write_text(first)
    Reporter(sandbox, redis, before=wrap(resolver.mounts())).start()
    put(redis, "http://name.test/")
    wait_until(lambda: nowhere.asked, "the first name server is asked")
    resolver.resolv.write_text(second)
    time.sleep(6.0)  # for so long a name server may be kept
    put(redis, f"http://other.test:{receiver.port}/")
    receiver.wait_count(1)


def test_a_rebound_name_is_refused(sandbox, redis, receiver):
    """The address is judged that is called, at each call."""
    resolver, _ = serve(sandbox, redis, {"rebound.test": ["127.0.0.1"]},
                        VERVE_CALLBACKS_ALLOW="127.0.0.1")
    resolver.ttl_s = 0
    put(redis, f"http://rebound.test:{receiver.port}/")
    receiver.wait_count(1)
    resolver.names["rebound.test"] = ["127.0.0.2"]
    time.sleep(1.1)
    receiver.interject(b"")
    (job,) = put(redis, f"http://rebound.test:{receiver.port}/")
    wait_until(lambda: dead(redis) == {job: "refused"}, "it is refused")
    assert {got.address for got in receiver.received} == {"127.0.0.1"}
    assert is_settled(redis)


class Swallower:
    """Listens at each address, and answers no SYN: its backlog is full."""

    def __init__(self, sandbox, port, *addresses):
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.socket(family)
            listener.bind((address, port))
            listener.listen(0)
            sandbox.on_close(listener.close)
            while self.connects(family, (address, port), sandbox):
                pass

    @staticmethod
    def connects(family, address, sandbox):
        client = socket.socket(family)
        sandbox.on_close(client.close)
        client.settimeout(0.3)
        try:
            client.connect(address)
        except TimeoutError:
            return False
        return True


@pytest.mark.parametrize("addresses", [
    ["127.0.0.2", "127.0.0.1"], ["127.0.0.2", "127.0.0.3", "127.0.0.1"],
    ["::1", "127.0.0.1"]])
def test_one_attempt_tries_several_addresses(sandbox, redis, addresses):
    """Though the first of them swallow SYNs."""
    peer = Peer(sandbox, lambda connection: connection.sendall(ANSWER))
    port = urlsplit(peer.url).port
    Swallower(sandbox, port, *addresses[:-1])
    _, reporter = serve(sandbox, redis, {"several.test": addresses},
                        VERVE_CALLBACKS_ALLOW="127.0.0.0/8, ::1")
    put(redis, f"http://several.test:{port}/")
    wait_until(reporter.callbacks, "the attempt has ended")
    (line,) = reporter.callbacks()
    assert (line["attempt"], line["status"]) == ("1", "200"), line
    wait_until(lambda: is_settled(redis), "it is settled")
