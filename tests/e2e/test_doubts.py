"""The report if data can't be true or can't be read: windows in the future,
counts that are gone, a Redis that refuses. The reporter goes on, logs it once,
and never writes a wrong number."""

import time

import pytest
from harness.expected import Expected
from harness.fastcgi import Responder
from harness.preload import RedisClock, faketime
from harness.records import complete_lines, read_report
from harness.redis import Redis
from harness.reporter import Reporter
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 1}
FUTURE = ("2036-01-01T00:01:00.000Z INFO Unique requests in the last minute: 5"
          " window=2036-01-01T00:00:00Z\n")


@pytest.fixture
def clock(sandbox):
    """The clock of stepped_redis."""
    return RedisClock(sandbox)


@pytest.fixture
def stepped_redis(sandbox, clock):
    return Redis(sandbox, environment=clock.environment).start()


def make_expected(sandbox, redis, window_s, **settings):
    return Expected(Responder(sandbox, redis, VERVE_WINDOW_SECONDS=window_s,
                              **settings).start(), window_s)


def test_a_line_of_the_future_harms_nobody(sandbox, redis, expected):
    """Neither its own reporter, which logs it once, nor the others."""
    healthy = Reporter(sandbox, redis, "healthy").start()
    odd = Reporter(sandbox, redis, "odd")
    odd.report_path.write_text(FUTURE)
    odd.start()
    first = expected.send(1, 2)
    wait_until(lambda: expected.send(7) > first + 2, "windows", pause_s=0.2)
    report = healthy.wait_reported(first + 2)
    assert None not in report.values()
    assert report[first] == expected.count(first)
    odd.process.wait_output("seems to have the window 2036-01-01T00:00:00Z")
    assert odd.process.output().count("2036-01-01") == 1
    own = odd.report_path.with_suffix(".own")

    def own_report():
        own.write_text(odd.report_path.read_text().replace(FUTURE, ""))
        return read_report(own)

    wait_until(lambda: first in own_report(), "its line")
    assert own_report()[first] == expected.count(first)


def test_a_line_of_the_future_is_noticed_if_records_wait(sandbox, redis,
                                                         expected):
    """The line is noticed even if records wait from the start."""
    healthy = Reporter(sandbox, redis, "healthy").start()
    healthy.wait_reported(expected.send(1))
    odd = Reporter(sandbox, redis, "odd")
    odd.report_path.write_text(FUTURE)
    odd.start()
    odd.process.wait_output("seems to have the window 2036-01-01T00:00:00Z")


def test_a_cursor_of_the_future_is_replaced(sandbox, redis, expected):
    reporter = Reporter(sandbox, redis).start()
    reporter.wait_reported(expected.send(1))
    (key,) = redis("KEYS", "verve:sink:file:*")
    assert reporter.term() == 0
    redis("HSET", key, "cursor", int(time.time()) + 10**6)
    reporter.start()
    expected.check(reporter.wait_reported(expected.send(2, 3)))
    reporter.process.wait_output("which is far ahead of Redis's clock")
    wait_until(lambda: int(redis("HGET", key, "cursor")) < time.time(),
               "it is replaced")


def test_a_cursor_that_is_no_number_is_logged(sandbox, redis, expected):
    reporter = Reporter(sandbox, redis).start()
    reporter.wait_reported(expected.send(1))
    (key,) = redis("KEYS", "verve:sink:file:*")
    good = wait_until(lambda: redis("HGET", key, "cursor"), "it is saved")
    redis("HSET", key, "cursor", "abc")
    reporter.process.wait_output(f"{key}: its cursor is no number")
    redis("HSET", key, "cursor", good)
    expected.check(reporter.wait_reported(expected.send(2)))


def test_a_clock_that_was_ahead_is_logged(sandbox, clock, stepped_redis):
    redis = stepped_redis
    expected = make_expected(sandbox, redis, 1)
    reporter = Reporter(sandbox, redis).start()
    reporter.wait_reported(expected.send(1))
    clock.step_to(3600)
    wait_until(lambda: expected.send(2) > time.time() + 3000, "it is ahead")
    wait_until(lambda: max(reporter.report()) > time.time() + 3000,
               "windows ahead are reported", 60.0)
    clock.step_to(0)
    reporter.process.wait_output(
        "Redis's clock has stepped back; the next one ends in 3")
    time.sleep(2.5)
    assert reporter.process.output().count("has stepped back") == 1
    # After FLUSHALL windows of the right time are reported.
    redis("FLUSHALL")
    expected.ids.clear()
    wait_until(lambda: abs(expected.send(3) - time.time()) < 3, "of now")
    last = expected.send(3, 4)
    wait_until(lambda: f"window={time.strftime('%FT%TZ', time.gmtime(last))}"
               in reporter.report_path.read_text(), "it is reported")


