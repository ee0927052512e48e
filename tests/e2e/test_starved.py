"""The reporter lacks local ports: that costs no attempt, but not for ever. An
address that can't be reached is not such a case."""

import time

import pytest
from harness.namespace import needs_network, without_ipv6
from harness.preload import preload
from harness.queue import dead, due, is_settled, put
from harness.reporter import Reporter
from harness.settings import BUILD
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600,
            "VERVE_CALLBACKS_RETRY_DELAYS_S": "1"}
DUAL = "dual.test"
CALM_S = 5.0  # without a shortage, before its end is said


def attempts(reporter, job):
    return [(line["attempt"], line["status"], line["error"])
            for line in reporter.callbacks() if line["job"] == job]


@needs_network
@pytest.mark.parametrize("host", ["[::1]", DUAL])
def test_without_ipv6_it_is_a_failed_connection(sandbox, redis, host):
    """connect() fails with the error of a lack of ports. IPv4 is refused."""
    hosts = sandbox.folder / "hosts"
    hosts.write_text(f"127.0.0.1 {DUAL}\n::1 {DUAL}\n")
    reporter = Reporter(sandbox, redis, before=without_ipv6(hosts),
                        VERVE_CALLBACKS_ALLOW="127.0.0.0/8,::1").start()
    (job,) = put(redis, f"http://{host}:9/")
    wait_until(lambda: dead(redis) == {job: "connect"}, "it is given up")
    assert attempts(reporter, job) == [("1", "-", "connect"),
                                       ("2", "-", "connect")]
    assert "trying again" not in reporter.process.output()


@pytest.fixture
def no_ports(sandbox):
    """A file. While it exists, a reporter with portless() has no ports."""
    path = sandbox.folder / "no-ports"
    path.touch()
    return path


def portless(path):
    return {**preload(BUILD / "tests" / "preload" / "ports.so"),
            "NO_PORTS_FILE": path}


def test_no_ports_for_a_while_cost_no_attempt(sandbox, redis, receiver,
                                              no_ports):
    """No attempt is used, and the lack is logged."""
    reporter = Reporter(sandbox, redis, **portless(no_ports)).start()
    (job,) = put(redis, receiver.url())
    wait_until(lambda: due(redis).get(job, " ")[0] == "-", "it is given back")
    assert due(redis)[job][1] == 0
    no_ports.unlink()
    wait_until(lambda: is_settled(redis), "it is delivered")
    assert len(receiver.received) == 1
    assert attempts(reporter, job)[0] == ("1", "-", "starved")
    assert attempts(reporter, job)[-1] == ("1", "200", "-")
    assert "Cannot assign requested address" in reporter.process.output()


def test_a_lack_of_ports_is_not_blamed_on_the_next_job(sandbox, redis,
                                                       receiver, no_ports):
    """libcurl keeps the errno of an earlier transfer."""
    reporter = Reporter(sandbox, redis, **portless(no_ports)).start()
    (starved,) = put(redis, receiver.url())
    wait_until(lambda: attempts(reporter, starved), "it has no port")
    (refused,) = put(redis, "http://10.0.0.1/")
    wait_until(lambda: dead(redis).get(refused) == "refused", "it is dead")


def test_without_any_port_a_job_is_given_up(sandbox, redis, receiver,
                                            no_ports):
    """A job is returned a limited number of times; then attempts count."""
    reporter = Reporter(sandbox, redis, **portless(no_ports)).start()
    (job,) = put(redis, receiver.url())
    wait_until(lambda: dead(redis) == {job: "starved"}, "it is given up", 15.0)
    assert attempts(reporter, job) == \
        [("1", "-", "starved")] * 3 + [("2", "-", "starved")]
    assert receiver.connections == 0


def test_the_end_of_a_shortage_is_an_answer(sandbox, redis, receiver, no_ports):
    """Not that nothing is left to send."""
    reporter = Reporter(sandbox, redis, **portless(no_ports)).start()
    (job,) = put(redis, receiver.url())
    wait_until(lambda: dead(redis) == {job: "starved"}, "it is given up", 15.0)
    time.sleep(CALM_S + 1.0)
    assert "works again" not in reporter.process.output()
    no_ports.unlink()
    put(redis, receiver.url())
    reporter.process.wait_output("callbacks: works again")
    assert len(receiver.received) == 1
