"""The syslog sink: a message for each window, in order, also after a time
without a daemon."""

import re
import socket
import syslog
import time
from datetime import datetime, timedelta

import pytest
from harness import records
from harness.namespace import needs_mounts
from harness.records import epoch
from harness.reporter import Reporter
from harness.syslog import SystemLog
from harness.wait import wait_until

pytestmark = needs_mounts

SETTINGS = {"VERVE_WINDOW_SECONDS": 1}
TEXT = re.compile(r"Unique requests in the last 1 seconds: (\d+) "
                  r"window=(\S+) window_seconds=1 late=(true|false)")


@pytest.fixture
def system_log(sandbox):
    return SystemLog(sandbox)


@pytest.fixture
def reporter(sandbox, redis, system_log):
    return Reporter(sandbox, redis, before=system_log.inside,
                    VERVE_REPORT_SINKS="syslog", TZ="XXX-5:30").start()


def reported(system_log):
    """{window: count} of all messages of reporters, whose form is checked. A
    message may be repeated, but the first of each window are in order."""
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


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_each_window_is_a_message(system_log, expected, reporter, kind):
    system_log.start(kind)
    wait_reported(system_log, expected.send(1, 2, 2))
    report = wait_reported(system_log, expected.send(3))
    expected.check(report)
    assert len(system_log.messages) == len(report)


def test_the_head_of_a_message(system_log, expected, reporter):
    """The bytes of syslog(3): the time is the local time, in English, and the
    process id is in the tag only if the program's own log goes there, too."""
    system_log.start()
    wait_reported(system_log, expected.send(1))
    for message in system_log.messages:
        written = datetime.strptime(f"{time.gmtime().tm_year} "
                                    + message["time"], "%Y %b %d %H:%M:%S")
        local = datetime.utcnow() + timedelta(hours=5, minutes=30)
        assert abs(local - written) < timedelta(minutes=5)
        assert message["tag"] == "verve-reporter"


def test_the_log_goes_there_too(sandbox, redis, system_log):
    system_log.start()
    reporter = Reporter(sandbox, redis, before=system_log.inside,
                        VERVE_LOG_TARGET="syslog",
                        VERVE_REPORT_SINKS="syslog")
    # Its `ready` goes to the system log, too.
    sandbox.start(reporter.name, reporter.command, reporter.settings)
    wait_until(lambda: any(TEXT.match(message["text"])
                           for message in system_log.read()), "a window")
    wait_until(lambda: any(message["text"] == 'msg="ready"'
                           for message in system_log.read()), "ready")
    tags = {message["tag"] for message in system_log.messages}
    assert {re.sub(r"\[\d+\]$", "", tag) for tag in tags} == {
        "verve-reporter", "verve-reporter/reports",
        "verve-reporter/callbacks-1"}


def test_windows_are_sent_after_the_daemon_was_away(system_log, expected,
                                                    reporter):
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
    """A daemon that is stuck gets its messages later."""
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


def test_a_stream_that_is_not_read_holds_up_nobody(sandbox, redis, system_log,
                                                   expected):
    """Its backlog gets full: the file sink goes on, and TERM is obeyed."""
    system_log.start(socket.SOCK_STREAM, backlog=1)
    file = sandbox.folder / "unique.txt"  # /dev/shm is not in its /dev
    reporter = Reporter(sandbox, redis, before=system_log.inside,
                        VERVE_REPORT_SINKS="syslog,file",
                        VERVE_FILE_PATH=file).start()
    reporter.process.wait_output("its queue is full", 20.0)
    expected.check(reporter.wait_reported(expected.send(1, 2)))
    assert reporter.term(5.0) == 0


def test_a_new_host_begins_with_the_newest_window(sandbox, redis, system_log,
                                                  expected):
    """A container has a new host name at each start."""
    def run(host, **settings):
        """The windows that a reporter on that host has sent, once there are
        two; before it starts, the newest recorded window."""
        newest = int(redis("XREVRANGE", "verve:windows", "+", "-", "COUNT",
                           1)[0][0].split("-")[0]) \
            if redis("EXISTS", "verve:windows") else 0
        seen = len(system_log.read())
        reporter = Reporter(sandbox, redis, name=f"on-{host}",
                            before=system_log.inside_of(host),
                            VERVE_REPORT_SINKS="syslog", **settings).start()
        wait_until(lambda: len(system_log.read()) >= seen + 2, "two messages")
        assert reporter.term() == 0
        sent = [epoch(TEXT.fullmatch(message["text"])[2])
                for message in system_log.read()[seen:]]
        records.assert_no_window_missing(sent, 1)
        return newest, sent

    system_log.start()
    expected.send(1)
    _, first = run("one")
    newest, sent = run("two")
    assert sent[0] == newest >= first[-1]
    _, sent = run("three", VERVE_SYSLOG_FROM="beginning")
    assert sent[0] == first[0]
    _, sent = run("four", VERVE_SINK_NAME="one")
    assert sent[0] == first[-1] + 1
    assert redis("EXISTS", "verve:sink:syslog:four") == 0
