"""Redis loses data that was confirmed. A window that lost an id is a gap, and
no other window is: whoever remembers more than Redis does writes it down."""

import shutil
import time

import pytest
from harness.counts import count
from harness.expected import Expected
from harness.fastcgi import Responder
from harness.load import accept
from harness.records import assert_no_window_missing
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.strategies import every_strategy
from harness.wait import wait_for_window_start, wait_until

WINDOW_S = 5
BARRIER_S = 2
ROOM_S = 4.0  # for all that has to be in one window
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S}
MARKS = "verve:{0}:marks"


def check(report, expected, lost, first=0):
    """The windows in `lost` are gaps, and all other counts are exact."""
    assert_no_window_missing(report, WINDOW_S)
    assert {w for w in expected.ids if w >= first} <= set(report)
    for window, number in report.items():
        if window in lost:
            assert number is None, (window, report)
        elif window >= first:
            assert number == expected.count(window), (window, report)


def snapshots(sandbox, name="redis"):
    """A Redis that keeps only what was saved."""
    return Redis(sandbox, name=name, appendonly="no").start()


def restart(redis):
    redis.kill()
    redis.start()


def is_ready(responder):
    return responder.ask("/readyz").status == 200


def append_only_file(redis):
    return max((redis.folder / "appendonlydir").glob("*.incr.aof"))


# What is lost is a gap

def test_a_snapshot_inside_a_window(sandbox):
    redis = snapshots(sandbox)
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    lost = expected.send(*range(11))
    redis("SAVE")
    assert expected.send(*range(11, 20)) == lost
    restart(redis)
    wait_until(lambda: is_ready(expected.responder), "it is ready again")
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    check(reporter.wait_reported(last), expected, {lost})
    assert "Redis lost ids" in expected.responder.process.output()


def test_an_append_only_file_cut_short(sandbox, redis):
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    lost = expected.send(*range(4))
    wait_until(lambda: b"seen" in append_only_file(redis).read_bytes(),
               "the ids are in the file")
    size = append_only_file(redis).stat().st_size
    assert expected.send(*range(4, 20)) == lost
    redis.kill()
    with append_only_file(redis).open("r+b") as file:
        file.truncate(size)
    redis.start()
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    check(reporter.wait_reported(last), expected, {lost})


def test_a_lagging_replica_takes_over(sandbox):
    """The replica has the first ids; then it is cut off, and takes the place of
    its master."""
    redis = Redis(sandbox, port=free_port(), bind="127.0.0.1",
                  repl_diskless_sync_delay=0).start()
    replica = Redis(sandbox, name="replica", appendonly="no",
                    replicaof=f"127.0.0.1 {redis.config['port']}").start()
    wait_until(lambda: "link_status:up" in replica("INFO", "replication"),
               "the replica has it all")
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    lost = expected.send(*range(4))
    assert redis("WAIT", 1, 10000) == 1
    replica("REPLICAOF", "NO", "ONE")
    assert expected.send(*range(4, 9)) == lost
    redis.kill()
    replica.path.rename(redis.path)
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    check(reporter.wait_reported(last), expected, {lost})


def test_an_emptied_redis_and_an_ignorant_reporter(sandbox, redis):
    """The first reporter knows what is lost, and so does the responder."""
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    before = expected.send(*range(4))
    reporter.wait_reported(before)
    lost = expected.send(*range(4))
    redis("FLUSHALL")
    ignorant = Reporter(sandbox, redis, name="ignorant").start()
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    for one in (reporter, ignorant):
        check(one.wait_reported(last), expected, {lost}, first=lost)
        assert "too low" not in one.process.output()
    assert reporter.report()[before] == 4


def test_an_emptied_redis_that_only_a_responder_remembers(sandbox, redis):
    """No reporter ran; the responder has nothing to do afterwards."""
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    redis.wait_for_room(ROOM_S, WINDOW_S)
    lost = expected.send(*range(4))
    redis("FLUSHALL")
    reporter = Reporter(sandbox, redis).start()
    report = reporter.wait_reported(lost)
    assert report == {lost: None}


def test_a_sink_without_a_line_gets_the_lost_windows(sandbox, redis):
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    folder = sandbox.folder / "reports"
    folder.mkdir()
    reporter = Reporter(sandbox, redis,
                        VERVE_FILE_PATH=folder / "unique.log").start()
    shutil.rmtree(folder)
    redis.wait_for_room(ROOM_S, WINDOW_S)
    first = expected.send(*range(4))
    wait_until(lambda: redis("XLEN", "verve:windows") >= 1, "it is recorded")
    time.sleep(WINDOW_S)
    expected.send(*range(3))
    redis("FLUSHALL")
    flushed = max(expected.ids)
    folder.mkdir()
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    report = reporter.wait_reported(last)
    assert_no_window_missing(report, WINDOW_S)
    assert min(report) <= first
    assert all(report[w] is None for w in report if first <= w <= flushed)
    assert report[last] == 7


