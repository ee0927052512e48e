"""The report: a line for each window, in order, whatever was away."""

import json
import os
import re
import signal
import time

import pytest
from harness.any_redis import AnyRedis, one_server
from harness.edge import right_clock
from harness.expected import Expected
from harness.fastcgi import Responder
from harness.load import accept
from harness.records import assert_no_window_missing, complete_lines, epoch
from harness.reporter import Reporter
from harness.settings import PATIENT_MS
from harness.strategies import every_strategy
from harness.wait import wait_for_window_start, wait_until

WINDOW_S = 1
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S}
REDIS = {"fsync": "always"}
FOLLOWS = "a reporter waits for a failover that it may not have heard of yet"
NOISE_S = 1.0  # what a shared machine may add


@every_strategy
def test_counts_unique_ids_and_zeros(expected, reporter):
    expected.send(1, 2, 2, 3, 1)
    time.sleep(2 * WINDOW_S)
    last = expected.send(1, 2)
    expected.check(reporter.wait_reported(last))


@right_clock
@one_server(FOLLOWS)
def test_a_line_is_out_within_a_second_of_the_end(responder, reporter):
    first = Expected(responder).send(1) + WINDOW_S
    reporter.wait_reported(first + 4 * WINDOW_S)
    delays = []
    for line in complete_lines(reporter.report_path):
        start = epoch(line.split("window=")[1][:20])
        written = epoch(line[:19] + "Z") + float("0" + line[19:23])
        if start >= first:  # all had started by then
            delays.append(written - start - WINDOW_S)
    assert min(delays) >= -0.05
    assert sorted(delays)[len(delays) // 2] < 0.5
    assert max(delays) < 1.0 + NOISE_S


def test_json_lines_have_all_members(sandbox, redis, expected):
    reporter = Reporter(sandbox, redis, VERVE_FILE_FORMAT="json").start()
    window = expected.send(1, 2)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(window))
    line = re.compile('{"unique_request_count":%d,"window_start":"%s",'
                      '"window_seconds":1,"late":(false|true)}'
                      % (expected.count(window), stamp))
    wait_until(lambda: any(map(line.fullmatch,
                               complete_lines(reporter.report_path))), line)
    for text in complete_lines(reporter.report_path):
        assert list(json.loads(text)) == ["unique_request_count",
                                          "window_start", "window_seconds",
                                          "late"]


@one_server(FOLLOWS)
@every_strategy
def test_catches_up_after_downtime(redis, expected, reporter):
    def lines():
        return complete_lines(reporter.report_path)

    expected.send(1, 2)
    reporter.term()
    for number in range(4):
        expected.send(number, number + 1)
        time.sleep(WINDOW_S)
    reporter.start()
    last = expected.send(9)
    expected.check(reporter.wait_reported(last))
    wait_until(lambda: not lines()[-1].endswith(" late"), "it caught up")
    assert any(line.endswith(" late") for line in lines())
    wait_until(lambda: redis("XLEN", "verve:windows") == len(lines()),
               "a record for each line")


def test_killed_between_any_two_lines(redis, expected, reporter):
    """kill -9 at many moments around a window's end."""
    for step in range(10):
        wait_for_window_start(redis, WINDOW_S)
        time.sleep(step * 0.002)
        reporter.kill()
        redis.end_leases()
        last = expected.send(step, step + 1)
        reporter.start()
    expected.check(reporter.wait_reported(last))


def test_killed_after_the_line_and_before_the_cursor(redis, expected,
                                                     reporter):
    """The last line of the file replaces the cursor."""
    reporter.wait_reported(expected.send(1))
    reporter.term()
    (cursor,) = redis("KEYS", "verve:sink:*")
    redis("DEL", cursor)
    reporter.start()
    expected.check(reporter.wait_reported(expected.send(2)))


def test_a_torn_last_line_is_cut(redis, expected, reporter):
    reporter.wait_reported(expected.send(1))
    reporter.kill()
    redis.end_leases()
    with open(reporter.report_path, "a", encoding="ascii") as file:
        file.write("2026-01-02T03:05:00.123Z INFO Unique requests in the la")
    reporter.start()
    expected.check(reporter.wait_reported(expected.send(2)))


def test_hup_follows_a_rotation(expected, reporter):
    reporter.wait_reported(expected.send(1))
    rotated = reporter.report_path.with_name("rotated.txt")
    os.rename(reporter.report_path, rotated)
    reporter.process.signal(signal.SIGHUP)
    reporter.wait_reported(expected.send(2))
    old = complete_lines(rotated)
    new = complete_lines(reporter.report_path)
    reporter.report_path.write_text("\n".join(old + new) + "\n")
    expected.check(reporter.report())


@every_strategy
def test_a_restart_of_redis_loses_no_window(redis, responder, expected,
                                            reporter):
    expected.send(1, 2)
    redis.kill()
    time.sleep(2.2 * WINDOW_S)
    redis.start()
    wait_until(lambda: responder.ask(accept(3)).body == b"ok", "ok again")
    # `expected` does not know the window of that request.
    last = expected.send(3)
    report = reporter.wait_reported(last)
    assert_no_window_missing(report, WINDOW_S)
    first = min(expected.ids)
    assert report[first] == len(expected.ids[first])


