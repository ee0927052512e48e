"""tools/run, in a copy of the checkout: starts all programs until Ctrl-C."""

import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
from harness import http
from harness.load import accept
from harness.process import children
from harness.sandbox import free_port
from harness.settings import BUILD, REDIS_SERVER, ROOT
from harness.wait import wait_until


def mentioning(text):
    """The other processes with text in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if text in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found


class Run:
    def __init__(self, sandbox, folder, **settings):
        self.folder = folder
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("tools", "conf"):
            if not (folder / name).exists():
                (folder / name).symlink_to(ROOT / name)
        self.process = sandbox.start(
            f"run{len(sandbox.started)}", [folder / "tools" / "run", BUILD],
            {"PORT": self.port, "VERVE_WINDOW_SECONDS": 1, **settings})
        self.process.expected_to_die = True

    def ready(self):
        wait_until(lambda: "is ready" in self.process.output() or
                   not self.process.running(), "it is ready", 40.0)
        assert self.process.running(), self.process.output()
        return self

    def child(self, word):
        """The pid of the child with word in its command line."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/"
                    "children").read_text()
        for pid in map(int, text.split()):
            if word in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
        raise AssertionError(f"no {word}")

    def end(self, number):
        self.process.signal(number)
        code = self.process.wait(30.0)
        assert not mentioning(f"{self.folder}/run"), "left running"
        return code


@pytest.fixture
def run(sandbox):
    return Run(sandbox, sandbox.folder / "checkout")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_runs_until_it_is_told_to_stop(run, number):
    run.ready()
    assert http.fetch(run.port, accept(7)).body == b"ok"
    log = run.folder / "run" / "unique.log"
    wait_until(lambda: log.exists() and " seconds: 1 " in log.read_text(),
               "the window's line")
    assert run.end(number) == 0


def test_it_offers_a_receiver(run, receiver):
    """Callbacks to this machine are allowed."""
    page = f"http://127.0.0.1:{run.port}/status/"
    assert f"\n  {page}\n\n" in run.ready().process.output()
    assert http.fetch(run.port, "/status/").status == 200
    assert "\n  receiver   tools/receiver 9000 " in run.process.output()
    http.fetch(run.port, accept(7, receiver.url("/hook")))
    (got,) = receiver.wait_count(1, "/hook")
    assert got.body == b'{"unique_request_count": 1}'
    assert run.end(signal.SIGTERM) == 0


def test_ctrl_c_of_a_terminal(run):
    """SIGINT goes to the whole process group of the script."""
    os.killpg(run.ready().process.pid, signal.SIGINT)
    assert run.process.wait(30.0) == 0
    assert not mentioning(f"{run.folder}/run")


@pytest.mark.parametrize("web", ["lighttpd", "nginx"])
def test_a_deep_checkout_with_a_blank(sandbox, web):
    run = Run(sandbox, sandbox.folder / "a b" / ("d" * 60) / ("e" * 60),
              WEB=web)
    assert http.fetch(run.ready().port, accept(7)).body == b"ok"
    assert run.end(signal.SIGTERM) == 0


def test_a_redis_of_ones_own(sandbox, redis):
    run = Run(sandbox, sandbox.folder / "checkout", VERVE_REDIS_URL=redis.url)
    assert http.fetch(run.ready().port, accept(7)).body == b"ok"
    assert redis("EXISTS", "verve:{0}:meta")
    assert run.end(signal.SIGTERM) == 0


def test_another_server(sandbox):
    server = sandbox.folder / "valkey-server"
    server.symlink_to(shutil.which(REDIS_SERVER))
    run = Run(sandbox, sandbox.folder / "checkout", REDIS_SERVER=server).ready()
    assert run.child(str(server))
    assert run.end(signal.SIGTERM) == 0


def test_a_port_in_use(sandbox):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = Run(sandbox, sandbox.folder / "checkout", PORT=port)
        assert run.process.wait() == 1
    assert run.process.output().count("\n") == 1
    assert f"port {port} is in use" in run.process.output()


def test_only_once_in_a_checkout(sandbox, run):
    run.ready()
    second = Run(sandbox, run.folder)
    assert second.process.wait() == 1
    assert "already running" in second.process.output()
    assert run.end(signal.SIGTERM) == 0


def test_behind_nginx(sandbox):
    run = Run(sandbox, sandbox.folder / "checkout", WEB="nginx").ready()
    answer = http.fetch(run.port, accept(7))
    assert (answer.body, answer.headers["server"]) == (b"ok", "nginx")
    assert run.end(signal.SIGINT) == 0


def test_another_web_server(sandbox):
    run = Run(sandbox, sandbox.folder / "checkout", WEB="apache")
    assert run.process.wait() == 1
    assert run.process.output() == \
        "run: WEB=apache is neither lighttpd nor nginx\n"


# Each child's name, and a word of its command line.
each_child = pytest.mark.parametrize("name, word", [
    ("redis", Path(REDIS_SERVER).name), ("reporter", "verve-reporter"),
    ("lighttpd", "lighttpd")])


def check_ended_by(run, name):
    assert run.process.wait(40.0) == 1
    last = run.process.output().splitlines()[-1]
    assert f"run: {name} ended by itself, exit code 137" in last
    assert not mentioning(f"{run.folder}/run")


@each_child
def test_a_dead_child_ends_it(sandbox, name, word):
    """Several times, each time a little later."""
    for number in range(5):
        run = Run(sandbox, sandbox.folder / f"checkout{number}").ready()
        time.sleep(number * 0.1)
        os.kill(run.child(word), signal.SIGKILL)
        check_ended_by(run, name)


@pytest.mark.parametrize("name", ["pool", "nginx"])
def test_a_dead_child_ends_it_behind_nginx(sandbox, name):
    run = Run(sandbox, sandbox.folder / "checkout", WEB="nginx").ready()
    pid = run.child("nginx: master" if name == "nginx" else "wait -n")
    if name == "pool":
        pid = children(pid)[0]
    os.kill(pid, signal.SIGKILL)
    check_ended_by(run, name)


@each_child
def test_a_child_that_dies_just_before_all_is_ready(sandbox, name, word):
    """The last health check kills it, and finds all well."""
    tools = sandbox.folder / "bin"
    tools.mkdir()
    curl = tools / "curl"
    curl.write_text("#!/bin/sh\n"
                    f'{shutil.which("curl")} "$@" || exit\n'
                    f"pkill -KILL -P $PPID -f {word}\n")
    curl.chmod(0o755)
    run = Run(sandbox, sandbox.folder / "checkout",
              PATH=f"{tools}:{os.environ['PATH']}")
    check_ended_by(run, name)


def test_killed_it_takes_all_along(run):
    run.ready().process.kill()
    wait_until(lambda: not mentioning(f"{run.folder}/run"), "all are gone")