def test_duplicates_are_remembered(sandbox):
    """The other responder, which counted the ids, is gone without a word."""
    redis = snapshots(sandbox)
    other = Responder(sandbox, redis, "other").start()
    expected = Expected(Responder(sandbox, redis, VERVE_DEDUP_LOCAL_CACHE_IDS=0
                                  ).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis("SAVE")
    redis.wait_for_room(ROOM_S, WINDOW_S)
    for number in range(9):
        assert other.ask(accept(number)).body == b"ok"
    other.process.kill()
    lost = expected.send(*range(9))
    assert count(redis, lost) == 9
    restart(redis)
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    check(reporter.wait_reported(last), expected, {lost})


def test_callbacks_that_were_rolled_back_are_logged(sandbox, receiver):
    redis = snapshots(sandbox)
    responder = Responder(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    responder.ask(accept(0))
    redis("SAVE")
    for number in range(1, 4):
        url = f"http://127.0.0.1:{receiver.port}/"
        assert responder.ask(accept(number, url)).body == b"ok"
    restart(redis)
    responder.process.wait_output(" callbacks=3")


# Nobody is left to remember

def crash(redis, responder):
    """As if the host had lost power: both are gone at once."""
    responder.process.kill()
    restart(redis)


def test_a_crash_that_takes_all_memory_is_a_gap(sandbox, redis):
    first = Expected(Responder(sandbox, redis, "first").start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    lost = first.send(*range(4))
    crash(redis, first.responder)
    second = Expected(Responder(sandbox, redis, "second").start(), WINDOW_S)
    time.sleep(WINDOW_S)
    last = second.send(*range(7))
    check(reporter.wait_reported(last), second, {lost})


def test_a_crash_of_a_redis_that_syncs_each_write_is_none(sandbox):
    redis = Redis(sandbox, fsync="always").start()
    expected = Expected(Responder(sandbox, redis, "first").start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    kept = expected.send(*range(4))
    wait_until(lambda: redis("HGET", "verve:{0}:run", "appendfsync"),
               "the reporter knows how it syncs")
    crash(redis, expected.responder)
    expected.responder = Responder(sandbox, redis, "second").start()
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    assert reporter.wait_reported(last)[kept] == 4
    check(reporter.report(), expected, set())


def test_a_crash_that_takes_the_marks_of_a_window(sandbox, redis):
    """All that came in the second window is cut off, the marks as well."""
    expected = Expected(Responder(sandbox, redis, "first").start(), WINDOW_S)
    redis.wait_for_room(ROOM_S, WINDOW_S)
    first = expected.send(*range(4))
    wait_until(lambda: b"seen" in append_only_file(redis).read_bytes(),
               "the ids are in the file")
    size = append_only_file(redis).stat().st_size
    wait_for_window_start(redis, WINDOW_S)
    second = expected.send(*range(4, 20))
    assert second > first
    expected.responder.process.kill()
    redis.kill()
    with append_only_file(redis).open("r+b") as file:
        file.truncate(size)
    redis.start()
    reporter = Reporter(sandbox, redis).start()
    expected.responder = Responder(sandbox, redis, "second").start()
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    report = reporter.wait_reported(last)
    assert report[first] is None and report[second] is None
    assert report[last] == 7


# What is not lost is no gap

def test_a_restart_without_loss_is_no_gap(sandbox, redis):
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    expected.send(*range(4))
    restart(redis)
    wait_until(lambda: is_ready(expected.responder), "it is ready again")
    expected.send(*range(4, 8))
    time.sleep(WINDOW_S)
    last = expected.send(*range(7))
    check(reporter.wait_reported(last), expected, set())
    assert redis("HLEN", "verve:{0}:unconfirmed") == 0


def test_an_idle_responder_confirms_without_a_request(sandbox, redis):
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    window = expected.send(*range(4))
    restart(redis)
    assert reporter.wait_reported(window)[window] == 4


def test_a_responder_that_ended_is_not_missed(sandbox, redis):
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    window = expected.send(*range(4))
    assert redis("HLEN", MARKS) == 1
    assert expected.responder.process.stop() == 0
    assert redis("HLEN", MARKS) == 0
    restart(redis)
    assert reporter.wait_reported(window)[window] == 4


def test_a_lost_reply_is_no_gap(sandbox, redis):
    """Redis counts a batch whose reply never comes."""
    responder = Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=250).start()
    expected = Expected(responder, WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    window = expected.send(*range(4))
    redis.freeze()
    assert responder.ask(accept(4)).status == 503
    redis.thaw()
    wait_until(lambda: is_ready(responder), "it is ready again")
    expected.send(*range(3, 6))
    report = reporter.wait_reported(window)
    assert report[window] == len(expected.ids[window])
    assert "lost" not in responder.process.output()


def test_a_batch_that_was_not_confirmed_is_no_gap(sandbox, redis):
    """Its id was counted, but the reply was lost. The responder has nothing
    else to remember, and shows itself all the same after a restart."""
    responder = Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=250).start()
    reporter = Reporter(sandbox, redis).start()
    first = Expected(responder, WINDOW_S).send(1)
    wait_until(lambda: redis("GET", "verve:{0}:recorded") == str(first),
               "its window is recorded", 2 * WINDOW_S)
    time.sleep(1.5)  # it looks once a second
    redis.wait_for_room(ROOM_S, WINDOW_S)
    redis.freeze()
    assert responder.ask(accept(1)).status == 503
    redis.thaw()
    window = wait_until(lambda: redis("ZRANGE", "verve:{0}:open", -1, -1),
                        "the id was counted")[0]
    restart(redis)
    assert reporter.wait_reported(int(window))[int(window)] == 1


def test_a_stopped_responder_is_no_gap(sandbox, redis):
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    window = expected.send(*range(4))
    expected.responder.process.freeze()
    reporter.wait_reported(window)
    time.sleep(WINDOW_S)
    expected.responder.process.thaw()
    last = expected.send(*range(7))
    check(reporter.wait_reported(last), expected, set())
    assert "lost" not in expected.responder.process.output()


# Marks

@every_strategy
def test_each_batch_leaves_a_mark(sandbox, redis):
    """Also one that has duplicates only. `WAIT` then covers a write of the
    batch's own connection: in Valkey and since Redis 7.2 it covers no other."""
    expected = Expected(Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600,
                                  VERVE_DEDUP_LOCAL_CACHE_IDS=0).start(), 3600)
    seen = set()
    for number in (1, 1, 2, 1):
        window = expected.send(number)
        [mark] = redis("HVALS", MARKS)
        assert mark.split()[1] == str(window)
        seen.add(mark)
    assert len(seen) == 4


def test_marks_of_recorded_windows_are_removed(sandbox, redis):
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    window = expected.send(1)
    assert redis("HLEN", MARKS) == 1
    reporter.wait_reported(window)
    wait_until(lambda: redis("HLEN", MARKS) == 0, "it serves no more",
               4 * WINDOW_S)
    last = expected.send(1)
    assert reporter.wait_reported(last)[last] == 1


def test_nothing_is_recorded_before_all_could_remember(sandbox, redis):
    """A responder shows itself a second after the reporter."""
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    redis.wait_for_room(ROOM_S, WINDOW_S)
    lost = expected.send(1)
    expected.responder.process.freeze()
    redis("FLUSHALL")
    time.sleep(WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    time.sleep(BARRIER_S / 2)
    assert not reporter.report_path.exists() or reporter.report() == {}
    expected.responder.process.thaw()
    assert reporter.wait_reported(lost)[lost] is None


def test_a_loss_that_is_noticed_too_late_is_an_error(sandbox):
    """Redis goes back to an earlier state, without a restart that would tell
    the reporter. The responder was stopped until the window was recorded."""
    redis = Redis(sandbox, appendonly="no", enable_debug_command="yes").start()
    expected = Expected(Responder(sandbox, redis).start(), WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    lost = expected.send(*range(4))
    redis("SAVE")
    assert expected.send(*range(4, 8)) == lost
    expected.responder.process.freeze()
    redis("DEBUG", "RELOAD", "NOSAVE")
    assert reporter.wait_reported(lost)[lost] == 4
    expected.responder.process.thaw()
    expected.responder.process.wait_output(" too_low=1 ")


@pytest.mark.parametrize("field", ["1", "x", "-5 7", ""])
def test_a_mark_that_was_edited_ends_nothing(sandbox, redis, field):
    expected = Expected(Responder(sandbox, redis,
                                  VERVE_DEDUP_LOCAL_CACHE_IDS=0).start(),
                        WINDOW_S)
    reporter = Reporter(sandbox, redis).start()
    redis.wait_for_room(ROOM_S, WINDOW_S)
    window = expected.send(*range(3))
    redis("HSET", MARKS, redis("HKEYS", MARKS)[0], field)
    assert expected.send(*range(3)) == window
    assert reporter.wait_reported(window)[window] is None
