"""vervectl top in a pseudo-terminal: what it shows, in any size, and that the
terminal is left as it was, however it ends."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import pytest
from harness.load import accept
from harness.process import prepare_child
from harness.queue import LIST
from harness.reporter import Reporter
from harness.wait import wait_until

SCREEN_ON, SCREEN_OFF = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """vervectl top in a terminal of its own."""

    def __init__(self, operator, *words, rows=24, columns=200):
        self.ours, self.theirs = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.theirs)
        self.child = subprocess.Popen(
            operator.argv("top", *words), env=operator.env, stdin=self.theirs,
            stdout=self.theirs, stderr=self.theirs, start_new_session=True,
            preexec_fn=prepare_child)
        os.set_blocking(self.ours, False)
        self.said = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        try:
            while part := os.read(self.ours, 65536):
                self.said += part
        except BlockingIOError:
            pass
        return self.said

    def frames(self):
        """The frames that are whole, each a list of lines."""
        self.read()
        return [frame.replace("\x1b[K", "").split("\r\n") for frame in
                re.findall(r"\x1b\[H(.*?)\x1b\[J", self.said.decode(), re.S)]

    def wait_frame(self, wanted=lambda lines: True):
        """The first frame from now on that is as wanted."""
        seen = len(self.frames())
        return wait_until(
            lambda: next(filter(wanted, self.frames()[seen:]), None),
            "a frame", 30.0)

    def end(self, seconds=20.0):
        """The exit code; the terminal is as it was."""
        wait_until(lambda: self.read() and self.child.poll() is not None,
                   "it ends", seconds)
        self.read()
        assert self.said.count(SCREEN_ON) == self.said.count(SCREEN_OFF)
        assert termios.tcgetattr(self.theirs) == self.before
        return self.child.returncode

    def close(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def top(operator, sandbox):
    def start(*words, **size):
        terminal = Terminal(operator, *words, **size)
        sandbox.on_close(terminal.close)
        return terminal
    return start


def test_what_it_shows(sandbox, redis, web, receiver, top):
    Reporter(sandbox, redis).start()
    web.get(accept(7, receiver.url("/hook")))
    receiver.wait_count(1, "/hook")
    terminal = top(f"http://127.0.0.1:{web.port}/")
    lines = terminal.wait_frame(lambda lines: any(
        line.startswith("destination") for line in lines))
    assert re.match(r"vervectl top  \d\d:\d\d:\d\d  /.*  requests/s ", lines[0])
    subjects = [line.split()[0] for line in lines[1:]]
    assert set(subjects) >= {"window", "queue", "sink", "reporter",
                             "destination"}
    assert (subjects[0], subjects[-1]) == ("window", "destination")
    web.get(accept(8))
    terminal.wait_frame(lambda lines: re.search(r"requests/s \d", lines[0]))
    # It follows the size, down to next to nothing.
    for rows, columns in ((3, 20), (1, 1), (40, 100)):
        terminal.resize(rows, columns)
        terminal.wait_frame(lambda lines: len(lines) <= rows and all(
            len(line) <= columns for line in lines))
    lines = terminal.wait_frame(lambda lines: len(lines) > 3)
    assert len(lines[0]) <= 100
    os.write(terminal.ours, b"xq")
    assert terminal.end() == 0


@pytest.mark.parametrize("number,code", [
    (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_ended_by_a_signal(redis, top, number, code):
    terminal = top()
    terminal.wait_frame()
    os.killpg(terminal.child.pid, number)
    assert terminal.end() == code


def test_the_worst_come_first(redis, operator, top):
    """Of what a worker publishes."""
    said = [f'{{"origin":"http://h{n}.example:80","proven":true,'
            f'"breaker":"{"open" if n == 3 else "closed"}","waiting":{n}}}'
            for n in range(30)]
    redis("SET", "verve:{0}:reporter:h:1",
          '{"name":"h:1","counts":{},"destinations":[%s]}' % ",".join(said))
    redis("ZADD", "verve:{0}:reporters", redis.now_ms() + 60000, "h:1")
    terminal = top(rows=60)
    lines = terminal.wait_frame(lambda lines: any(
        line.startswith("destination") for line in lines))
    shown = [line.split()[1] for line in lines
             if line.startswith("destination")]
    assert shown == [f"http://h{n}.example:80"
                     for n in (3, 29, 28, 27, 26, 25, 24, 23, 22, 21)]
    os.write(terminal.ours, b"q")
    assert terminal.end() == 0


def test_a_redis_that_goes_and_comes(redis, operator, top):
    terminal = top()
    terminal.wait_frame(lambda lines: len(lines) > 2)
    redis.stop()
    lines = terminal.wait_frame(lambda lines: "Redis is away" in lines[0])
    assert len(lines) == 1
    redis.start()
    terminal.wait_frame(lambda lines: len(lines) > 2)
    redis.freeze()
    terminal.wait_frame(lambda lines: "Redis is away" in lines[0])
    redis.thaw()
    redis("RPUSH", LIST, "{}")
    terminal.wait_frame(lambda lines: any("waiting=1" in line
                                          for line in lines))
    redis.stop()
    os.write(terminal.ours, b"q")
    assert terminal.end() == 0
    assert top().end() == 111


def test_a_terminal_that_goes_away(redis, top):
    """It does not run on for ever."""
    terminal = top()
    terminal.wait_frame()
    os.close(terminal.ours)
    wait_until(lambda: terminal.child.poll() is not None, "it ends", 30.0)
    terminal.ours = os.dup(terminal.theirs)


@pytest.mark.parametrize("words", [["x"], ["http://a", "b"], ["ftp://a"]])
def test_wrong_usage(operator, words):
    assert operator("top", *words, code=100) == []
    assert operator.errors


def test_without_a_terminal(operator):
    assert operator("top", code=100) == []
    assert operator.errors.startswith("vervectl: top needs a terminal")


def test_a_shard_that_goes_away(redis, operator, top):
    """The others are shown on, and it, too, once it is back."""
    operator.env["VERVE_REDIS_SHARDS"] = "3"
    terminal = top()

    def has(text):
        return lambda lines: any(text in line for line in lines)
    terminal.wait_frame(has("state=up"))
    redis.limit_default_user("resetkeys", "~verve:{0}:*", "~verve:{193}:*",
                             "~verve:windows", "~verve:sink*")
    lines = terminal.wait_frame(has("shard       2 state=away"))
    assert has("count=-")(lines) and has("queue  ")(lines)
    redis("ACL", "SETUSER", "default", "~*")
    terminal.wait_frame(lambda lines: not has("state=away")(lines) and
                        has("state=up")(lines))
    os.write(terminal.ours, b"q")
    assert terminal.end() == 0
