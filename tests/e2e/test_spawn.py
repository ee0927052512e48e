"""verve-spawn: a pool on one listener that the web server did not start."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness.fastcgi import Responder
from harness.load import Load, accept
from harness.log_lines import logged
from harness.process import living, name_of
from harness.servers import every_server
from harness.settings import FCGI, ROOT, scaled
from harness.wait import wait_until

SPAWN = ROOT / "ops" / "verve-spawn"
COUNT = 3


class Pool:
    def __init__(self, sandbox, redis):
        self.socket = sandbox.folder / "pool.socket"
        self.pids_file = sandbox.folder / "pool.pid"
        self.env = sandbox.environment({"VERVE_REDIS_URL": redis.url})

    def __call__(self, *actions, program=FCGI, user="", **env):
        """user "": who runs the tests, even if that is root."""
        return subprocess.run(
            [SPAWN, "-n", str(COUNT), "-s", self.socket, "-f", program,
             "-u", user, "-g", "", *actions], env={**self.env, **env},
            text=True, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=30)

    def pids(self):
        return [int(line) for line in self.pids_file.read_text().split()]


def environment_of(pid, name):
    """A variable of a process (proc(5)); None if it is gone."""
    try:
        words = Path(f"/proc/{pid}/environ").read_text().split("\0")
    except OSError:
        return None
    return dict(word.split("=", 1) for word in words if word).get(name)


@pytest.fixture
def pool(sandbox, redis):
    pool = Pool(sandbox, redis)
    yield pool
    assert pool("stop").returncode == 0
    assert pool("status").returncode == 3


@pytest.fixture
def web(sandbox, redis, pool, make_web):
    done = pool("start")
    assert done.returncode == 0, done.stderr
    return make_web(sandbox, redis, VERVE_FCGI="",
                    VERVE_SOCKET=pool.socket).start()


@every_server
def test_the_web_server_connects_to_the_pool(pool, web):
    assert web.get(accept(7)).body == b"ok"
    assert not web.responders()
    assert len(pool.pids()) == COUNT
    assert stat.S_IMODE(pool.socket.stat().st_mode) == 0o660


def test_the_log_of_a_pool_is_not_lost(sandbox, pool):
    """spawn-fcgi drops stderr: a path of the configuration is kept."""
    log = sandbox.folder / "verve.txt"
    conf = sandbox.folder / "verve.conf"
    conf.write_text(f"[log]\ntarget = {log}\n")
    assert pool("start").returncode == 0
    assert environment_of(pool.pids()[0], "VERVE_LOG_TARGET") == "syslog"
    assert pool("stop").returncode == 0
    assert pool("start", VERVE_CONF=str(conf)).returncode == 0
    assert environment_of(pool.pids()[0], "VERVE_LOG_TARGET") == str(log)
    wait_until(lambda: log.exists() and sum(
        line["msg"] == "ready" for line in logged(log.read_text())) == COUNT,
        "all are ready")


@every_server
def test_a_restart_loses_no_request(sandbox, pool, web):
    """Of 50,000, among them those on connections that nginx keeps."""
    load = Load(sandbox, [web.host], map(accept, range(scaled(50000))))
    restarts = 0
    while load.process.running():
        before = pool.pids()
        done = pool("restart")
        assert done.returncode == 0, done.stderr
        assert not set(before) & set(pool.pids())
        restarts += 1
    load.finish()
    assert restarts > 3
    assert all(row.ok for row in load.rows)


def test_status_and_a_full_pool_again(pool, web):
    assert pool("status").returncode == 0
    os.kill(pool.pids()[0], signal.SIGKILL)
    wait_until(lambda: pool("status").returncode == 1, "one is missing")
    assert web.get(accept(7)).body == b"ok"
    assert pool("restart").returncode == 0
    assert pool("status").returncode == 0


def test_a_second_start_is_refused(pool, web):
    before = pool.pids()
    done = pool("start")
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert pool.pids() == before


def test_a_wrong_configuration_leaves_the_pool_alone(pool, web):
    before = pool.pids()
    done = pool("restart", VERVE_WINDOW_SECONDS="x")
    assert done.returncode == 100
    assert "VERVE_WINDOW_SECONDS" in done.stderr
    assert pool.pids() == before
    assert web.get(accept(7)).body == b"ok"


def test_restarts_at_the_same_time(pool, web):
    """Come one after the other, and leave one pool."""
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(lambda _: pool("restart"), range(3)))
    assert [one.returncode for one in done] == [0, 0, 0], done
    pids = set(pool.pids())
    assert len(pids) == COUNT
    for _ in range(20):
        assert web.get(accept(7)).body == b"ok"
    assert {pid for pid, _ in living() if name_of(pid) == "verve-fcgi" and
            environment_of(pid, "VERVE_REDIS_URL") ==
            pool.env["VERVE_REDIS_URL"]} == pids


def test_a_check(pool):
    done = pool("check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = pool("check", VERVE_WINDOW_SECONDS="x")
    assert (done.returncode, done.stdout) == (100, "")
    assert "VERVE_WINDOW_SECONDS" in done.stderr
    done = pool("check", program="/bin/false")
    assert done.returncode == 1
    assert "cannot check" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_the_configuration_is_read_by_the_user_of_the_pool(sandbox, pool):
    """Whose rights are not those of root."""
    program = sandbox.folder / "verve-fcgi"
    shutil.copy(FCGI, program)  # in a folder that all may read
    verve_conf = sandbox.folder / "verve.conf"
    verve_conf.write_text("[redis]\ntimeout_ms = 100\n")
    env = {"program": program, "user": "nobody", "VERVE_CONF": str(verve_conf)}
    verve_conf.chmod(0o600)
    assert pool("check", **{**env, "user": ""}).returncode == 0
    done = pool("check", **env)
    assert done.returncode == 100
    assert "verve.conf" in done.stderr
    verve_conf.chmod(0o644)
    assert pool("check", **env).returncode == 0
    # Others than root check as themselves, as in `lighttpd -tt`.
    script = sandbox.folder / "verve-spawn"
    shutil.copy(SPAWN, script)
    done = subprocess.run([script, "-u", "daemon", "check"], user="nobody",
                          env={**pool.env, "VERVE_CONF": str(verve_conf)},
                          capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [[], ["nonsense"], ["start", "-n", "2"],
                                   ["-n", "x", "start"], ["-n", "0", "start"]])
def test_wrong_usage(pool, words):
    assert pool(*words).returncode == 100
    assert not pool.socket.exists()


@pytest.mark.parametrize("action", ["start", "restart"])
def test_the_socket_of_another_pool_is_left_alone(sandbox, redis, pool,
                                                  action):
    """As that of systemd's socket unit, which has the same path."""
    other = Responder(sandbox, redis, "pool").start()
    other.path.rename(pool.socket)
    done = pool(action)
    assert done.returncode == 1
    assert "belongs to another pool" in done.stderr
    other.path = pool.socket
    assert other.ask(accept(7)).body == b"ok"


def test_a_socket_that_was_left_over(sandbox, pool):
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(pool.socket))
    assert pool("start").returncode == 0
    assert pool("status").returncode == 0


def test_a_restart_that_fails_says_why_and_leaves_nothing(redis, pool, web):
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert_not_restarted(redis, pool, web)


def test_a_restart_waits_for_what_a_slow_redis_says(redis, pool, web):
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis.freeze()
    threading.Timer(0.7, redis.thaw).start()
    assert_not_restarted(redis, pool, web)


def assert_not_restarted(redis, pool, web):
    """With a Redis that no responder may start with."""
    before = pool.pids()
    done = pool("restart")
    assert done.returncode == 1
    assert "set maxmemory-policy noeviction" in done.stderr
    assert pool.pids() == before
    assert not list(pool.socket.parent.glob("*.new"))
    assert web.get(accept(7)).body == b"ok"


def test_a_pool_that_does_not_come_up(pool):
    done = pool("start", program="/bin/true")
    assert done.returncode == 1
    assert not pool.socket.exists()