def test_two_reporters_write_two_complete_files(sandbox, redis, expected,
                                                reporter):
    other = Reporter(sandbox, redis, name="other").start()
    last = expected.send(1, 2, 3)
    expected.check(reporter.wait_reported(last))
    expected.check(other.wait_reported(last))


def test_two_reporters_share_one_file(sandbox, redis, expected, reporter):
    other = Reporter(sandbox, redis, name="other",
                     VERVE_FILE_PATH=reporter.report_path).start()
    expected.send(1, 2)
    time.sleep(3 * WINDOW_S)
    expected.check(reporter.wait_reported(expected.send(1)))
    assert other.process.running()


def test_a_gap_is_logged_by_the_reporter_that_recorded_it(sandbox, redis):
    """Redis answers nobody at the end of the window, so that both reporters ask
    at the same time whether it is recorded, and both try to record it."""
    settings = {"VERVE_WINDOW_SECONDS": 2, "VERVE_REDIS_TIMEOUT_MS": PATIENT_MS}
    both = [Reporter(sandbox, redis, name=name, **settings).start()
            for name in ("one", "other")]
    wait_until(lambda: all(each.report() for each in both), "both report")
    wait_for_window_start(redis, 2)
    redis("FLUSHALL")
    redis("CLIENT", "PAUSE", 2600, "WRITE")
    wait_until(lambda: all(None in each.report().values() for each in both),
               "a gap in both files")
    logged = [(line["count"], line["last_window"]) for each in both for line in
              each.process.logged_with("windows recorded as gaps")]
    recorded = [fields for _, fields in redis("XRANGE", "verve:windows", "-",
                                              "+") if fields[1] == "-"]
    assert sum(int(number) for number, _ in logged) == len(recorded)
    # What a file has as a gap is what the log names.
    gaps = {window for window, count in both[0].report().items()
            if count is None}
    assert {epoch(last) for _, last in logged} <= gaps


def test_a_folder_may_be_away(sandbox, redis, expected):
    """Once the reporter runs; at the start that is an error."""
    folder = sandbox.folder / "later"
    folder.mkdir()
    reporter = Reporter(sandbox, redis,
                        VERVE_FILE_PATH=folder / "unique.log").start()
    folder.rename(sandbox.folder / "away")
    expected.send(1)
    reporter.process.wait_output("later/unique.log")
    folder.mkdir()
    expected.check(reporter.wait_reported(expected.send(2)))


def test_redis_away_at_the_start_is_no_error(sandbox):
    redis = AnyRedis(sandbox, fsync="always")
    reporter = Reporter(sandbox, redis).start()
    redis.start()
    window = int(float(wait_until(lambda: redis("GET", "verve:{0}:born"),
                                  "the reporter is there")))
    assert reporter.wait_reported(window)[window] == 0


@pytest.mark.parametrize("before,after", [(1, 3), (3, 1)])
def test_the_length_of_windows_may_change(sandbox, redis, before, after):
    """The steps of docs/redis-keys.md, in the middle of a new window."""
    reporter = Reporter(sandbox, redis)
    responder = Responder(sandbox, redis)

    def start(length):
        for program in (responder, reporter):
            program.settings["VERVE_WINDOW_SECONDS"] = length
            program.start()

    start(before)
    old = Expected(responder)
    reporter.wait_reported(old.send(1, 2))
    wait_until(lambda: redis("XLEN", "verve:windows") ==
               len(reporter.report()) and
               (before == 3 or max(reporter.report()) % after == 1),
               "a window ended in the middle of a new one")
    reporter.term()
    responder.process.stop()
    last = max(reporter.report())
    redis("DEL", "verve:{0}:meta")
    start(after)
    changed = redis.now_ms() // 1000
    new = Expected(responder)
    for number in range(4):
        newest = new.send(number, 100)
        time.sleep(after)
    report = reporter.wait_reported(newest)
    assert {window: report[window] for window in old.ids} == \
        {window: len(ids) for window, ids in old.ids.items()}
    report = {window: count for window, count in report.items()
              if window > last}
    assert_no_window_missing(report, after)
    # The first new window does not begin inside the last old window.
    assert min(report) == -(-(last + before) // after) * after
    for window, count in report.items():
        known = len(new.ids.get(window, ()))
        assert count == known or (count is None and window <= changed), window


def assert_disagrees(sandbox, redis):
    """A reporter with windows of another length does not start."""
    reporter = Reporter(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=PATIENT_MS)
    reporter.settings["VERVE_WINDOW_SECONDS"] = 2
    process = sandbox.start("disagrees", reporter.command, reporter.settings)
    assert process.wait() == 100
    assert "window_seconds is 1 there and 2 here" in process.output()


def test_a_reporter_with_another_schema_is_refused(sandbox, redis, responder):
    assert responder.ask(accept(1)).body == b"ok"
    assert_disagrees(sandbox, redis)


def test_a_reporter_with_another_schema_is_refused_after_flushall(
        sandbox, redis, responder):
    """The schema is lost with the data, and written again with the next id."""
    assert responder.ask(accept(1)).body == b"ok"
    redis("FLUSHALL")
    assert responder.ask(accept(2)).body == b"ok"
    assert_disagrees(sandbox, redis)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT,
                                    signal.SIGUSR1])
def test_signals_end_it_with_exit_code_0(reporter, number):
    reporter.process.signal(number)
    assert reporter.process.wait(5.0) == 0
