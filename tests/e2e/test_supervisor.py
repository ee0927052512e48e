"""The processes of verve-reporter: a supervisor, one worker that reports, and
workers that deliver."""

import os
import signal
import time
from pathlib import Path

import pytest
from harness.process import name_of, processes_of_group, stat_fields
from harness.queue import PROVEN, dead, due, is_settled, put, standing
from harness.receiver import Answer
from harness.redis import Redis
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.wait import wait_until

WINDOW_S = 1
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S, **QUICK_CALLBACKS}
# No attempt ends before its answer on a slow machine, and would be repeated.
PATIENT_CALLBACKS = {"VERVE_CALLBACKS_TIMEOUT_MS": 20000,
                     "VERVE_CALLBACKS_CONNECT_TIMEOUT_MS": 20000,
                     "VERVE_CALLBACKS_LEASE_S": 45}
SILENCE_S = 30.0
REPORTS = "reports"


def sockets(pid):
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return [link for link in links if link.startswith("socket:")]


def open_files(pid):
    return {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def wait_report(reporter, count=2):
    """Returns once count more windows are reported."""
    before = len(reporter.report())
    wait_until(lambda: len(reporter.report()) >= before + count,
               "reports go on", 20.0)


def test_the_supervisor_has_workers_and_nothing_else(sandbox, redis):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=2).start()
    pid = reporter.process.pid
    assert set(reporter.workers()) == {REPORTS, "callbacks-1", "callbacks-2"}
    assert name_of(pid) == "verve-reporter"
    assert threads(pid) == 1
    assert not sockets(pid)
    wait_until(lambda: len(standing(redis)) == 2, "both publish")
    assert {int(name.rpartition(":")[2]) for name in standing(redis)} == \
        {reporter.worker("callbacks-1"), reporter.worker("callbacks-2")}
    for name, worker in reporter.workers().items():
        assert f"verve-reporter/{name} pid={worker} " in \
            reporter.process.output()
    assert reporter.term() == 0


def test_a_deliverer_that_hangs_holds_up_no_report(sandbox, redis, receiver):
    """It is killed for its silence; another takes its jobs over."""
    reporter = Reporter(sandbox, redis).start()
    receiver.respond("/slow", Answer(delay_s=1.0), 200)
    ids = put(redis, *(receiver.url("/slow", n + 1) for n in range(8)))
    receiver.wait_count(8)
    stopped = reporter.worker()
    os.kill(stopped, signal.SIGSTOP)
    started = time.monotonic()
    ids += put(redis, *[receiver.url("/later")] * 5)
    wait_report(reporter, 5)
    assert stat_fields(stopped)[0] == "T"
    assert not receiver.at("/later")
    reporter.wait_restarted("callbacks-1", stopped, SILENCE_S + 15.0)
    assert time.monotonic() - started >= SILENCE_S - 2.0
    assert f"callbacks-1[{stopped}] has given no sign of life for 30 s" in \
        reporter.process.output()
    receiver.wait_count(5, "/later")
    wait_until(lambda: is_settled(redis), "all are settled", 20.0)
    assert not dead(redis)
    assert {got.headers["webhook-id"] for got in receiver.received} == set(ids)
    wait_report(reporter)
    assert len(reporter.report()) == \
        (max(reporter.report()) - min(reporter.report())) // WINDOW_S + 1


def test_two_workers_share_the_work(sandbox, redis, receiver):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=2,
                        VERVE_CALLBACKS_PER_HOST_CONCURRENCY=16,
                        **PATIENT_CALLBACKS).start()
    receiver.respond("/", Answer(delay_s=0.05))
    ids = put(redis, *(receiver.url("/", n % 50 + 1) for n in range(3000)))
    wait_until(lambda: is_settled(redis), "all are settled", 60.0)
    got = [request.headers["webhook-id"] for request in receiver.received]
    assert sorted(got) == sorted(ids)
    wait_until(lambda: sum(one["counts"]["delivered"]
                           for one in standing(redis).values()) == 3000,
               "all are published")
    assert len(standing(redis)) == 2
    assert all(one["counts"]["delivered"] > 300
               for one in standing(redis).values())
    assert reporter.term() == 0


