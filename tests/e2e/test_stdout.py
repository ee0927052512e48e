"""The file sink and the callback log on the program's stdout, as in a container:
a pipe, a socket (of journald), a terminal, a file; and readers that are slow or
gone."""

import os
import re
import socket
import threading
import tty

import pytest
from harness.load import accept
from harness.log_lines import is_logged
from harness.records import (REPORT_LINE, TIME, assert_no_window_missing,
                             complete_lines, epoch)
from harness.reporter import Reporter
from harness.settings import REPORTER
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 1}
STDOUT = {"VERVE_FILE_PATH": "/dev/stdout",
          "VERVE_CALLBACKS_LOG": "/dev/stdout"}
LOG_TOO = ("sh", "-c", 'exec "$@" 2>&1', "sh")  # stderr is the same stream
ATTEMPT = re.compile(rf"{TIME}\.\d{{3}}Z job=\w+ .* next=done")
CALLBACKS = 100


def make_socket():
    return [end.detach() for end in socket.socketpair()]


def make_terminal():
    reader, writer = os.openpty()
    tty.setraw(writer)
    return reader, writer


class Stream:
    """writer is for a program; what it writes is appended to a file."""

    def __init__(self, sandbox, path, make=os.pipe):
        self.path = path
        self.reader, self.writer = make()
        self.thread = threading.Thread(target=self.copy)
        sandbox.on_close(self.close)

    def copy(self):
        with open(self.path, "ab", buffering=0) as file:
            try:
                while data := os.read(self.reader, 65536):
                    file.write(data)
            except OSError:  # EIO: the terminal has no writer any more
                pass

    def start(self):
        self.thread.start()
        return self

    def fill(self):
        """Until not a byte more fits."""
        os.set_blocking(self.writer, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(self.writer, b"\n" * 4096)
        os.set_blocking(self.writer, True)

    def close(self):
        os.close(self.writer)
        if self.thread.is_alive():
            self.thread.join()
        os.close(self.reader)


def reported(path):
    """The windows of the lines, in order, with repetitions."""
    return [epoch(match["window"]) for match in
            map(REPORT_LINE.fullmatch, complete_lines(path)) if match]


def ask(responder, receiver, number):
    assert responder.ask(accept(number, receiver.url())).body == b"ok"


@pytest.mark.parametrize("make", [os.pipe, make_socket, make_terminal])
def test_all_lines_are_whole(sandbox, redis, responder, receiver, make):
    """Of the report, of two workers' attempts, and of the log."""
    path = sandbox.folder / "reporter.out"
    stream = Stream(sandbox, path, make).start()
    Reporter(sandbox, redis, before=LOG_TOO, stdout=stream.writer,
             VERVE_CALLBACKS_WORKERS=2, **STDOUT).start()
    for number in range(CALLBACKS):
        ask(responder, receiver, number)

    def attempts():
        return sum(map(bool, map(ATTEMPT.fullmatch, complete_lines(path))))
    wait_until(lambda: attempts() == CALLBACKS, "all attempts", 20.0)
    wait_until(lambda: len(reported(path)) > 2, "some windows", 20.0)
    assert_no_window_missing(reported(path), SETTINGS["VERVE_WINDOW_SECONDS"])
    for line in complete_lines(path):
        assert is_logged(line) or any(form.fullmatch(line) for form in
                                      (REPORT_LINE, ATTEMPT)), line


def test_a_file_that_is_stdout_is_shared(sandbox, redis, expected):
    """As of `verve-reporter >FILE 2>&1`: no line overwrites another's."""
    path = sandbox.folder / "reporter.out"
    with open(path, "wb") as file:
        Reporter(sandbox, redis, before=LOG_TOO, stdout=file.fileno(),
                 **STDOUT).start()
    last = expected.send(1, 2)
    wait_until(lambda: last in reported(path), "the window", 20.0)
    for line in complete_lines(path):
        assert REPORT_LINE.fullmatch(line) or is_logged(line), line


def test_a_reader_that_is_slow_or_gone_holds_up_nobody(sandbox, redis, expected,
                                                       responder, receiver):
    stream = Stream(sandbox, sandbox.folder / "stdout")
    stream.fill()
    reporter = Reporter(sandbox, redis, stdout=stream.writer, **STDOUT).start()
    workers = reporter.workers()
    reporter.process.wait_output(
        "/dev/stdout: cannot write: its reader does not keep up", 20.0)
    ask(responder, receiver, 1)
    receiver.wait_count(1)
    first = expected.send(2)
    wait_until(lambda: expected.send(3) > first + 2, "some windows later")

    stream.start()
    last = expected.send(4)
    wait_until(lambda: last in reported(stream.path), "they are made up for")
    assert_no_window_missing(reported(stream.path), 1)
    assert reported(stream.path)[0] <= first
    reporter.process.wait_output("works again")

    # Only the reporter has the stream now, and nobody reads.
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, stream.reader)
    os.close(null)
    reporter.process.wait_output("/dev/stdout: cannot write: Broken pipe", 20.0)
    ask(responder, receiver, 5)
    receiver.wait_count(2)
    assert reporter.workers() == workers
    assert reporter.term() == 0


def test_no_closed_descriptor_becomes_stdout(sandbox, redis, expected):
    """Else the connection to Redis could be /dev/stdout."""
    reporter = Reporter(sandbox, redis, **STDOUT, before=(
        "sh", "-c", 'exec "$@" <&- >&-', "sh")).start()
    for pid in [reporter.process.pid, *reporter.workers().values()]:
        assert os.readlink(f"/proc/{pid}/fd/1") == "/dev/null"
    last = expected.send(1)
    (sink,) = wait_until(lambda: redis("KEYS", "verve:sink:*"), "a cursor")
    wait_until(lambda: int(redis("HGET", sink, "cursor") or 0) >= last,
               "it is written to nobody")


def test_both_may_be_stdout(sandbox):
    check = sandbox.start("check", [REPORTER, "-t"], STDOUT)
    assert check.wait() == 0
