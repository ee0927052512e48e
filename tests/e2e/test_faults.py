"""The report while disks, clocks, Redis and reporters fail: the file has one
line for each window, in order, and each count is exact or a gap."""

import os
import random
import time
from pathlib import Path

import pytest
from harness.counts import count
from harness.edge import right_clock
from harness.expected import Expected
from harness.fastcgi import Responder
from harness.kafka import MockKafka, read_counts
from harness.namespace import inside, needs_mounts
from harness.preload import RedisClock, faketime
from harness.records import (assert_no_window_missing, complete_lines,
                             read_report)
from harness.redis import Redis
from harness.reporter import Reporter
from harness.settings import PATIENT_MS
from harness.strategies import every_strategy, exact_strategies
from harness.wait import wait_for_window_start, wait_until

WINDOW_S = 1
HOUR_S = 3600
LEASE_S = 7
TAKE_OVER_S = 2 * LEASE_S
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S}
REDIS = {"fsync": "always"}


def send_for(expected, seconds, pause_s=0.02):
    """Sends few ids at a steady rate; returns the last window."""
    end = time.monotonic() + seconds
    last = expected.send(0)
    while time.monotonic() < end:
        last = expected.send(random.randrange(8))
        time.sleep(pause_s)
    return last


# Disks and files

FULL_DISK = """
mount -t tmpfs -o size=8k none "$1" &&
yes '#' | head -c 4000 >"$1/unique.log" &&
head -c 4096 /dev/zero >"$1/ballast"
"""


@needs_mounts
def test_a_full_disk_loses_no_window(sandbox, redis, expected):
    """The disk has two pages: one is ballast, the other has room for a line and
    a half."""
    folder = sandbox.folder / "disk"
    folder.mkdir()
    reporter = Reporter(sandbox, redis, before=inside(
        f"{{ {FULL_DISK.strip()}; }}", folder),
        VERVE_FILE_PATH=folder / "unique.log").start()
    disk = Path(f"/proc/{reporter.process.pid}/root{folder}")
    clean = sandbox.folder / "clean.txt"

    def report():
        lines = complete_lines(disk / "unique.log")
        clean.write_text("".join(f"{x}\n" for x in lines if x != "#"))
        return read_report(clean)

    send_for(expected, 3.5 * WINDOW_S)
    assert len(report()) <= 1
    assert "No space left on device" in reporter.process.output()
    wait_until(lambda: (disk / "unique.log").read_text().endswith("\n"),
               "what was half written is cut")
    (disk / "ballast").unlink()
    last = expected.send(9)
    wait_until(lambda: last in report(), "all is written")
    expected.check(report())
    reporter.process.wait_output("works again")


def test_rotation_and_removal_lose_no_line(sandbox, expected, reporter):
    path = reporter.report_path
    generations = []
    for step in range(6):
        send_for(expected, 0.6)
        wait_until(path.exists, "there is a line")
        generations.append(path.with_name(f"generation-{step}"))
        os.link(path, generations[-1])
        if step % 2:
            os.replace(path, path.with_name(path.name + ".1"))
        else:
            path.unlink()
        if step % 4 < 2:
            reporter.process.hup()
    reporter.wait_reported(send_for(expected, 0.1))
    whole = sandbox.folder / "whole.txt"
    whole.write_text("".join(f.read_text() for f in [*generations, path]))
    expected.check(read_report(whole))


# Redis

def stop_and_start(redis):
    redis.stop()
    time.sleep(5.2 * WINDOW_S)
    redis.start()


def freeze_and_thaw(redis):
    redis.freeze()
    time.sleep(5.2 * WINDOW_S)
    redis.thaw()


@pytest.mark.parametrize("fault", [stop_and_start, freeze_and_thaw])
def test_redis_away_for_five_windows_loses_no_count(redis, expected, reporter,
                                                    fault):
    send_for(expected, 1.5 * WINDOW_S)
    fault(redis)
    wait_until(lambda: expected.responder.ask("/readyz").status == 200,
               "it is ready again")
    expected.check(reporter.wait_reported(send_for(expected, 1.5 * WINDOW_S)))


