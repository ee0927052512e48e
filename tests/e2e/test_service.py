"""Both programs under a service manager: what they tell it (sd_notify(3)), and
what its watchdog can rely on. The manager is harness.manager."""

import itertools
import os
import signal
import time

import pytest
from harness.fastcgi import Responder
from harness.load import Load, accept
from harness.manager import Instances, Manager, activated
from harness.redis import Redis
from harness.reporter import Reporter
from harness.servers import every_server
from harness.settings import FCGI, scaled
from harness.wait import wait_until

# A turn of a loop may take as long as several of these.
QUICK = {"VERVE_REDIS_TIMEOUT_MS": 50}
WATCHDOG_S = 1.0


def responder_of(manager, sandbox, redis, **settings):
    return Responder(sandbox, redis, **manager.settings, **settings).start()


def reporter_of(manager, sandbox, redis, **settings):
    return Reporter(sandbox, redis, **manager.settings, **settings).start()


def beats(manager, seconds):
    """How often WATCHDOG=1 is said in that time."""
    manager.forget()
    time.sleep(seconds)
    return manager.read().count("WATCHDOG=1")


def test_a_responder_says_what_it_does(sandbox, redis):
    manager = Manager(sandbox)
    responder = responder_of(manager, sandbox, redis)
    manager.wait("READY=1")
    assert "STATUS=Serves" in manager.read()
    redis.kill()
    manager.wait("STATUS=Redis does not answer: nothing is counted")
    manager.forget()
    redis.start()
    manager.wait("STATUS=Serves")
    responder.process.signal(signal.SIGTERM)
    assert responder.process.wait() == 0
    assert manager.read()[-2:] == ["STOPPING=1",
                                   "STATUS=Answers what has arrived"]
    assert manager.lines.count("STATUS=Serves") == 1
    assert "WATCHDOG=1" not in manager.lines


@pytest.mark.parametrize("kind", [responder_of, reporter_of])
def test_ready_without_redis(sandbox, kind):
    """To be away is no reason to be started again and again."""
    redis = Redis(sandbox)
    manager = Manager(sandbox)
    kind(manager, sandbox, redis)
    manager.wait("READY=1")


@pytest.mark.parametrize("kind", [responder_of, reporter_of])
def test_not_ready_with_a_redis_that_cannot_be_used(sandbox, kind):
    redis = Redis(sandbox, maxmemory_policy="allkeys-lru").start()
    manager = Manager(sandbox)
    with pytest.raises(AssertionError):
        kind(manager, sandbox, redis)
    assert sandbox.started[-1].wait() == 100
    assert "READY=1" not in manager.read()


def test_a_manager_that_cannot_be_reached_ends_nothing(sandbox, redis):
    responder = Responder(sandbox, redis, NOTIFY_SOCKET="vsock:2:1").start()
    assert responder.ask("/api/verve/accept?id=7").body == b"ok"
    assert "cannot reach the service manager" in responder.process.output()
    reporter = Reporter(sandbox, redis, NOTIFY_SOCKET="/nowhere/x").start()
    assert reporter.term() == 0


def test_the_watchdog_sees_a_responder_that_hangs(sandbox, redis):
    """But no Redis that hangs."""
    manager = Manager(sandbox, WATCHDOG_S)
    responder = responder_of(manager, sandbox, redis, **QUICK)
    manager.wait("WATCHDOG=1")
    redis.freeze()
    for _ in range(3):
        assert responder.ask("/api/verve/accept?id=7").status == 503
    manager.forget()
    manager.wait("WATCHDOG=1")
    redis.thaw()
    responder.process.freeze()
    assert beats(manager, 3 * WATCHDOG_S) == 0
    responder.process.thaw()
    manager.wait("WATCHDOG=1")


@pytest.mark.parametrize("timeout_ms,least_s", [(250, None), (10000, 80)])
def test_a_watchdog_has_to_allow_for_the_time_limits(sandbox, redis,
                                                     timeout_ms, least_s):
    manager = Manager(sandbox, 30.0)
    responder_of(manager, sandbox, redis, VERVE_REDIS_TIMEOUT_MS=timeout_ms)
    manager.wait("READY=1")
    said = [line for line in manager.read() if "WATCHDOG" in line]
    assert said == ([f"WATCHDOG_USEC={least_s}000000"] if least_s else [])


