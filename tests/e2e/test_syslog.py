"""The syslog sink: a message a window, in order, and none while nobody
listens."""

import re
import socket
import syslog

import pytest
from harness import records
from harness.namespace import needs_mounts
from harness.records import epoch
from harness.reporter import Reporter
from harness.syslog import SystemLog
from harness.wait import wait_until

pytestmark = needs_mounts

SETTINGS = {"VERVE_WINDOW_SECONDS": 1}
TEXT = re.compile(r"Unique requests in the last minute: (\d+) "
                  r"window=(\S+) window_seconds=1 late=(true|false)")


@pytest.fixture
def system_log(sandbox):
    return SystemLog(sandbox)


@pytest.fixture
def reporter(sandbox, redis, system_log):
    return Reporter(sandbox, redis, before=system_log.inside,
                    VERVE_REPORT_SINKS="syslog").start()


def reported(system_log):
    """{window: count} of all messages of reporters, each of which has its form:
    at least once, the first ones in order."""
    report = {}
    for message in system_log.read():
        if message["tag"] == "other":
            continue
        assert int(message["priority"]) == syslog.LOG_DAEMON | syslog.LOG_INFO
        assert message["tag"].startswith("verve-reporter")
        count, window, _ = TEXT.fullmatch(message["text"]).groups()
        window = epoch(window)
        assert window in report or not report or window > max(report)
        assert report.setdefault(window, int(count)) == int(count)
    return report


def wait_reported(system_log, window):
    return records.wait_reported(lambda: reported(system_log), window)


def test_a_message_a_window(system_log, expected, reporter):
    system_log.start()
    wait_reported(system_log, expected.send(1, 2, 2))
    report = wait_reported(system_log, expected.send(3))
    expected.check(report)
    # A second time only where syslog(3) itself was held up.
    assert len(system_log.messages) <= len(report) + 1


def test_nobody_listens_for_a_while(system_log, expected, reporter):
    system_log.start()
    wait_reported(system_log, expected.send(1))
    system_log.stop()
    expected.send(1, 2)
    reporter.process.wait_output("/dev/log: No such file")
    wait_until(lambda: expected.send(5) > min(expected.ids) + 3,
               "some windows later", pause_s=0.3)
    system_log.start()
    expected.check(wait_reported(system_log, expected.send(6)))
    reporter.process.wait_output("works again")


def test_a_full_queue_holds_up_nobody(system_log, expected, reporter):
    """A daemon that is stuck: what it has not taken comes later."""
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.setblocking(False)
    system_log.start()
    with other:
        other.connect(str(system_log.path))
        with pytest.raises(BlockingIOError):
            while True:
                other.send(b"<30>Jan  1 00:00:00 other: x")
    reporter.process.wait_output("its queue is full")
    last = expected.send(1, 2)
    assert reporter.term() == 0
    reporter.start()
    assert wait_reported(system_log, last)[last] == expected.count(last)


@pytest.mark.parametrize("places", [2, 3, 4])
def test_a_stream_that_is_not_read_holds_up_nobody(sandbox, redis, system_log,
                                                   expected, places):
    """Its backlog is full, and then some: the file goes on, and TERM is
    obeyed. Which connection is the first without a place, a trial's or that
    of syslog(3), is a matter of how many there are."""
    system_log.start(socket.SOCK_STREAM)
    system_log.socket.listen(places - 1)
    file = sandbox.folder / "unique.txt"  # /dev/shm is not in its /dev
    reporter = Reporter(sandbox, redis, before=system_log.inside,
                        VERVE_REPORT_SINKS="syslog,file",
                        VERVE_FILE_PATH=file).start()
    reporter.process.wait_output("its queue is full", 20.0)
    expected.check(reporter.wait_reported(expected.send(1, 2)))
    assert reporter.term(5.0) == 0