def test_an_emptied_redis_makes_gaps_only(sandbox, redis, expected, reporter):
    """FLUSHALL: windows whose data was lost are gaps, and no count is wrong."""
    other = Reporter(sandbox, redis, name="other").start()
    send_for(expected, 2.3 * WINDOW_S)
    redis("FLUSHALL")
    flushed = max(expected.ids)
    last = send_for(expected, 3.3 * WINDOW_S)
    for one in (reporter, other):
        report = one.wait_reported(last)
        assert_no_window_missing(report, WINDOW_S)
        gaps = [window for window, count in report.items() if count is None]
        assert gaps and min(gaps) >= flushed - WINDOW_S
        assert max(gaps) <= flushed + WINDOW_S
        for window, counted in report.items():
            assert window in gaps or counted == expected.count(window), window
        assert set(expected.ids) <= set(report)
    assert redis("HGET", f"verve:sink:file:{os.uname().nodename}:"
                 f"{reporter.report_path}", "cursor")


def test_an_emptied_redis_and_a_new_reporter_leave_no_hole(sandbox, redis,
                                                           expected, reporter):
    """A reporter that starts right after that can't know what is missing. The
    file of the other reporter still has a line for each window."""
    reporter.wait_reported(send_for(expected, 1.5 * WINDOW_S))
    wait_for_window_start(redis, WINDOW_S)
    lost = expected.send(1)
    reporter.process.freeze()
    redis("FLUSHALL")
    time.sleep(2 * WINDOW_S)
    other = Reporter(sandbox, redis, name="other").start()
    other.wait_reported(send_for(expected, 1.2 * WINDOW_S))
    reporter.process.thaw()
    report = reporter.wait_reported(send_for(expected, 0.1))
    assert_no_window_missing(report, WINDOW_S)
    assert report[lost] is None


# Clocks