def test_two_sockets_are_one_too_many(sandbox, redis):
    process = sandbox.start("fcgi", activated(FCGI, sockets=2),
                            {"VERVE_REDIS_URL": redis.url},
                            stdin=Responder(sandbox, redis).listener)
    assert process.wait() == 100
    assert "2 sockets were passed (LISTEN_FDS): this program serves one" in \
        process.output()


@every_server
def test_a_restart_loses_no_request(sandbox, redis, make_web):
    """One instance at a time, or all: what comes meanwhile waits in the
    listener, which is the manager's."""
    instances = Instances(sandbox, redis).start(2)
    web = make_web(sandbox, redis, VERVE_FCGI="",
                   VERVE_SOCKET=instances.path).start()
    load = Load(sandbox, [web.host], map(accept, range(scaled(30000))))
    restarts = 0
    for count in itertools.cycle([1, 1, 2]):
        if not load.process.running():
            break
        instances.restart(count)
        assert not os.get_blocking(instances.listener.fileno())
        restarts += 1
    load.finish()
    assert restarts > 3, "the load was too short"
    assert [row for row in load.rows if not row.ok] == []


def test_a_reporter_says_what_it_does(sandbox, redis):
    manager = Manager(sandbox)
    reporter = reporter_of(manager, sandbox, redis)
    manager.wait("STATUS=All 2 workers run")
    assert manager.read().count("READY=1") == 1
    manager.forget()
    killed = reporter.worker()
    os.kill(killed, signal.SIGKILL)
    manager.wait("STATUS=callbacks-1 has ended: signal 9")
    reporter.wait_restarted("callbacks-1", killed)
    manager.wait("STATUS=All 2 workers run")
    assert "READY=1" not in manager.read()
    manager.forget()
    assert reporter.term() == 0
    assert manager.read() == ["STOPPING=1",
                              "STATUS=Finishes the work in progress"]


def test_a_reload_ends_when_all_workers_have_obeyed(sandbox, redis):
    manager = Manager(sandbox)
    reporter = reporter_of(manager, sandbox, redis)
    manager.wait("STATUS=All 2 workers run")
    manager.forget()
    before_us = time.monotonic() * 1e6
    reporter.process.hup()
    manager.wait("READY=1")
    told = manager.read()
    assert [line.partition("=")[0] for line in told] == \
        ["RELOADING", "MONOTONIC_USEC", "READY"]
    assert before_us <= int(told[1].partition("=")[2]) <= \
        time.monotonic() * 1e6
    stopped = reporter.worker()
    os.kill(stopped, signal.SIGSTOP)
    manager.forget()
    reporter.process.hup()
    manager.wait("RELOADING=1")
    time.sleep(0.5)
    assert "READY=1" not in manager.read()
    os.kill(stopped, signal.SIGKILL)  # the next one opens files anew
    manager.wait("READY=1")


def test_the_watchdog_sees_a_supervisor_that_hangs(sandbox, redis):
    """A worker that hangs is for the supervisor, which goes on."""
    manager = Manager(sandbox, 2 * WATCHDOG_S)
    reporter = reporter_of(manager, sandbox, redis)
    os.kill(reporter.worker(), signal.SIGSTOP)
    manager.forget()
    manager.wait("WATCHDOG=1")
    os.kill(reporter.worker(), signal.SIGCONT)
    os.kill(reporter.process.pid, signal.SIGSTOP)
    assert beats(manager, 6 * WATCHDOG_S) == 0
    # What systemd does (systemd.service(5), WatchdogSignal=).
    os.kill(reporter.process.pid, signal.SIGABRT)
    os.kill(reporter.process.pid, signal.SIGCONT)
    assert reporter.process.wait() == -signal.SIGABRT
    wait_until(lambda: not reporter.workers(), "its workers end, too")