def attempts_at_once(sandbox, redis, receiver, hosts, most, **settings):
    """How many attempts are made of far more jobs than one worker claims, a
    second after there are `most`. The destinations have answered before: others
    get half of it."""
    for number in range(hosts):
        url = receiver.url("/", number + 1)
        redis("ZADD", PROVEN, redis.now_ms(), url.rstrip("/"))
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_TIMEOUT_MS=40000,
                        VERVE_CALLBACKS_LEASE_S=90, **settings).start()
    receiver.respond("/", Answer(None))
    put(redis, *(receiver.url("/", n % hosts + 1) for n in range(2000)))
    receiver.wait_count(most, seconds=30.0)
    time.sleep(1.0)
    reporter.kill()
    return len(receiver.received)


@pytest.mark.parametrize("workers,limit,most", [(1, 7, 7), (2, 7, 7),
                                                (4, 7, 7), (3, 1, 3)])
def test_concurrency_is_for_all_workers_together(sandbox, redis, receiver,
                                                 workers, limit, most):
    """But each worker may make an attempt."""
    assert attempts_at_once(
        sandbox, redis, receiver, 250, most, VERVE_CALLBACKS_WORKERS=workers,
        VERVE_CALLBACKS_CONCURRENCY=limit) == most


@pytest.mark.parametrize("workers,limit,most", [(1, 3, 3), (2, 3, 3),
                                                (2, 1, 2)])
def test_per_host_concurrency_is_for_all_workers_together(
        sandbox, redis, receiver, workers, limit, most):
    assert attempts_at_once(
        sandbox, redis, receiver, 1, most, VERVE_CALLBACKS_WORKERS=workers,
        VERVE_CALLBACKS_PER_HOST_CONCURRENCY=limit) == most


@pytest.mark.parametrize("name", [REPORTS, "callbacks-1", "callbacks-2"])
def test_a_killed_worker_is_started_again(sandbox, redis, receiver, name):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=2).start()
    others = reporter.workers()
    killed = others.pop(name)
    receiver.respond("/slow", Answer(delay_s=0.3))
    ids = put(redis, *(receiver.url("/slow", n % 50 + 1) for n in range(300)))
    receiver.wait_count(20)
    os.kill(killed, signal.SIGKILL)
    reporter.wait_restarted(name, killed)
    assert f"{name}[{killed}] has ended: signal 9; " \
        "it is started again in 1 s" in reporter.process.output()
    wait_until(lambda: is_settled(redis), "all are settled", 30.0)
    assert not dead(redis)
    assert {got.headers["webhook-id"] for got in receiver.received} == set(ids)
    wait_report(reporter)
    assert {**reporter.workers(), name: 0} == {**others, name: 0}
    assert reporter.term() == 0


def test_a_worker_that_ends_again_and_again_waits_longer(sandbox, redis):
    reporter = Reporter(sandbox, redis).start()
    for delay_s in 1, 2, 4:
        pid = reporter.worker()
        os.kill(pid, signal.SIGKILL)
        reporter.process.wait_output(
            f"[{pid}] has ended: signal 9; it is started again in {delay_s} s")
        reporter.wait_restarted("callbacks-1", pid)


def test_workers_end_with_a_killed_supervisor(sandbox, redis):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=2).start()
    os.kill(reporter.worker(), signal.SIGSTOP)
    assert len(processes_of_group(reporter.process.pid)) == 4
    reporter.process.kill()
    wait_until(lambda: not processes_of_group(reporter.process.pid),
               "its workers have ended", 5.0)


def run_until_end(sandbox, redis, **settings):
    """A reporter that does not start: (exit code, output)."""
    reporter = Reporter(sandbox, redis, "refused", **settings)
    with pytest.raises(AssertionError):
        reporter.start()
    code = reporter.process.wait()
    wait_until(lambda: not processes_of_group(reporter.process.pid),
               "no worker is left")
    return code, reporter.process.output()


def test_an_unusable_redis_ends_all_before_ready(sandbox):
    redis = Redis(sandbox, maxmemory_policy="allkeys-lru").start()
    code, output = run_until_end(sandbox, redis, VERVE_CALLBACKS_WORKERS=2)
    assert code == 100
    assert 'msg="ready"' not in output
    assert "noeviction" in output.splitlines()[-1]