@right_clock
@pytest.mark.parametrize("offset_s", [-3600, 3600])
def test_wrong_clocks_change_nothing(sandbox, redis, expected, offset_s):
    """The clocks of the reporter and of one of two responders are wrong."""
    right = expected
    wrong = Expected(Responder(sandbox, redis, "wrong",
                               **faketime(-offset_s)).start())
    wrong.ids = right.ids
    reporter = Reporter(sandbox, redis, **faketime(offset_s)).start()
    now = time.time()
    for number in range(40):
        last = random.choice([right, wrong]).send(number // 2)
        time.sleep(0.05)
    assert abs(last - now) < 10
    right.check(reporter.wait_reported(last))
    # A reporter that used its own clock, which is ahead, would mark all.
    assert not all(line.endswith(" late")
                   for line in complete_lines(reporter.report_path))


def test_steps_of_redis_clock_change_no_count(sandbox):
    """The clock steps by seconds: each window is reported once, and the counts
    in the report are those in Redis in the end."""
    clock = RedisClock(sandbox)
    redis = Redis(sandbox, environment=clock.environment).start()
    expected = Expected(Responder(sandbox, redis).start())
    reporter = Reporter(sandbox, redis).start()
    seen = {}
    for step in (2.5, -1.5, 0.7, -3, 3, 1.2, -2, 0):
        clock.step_to(step)
        send_for(expected, 1.2)
        report = reporter.report()
        assert list(report.items())[:len(seen)] == list(seen.items())
        seen = report
    last = expected.send(9)
    expected.check(reporter.wait_reported(last))
    for window, number in reporter.report().items():
        assert count(redis, window) == number
    assert reporter.process.output().count("gaps") == 0


@every_strategy
@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.parametrize("ahead_h,retention_h", [(5, 24), (48, 1)])
def test_redis_clock_far_ahead_ends_one_window_early(sandbox, ahead_h,
                                                     retention_h, is_asked):
    """Redis expires ids meanwhile, in the second case counts, too. With or
    without requests meanwhile, all counts in the report are exact, and a single
    window begins early."""
    clock = RedisClock(sandbox)
    half_s = HOUR_S / 2 - time.time() % HOUR_S
    clock.step_to(half_s)  # no window ends meanwhile
    redis = Redis(sandbox, environment=clock.environment).start()
    settings = {"VERVE_WINDOW_SECONDS": HOUR_S,
                "VERVE_WINDOW_RETENTION_HOURS": retention_h}
    expected = Expected(Responder(
        sandbox, redis, VERVE_DEDUP_LOCAL_CACHE_IDS=0, **settings).start(),
        HOUR_S)
    first = expected.send(*range(20))
    keys = redis("KEYS", "*")
    clock.step_to(half_s + ahead_h * HOUR_S)
    if is_asked:
        assert expected.send(5) > first + HOUR_S
    redis("EXISTS", *keys)  # Redis deletes expired keys
    clock.step_to(half_s)
    expected.send(*range(10, 35))
    assert set(expected.ids) - {first, first + ahead_h * HOUR_S} == \
        {first + HOUR_S}
    reporter = Reporter(sandbox, redis, **settings).start()
    is_kept = retention_h > ahead_h
    assert reporter.wait_reported(first)[first] == (20 if is_kept else None)
    clock.step_to(half_s + 2 * HOUR_S)
    report = reporter.wait_reported(first + HOUR_S)
    assert report[first + HOUR_S] == 25
    assert list(report) == [first, first + HOUR_S]


class Blip:
    """A Redis whose clock is 5 s into a window of 60 s, so that no window ends
    in a test, and a responder that has no memory of its own."""

    WINDOW_S = 60
    IDS = range(520)  # with two canaries

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.clock = RedisClock(sandbox)
        self.right_s = 5 - time.time() % self.WINDOW_S
        self.clock.step_to(self.right_s)
        self.redis = Redis(sandbox, environment=self.clock.environment,
                           enable_debug_command="yes").start()
        self.settings = {"VERVE_WINDOW_SECONDS": self.WINDOW_S}
        self.expected = Expected(Responder(
            sandbox, self.redis, VERVE_DEDUP_LOCAL_CACHE_IDS=0,
            **self.settings).start(), self.WINDOW_S)
        self.window = self.expected.send(*self.IDS)

    def forget(self, strategy):
        """The clock is an hour ahead for a moment. Redis deletes expired keys
        in any order; here all of the window are gone but `whole`."""
        keys = [key for key in self.redis("KEYS", "*")
                if key != f"verve:{{0}}:whole:{strategy}:{self.window}"]
        self.redis("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        self.clock.step_to(self.right_s + HOUR_S)
        self.redis("EXISTS", *keys)
        self.clock.step_to(self.right_s)
        self.redis("DEBUG", "SET-ACTIVE-EXPIRE", 1)

    def report_after(self, seconds):
        """Ends the window; starts a reporter so many seconds later."""
        self.clock.step_to(self.right_s + self.WINDOW_S + seconds)
        reporter = Reporter(self.sandbox, self.redis, **self.settings).start()
        return reporter.wait_reported(self.window)[self.window]


@exact_strategies
@pytest.mark.parametrize("is_asked", [True, False])
def test_ids_forgotten_in_a_blip_of_redis_clock(sandbox, strategy, is_asked):
    """If ids come again, they are counted twice. If not, the count is right, but
    not always known to be."""
    blip = Blip(sandbox)
    blip.forget(strategy)
    if is_asked:
        assert blip.expected.send(*blip.IDS) == blip.window
        assert count(blip.redis, blip.window) == 2 * len(blip.IDS)
        assert blip.report_after(0) is None
    else:
        assert blip.report_after(0) in (None, len(blip.IDS))


@exact_strategies
@pytest.mark.parametrize("windows_later", [0.9, 5])
def test_a_late_report_of_a_restarted_redis_is_no_gap(sandbox, windows_later):
    """No reporter runs for so long. In the second case all but the count has
    expired in time."""
    blip = Blip(sandbox)
    blip.redis.stop()
    blip.redis.start()
    wait_until(lambda: blip.expected.responder.ask("/readyz").status == 200,
               "it is ready again")
    assert blip.expected.send(*range(300, 800)) == blip.window
    assert blip.report_after(windows_later * blip.WINDOW_S) == 800


# Several reporters

class Pair:
    """Two reporters that write to one Kafka topic."""

    def __init__(self, sandbox, redis):
        self.kafka = MockKafka(sandbox)
        self.redis = redis
        self.key = f"verve:sink:kafka:{self.kafka.topic}"
        self.reporters = [
            Reporter(sandbox, redis, name, VERVE_REDIS_TIMEOUT_MS=PATIENT_MS,
                     **self.kafka.settings).start()
            for name in ("one", "two")]

    def leader(self):
        owner = self.redis("HGET", self.key, "owner")
        return next(reporter for reporter in self.reporters
                    if f":{reporter.worker('reports')}:" in owner)

    def cursor(self):
        return int(self.redis("HGET", self.key, "cursor") or 0)

    def wait_taken_over(self, cursor, seconds=TAKE_OVER_S):
        """Waits until the cursor is after `cursor`."""
        wait_until(lambda: self.cursor() > cursor, "another one has taken over",
                   seconds)

    def counts(self):
        """{window: count}. A message may be repeated, but the first of each
        window are in order."""
        report = {}
        for message in self.kafka.messages():
            ((window, count),) = read_counts([message]).items()
            assert window in report or not report or window > max(report)
            assert report.setdefault(window, count) == count
        return report


@pytest.fixture
def pair(sandbox, redis):
    return Pair(sandbox, redis)


def test_another_takes_over(pair, expected):
    wait_until(lambda: pair.cursor() > 0, "there is a leader")
    leader = pair.leader()
    leader.kill()
    pair.wait_taken_over(pair.cursor() + WINDOW_S)
    assert pair.leader() is not leader
    leader.start()
    last = send_for(expected, WINDOW_S)
    wait_until(lambda: pair.cursor() >= last, "it is reported")
    expected.check(pair.counts())


def test_an_orderly_end_hands_over_at_once(pair):
    wait_until(lambda: pair.cursor() > 0, "there is a leader")
    leader = pair.leader()
    pid = leader.worker("reports")
    assert leader.term() == 0
    owner, end_ms = pair.redis("HMGET", pair.key, "owner", "lease_end_ms")
    assert end_ms == "0" or f":{pid}:" not in owner
    pair.wait_taken_over(pair.cursor(), LEASE_S - 2)


def test_a_leader_paused_past_its_lease_leads_no_more(pair, expected):
    """It moves no cursor, and notices that it has lost the lease."""
    wait_until(lambda: pair.cursor() > 0, "there is a leader")
    paused = pair.leader()
    paused.process.freeze()
    pair.wait_taken_over(pair.cursor() + WINDOW_S)
    before = pair.cursor()
    paused.process.thaw()
    paused.process.wait_output(
        f"kafka:{pair.kafka.topic}: no longer ours to write")
    assert pair.cursor() >= before
    assert pair.leader() is not paused
    last = send_for(expected, WINDOW_S)
    wait_until(lambda: pair.cursor() >= last, "it is reported")
    expected.check(pair.counts())


def test_a_message_under_way_is_dropped_with_the_lease(pair, expected):
    """A message that is not sent yet is dropped with the lease: the next leader
    sends it."""
    wait_until(lambda: pair.cursor() > 0, "there is a leader")
    pair.kafka.tell("down")
    send_for(expected, 1.5 * WINDOW_S)
    paused = pair.leader()
    paused.process.freeze()
    wait_until(lambda: pair.leader() is not paused, "another has the lease",
               TAKE_OVER_S)
    paused.process.thaw()
    paused.process.wait_output("no longer ours")
    pair.kafka.tell("up")
    last = send_for(expected, WINDOW_S)
    wait_until(lambda: pair.cursor() >= last, "it is reported")
    expected.check(pair.counts())
