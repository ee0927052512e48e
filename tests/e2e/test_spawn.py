"""verve-spawn: a pool on one listener that the web server did not start."""

import os
import signal
import stat
import subprocess
import threading

import pytest
from harness.load import Load, accept
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

    def __call__(self, action, program=FCGI, **env):
        # As the user who runs the tests, even if that is root.
        return subprocess.run(
            [SPAWN, "-n", str(COUNT), "-s", self.socket, "-f", program,
             "-u", "", "-g", "", action], env={**self.env, **env}, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=30)

    def pids(self):
        return [int(line) for line in self.pids_file.read_text().split()]


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


@every_server
def test_a_reload_loses_no_request(sandbox, pool, web):
    """Of 50,000, among them those on connections that nginx keeps."""
    load = Load(sandbox, [web.host], map(accept, range(scaled(50000))),
                connections=32, rate=scaled(4000))
    reloads = 0
    while load.process.running():
        before = pool.pids()
        done = pool("reload")
        assert done.returncode == 0, done.stderr
        assert not set(before) & set(pool.pids())
        reloads += 1
    load.finish()
    assert reloads > 3
    assert all(row.ok for row in load.rows)


def test_status_and_a_full_pool_again(pool, web):
    assert pool("status").returncode == 0
    os.kill(pool.pids()[0], signal.SIGKILL)
    wait_until(lambda: pool("status").returncode == 1, "one is missing")
    assert web.get(accept(7)).body == b"ok"
    assert pool("reload").returncode == 0
    assert pool("status").returncode == 0


def test_a_second_start_is_refused(pool, web):
    before = pool.pids()
    done = pool("start")
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert pool.pids() == before


def test_a_wrong_configuration_leaves_the_pool_alone(pool, web):
    before = pool.pids()
    done = pool("reload", VERVE_WINDOW_SECONDS="x")
    assert done.returncode == 1
    assert "VERVE_WINDOW_SECONDS" in done.stderr
    assert pool.pids() == before
    assert web.get(accept(7)).body == b"ok"


def test_a_reload_that_fails_says_why_and_leaves_nothing(redis, pool, web):
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    assert_not_reloaded(redis, pool, web)


def test_a_reload_waits_for_what_a_slow_redis_says(redis, pool, web):
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis.freeze()
    threading.Timer(0.7, redis.thaw).start()
    assert_not_reloaded(redis, pool, web)


def assert_not_reloaded(redis, pool, web):
    """With a Redis that no responder may start with."""
    before = pool.pids()
    done = pool("reload")
    assert done.returncode == 1
    assert "set maxmemory-policy noeviction" in done.stderr
    assert pool.pids() == before
    assert not list(pool.socket.parent.glob("*.new"))
    assert web.get(accept(7)).body == b"ok"


def test_a_pool_that_does_not_come_up(pool):
    done = pool("start", program="/bin/true")
    assert done.returncode == 1
    assert not pool.socket.exists()