def test_a_redis_that_became_unusable_ends_no_running_reporter(sandbox, redis,
                                                               receiver):
    reporter = Reporter(sandbox, redis).start()
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    pid = reporter.worker()
    os.kill(pid, signal.SIGKILL)
    reporter.process.wait_output(
        "has ended: exit code 100; it is started again in 2 s")
    assert reporter.process.running()
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    reporter.wait_restarted("callbacks-1", pid, 20.0)
    put(redis, receiver.url())
    receiver.wait_count(1)


def test_no_sinks(sandbox, redis):
    """Windows are recorded all the same."""
    reporter = Reporter(sandbox, redis, VERVE_REPORT_SINKS="none").start()
    wait_until(lambda: redis("XLEN", "verve:windows") >= 2,
               "windows are recorded")
    assert not redis("KEYS", "verve:sink:*")
    assert not Path(reporter.report_path).exists()
    assert reporter.term() == 0


def test_no_workers_for_callbacks(sandbox, redis, receiver):
    """Another reporter delivers."""
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=0).start()
    assert set(reporter.workers()) == {REPORTS}
    put(redis, receiver.url())
    wait_report(reporter, 3)
    assert not receiver.received
    assert not due(redis)
    Reporter(sandbox, redis, "other").start()
    receiver.wait_count(1)
    assert reporter.term() == 0


def test_signals_to_the_whole_group_drain(sandbox, redis, receiver):
    """As a terminal, and systemd by default, send them."""
    reporter = Reporter(sandbox, redis).start()
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGUSR1:
        seen = len(receiver.received)
        receiver.respond("/slow", Answer(delay_s=1.0))
        put(redis, receiver.url("/slow"))
        receiver.wait_count(seen + 1)
        os.kill(reporter.worker(), number)
        time.sleep(0.1)  # the worker reads it before the next one
        os.killpg(reporter.process.pid, number)
        assert reporter.process.wait() == 0
        assert is_settled(redis)
        assert reporter.callbacks()[-1]["status"] == "200"
        reporter.start()


def test_a_second_term_ends_it_at_once(sandbox, redis, receiver):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_TIMEOUT_MS=60000,
                        VERVE_CALLBACKS_LEASE_S=120).start()
    receiver.respond("/", Answer(None))
    put(redis, receiver.url())
    receiver.wait_count(1)
    reporter.process.signal(signal.SIGTERM)
    wait_until(lambda: reporter.worker(REPORTS) is None, "it has read it")
    assert reporter.process.running()
    reporter.process.signal(signal.SIGTERM)
    assert reporter.process.wait(5.0) == 0


def test_term_ends_a_stopped_worker(sandbox, redis):
    reporter = Reporter(sandbox, redis).start()
    os.kill(reporter.worker(), signal.SIGSTOP)
    reporter.process.signal(signal.SIGTERM)
    assert reporter.process.wait() == 0


def test_hup_reaches_all_workers(sandbox, redis, receiver):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=2).start()
    put(redis, receiver.url())
    wait_until(reporter.callbacks, "the first line")
    wait_report(reporter, 1)
    paths = [Path(reporter.report_path), reporter.callback_log]
    old = [path.with_name(f"{path.name}.old") for path in paths]
    for path, new in zip(paths, old):
        path.rename(new)
    reporter.process.hup()
    wait_until(lambda: all(path.exists() for path in paths) and
               not any(open_files(pid) & set(map(str, old))
                       for pid in reporter.workers().values()),
               "all have opened the new files")
    lines = old[1].read_text()
    put(redis, *[receiver.url()] * 200)
    wait_until(lambda: is_settled(redis), "all are settled")
    assert old[1].read_text() == lines
    assert len(reporter.callbacks()) == 200


def test_a_reporter_that_was_stopped_kills_no_worker(sandbox, redis):
    """All its processes were stopped for longer than the limit."""
    reporter = Reporter(sandbox, redis).start()
    before = reporter.workers()
    reporter.process.freeze()
    time.sleep(SILENCE_S + 2.0)
    reporter.process.thaw()
    wait_report(reporter)
    assert reporter.workers() == before
    assert "no sign of life" not in reporter.process.output()