def test_an_expired_count_is_a_gap(sandbox, clock, stepped_redis):
    """The responder keeps counts for an hour, the reporter windows for a
    week."""
    expected = make_expected(sandbox, stepped_redis, 60,
                             VERVE_WINDOW_RETENTION_HOURS=1)
    reporter = Reporter(sandbox, stepped_redis,
                        VERVE_WINDOW_SECONDS=60).start()
    assert reporter.term() == 0
    window = expected.send(1, 2, 3)
    clock.step_to(2 * 3600)
    expected.send(9)
    reporter.start()
    report = reporter.wait_reported(window + 3600)
    assert report[window] is None
    assert report[window + 60] == 0


def test_windows_that_a_sink_skips_are_logged_once(sandbox, clock,
                                                   stepped_redis):
    """Three hours without the file, of which one hour is kept."""
    reporter = Reporter(sandbox, stepped_redis, VERVE_WINDOW_SECONDS=60,
                        VERVE_WINDOW_RETENTION_HOURS=1).start()
    clock.step_to(120)
    wait_until(lambda: complete_lines(reporter.report_path), "a line")
    reporter.report_path.unlink()
    reporter.report_path.mkdir()
    clock.step_to(3 * 3600)
    reporter.process.wait_output(
        "skipped: their records are past the retention")
    time.sleep(3)
    output = reporter.process.output()
    assert output.count("skipped: their records") == 1
    reporter.report_path.rmdir()
    wait_until(lambda: len(complete_lines(reporter.report_path)) >= 58,
               "what is kept is written")


@pytest.mark.parametrize("command", ["xrange", "hset"])
def test_a_refusal_of_redis_is_logged(sandbox, redis, expected, command):
    reporter = Reporter(sandbox, redis).start()
    reporter.wait_reported(expected.send(1))
    redis("ACL", "SETUSER", "default", f"-{command}")
    # Redis's own text, which depends on its release, follows.
    reporter.process.wait_output(f"({redis.path}): ERR ")
    redis("ACL", "SETUSER", "default", f"+{command}")
    expected.check(reporter.wait_reported(expected.send(2)))
    reporter.process.wait_output("works again")


def test_steps_of_the_local_clock_change_nothing(sandbox, redis):
    """An hour ahead, and an hour back."""
    expected = make_expected(sandbox, redis, 2)
    offset = sandbox.folder / "offset"
    offset.write_text("+0s")
    settings = faketime(0)
    del settings["FAKETIME"]
    reporter = Reporter(
        sandbox, redis, **settings, FAKETIME_TIMESTAMP_FILE=offset,
        FAKETIME_NO_CACHE=1, VERVE_WINDOW_SECONDS=2).start()
    reporter.wait_reported(expected.send(1))
    for step in ("+3600s", "-3600s"):
        offset.write_text(step)
        expected.check(reporter.wait_reported(expected.send(2, 3)))
    assert "late" not in reporter.report_path.read_text()
    hours = {line[11:13] for line in complete_lines(reporter.report_path)}
    assert len(hours) >= 2  # the reporter has used those clocks


def test_windows_of_a_downtime_are_reported_later(sandbox, redis, expected):
    reporter = Reporter(sandbox, redis).start()
    first = expected.send(1)
    reporter.wait_reported(first)
    assert reporter.term() == 0
    wait_until(lambda: expected.send(5) > first + 6, "windows", pause_s=0.3)
    reporter.start()
    expected.check(reporter.wait_reported(expected.send(6)))


def test_a_redis_without_its_data_makes_gaps_only(sandbox):
    """Lost windows are gaps, and the report goes on."""
    redis = Redis(sandbox, appendonly="no").start()
    expected = make_expected(sandbox, redis, 1)
    reporter = Reporter(sandbox, redis).start()
    reporter.wait_reported(expected.send(1))
    lost = expected.send(2, 3)
    redis.kill()
    redis.start()
    wait_until(lambda: expected.responder.ask("/readyz").status == 200, "up")
    last = max(lost, expected.send(4)) + 2
    wait_until(lambda: expected.send(5) >= last, "windows", pause_s=0.2)
    report = reporter.wait_reported(last)
    for window, count in report.items():
        assert count in (None, expected.count(window)), window
    assert report[last] == expected.count(last)
