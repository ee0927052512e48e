"""vervectl doctor: each planted fault is found, with what to change."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time

import pytest
from harness.edge import right_clock
from harness.fastcgi import Responder
from harness.limited import LimitedRedis
from harness.mounts import needs_mounts, wrap
from harness.namespace import inside
from harness.namespace import needs_mounts as needs_disk
from harness.old_redis import OldRedis
from harness.operator import Operator
from harness.preload import RedisClock
from harness.redis import Redis, RedisClient, RedisError
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.settings import REDIS_SERVER
from harness.wait import wait_until

# Of all programs, so that their configurations are the same.
SETTINGS = {"VERVE_WINDOW_SECONDS": 2, "VERVE_REDIS_TIMEOUT_MS": 250,
            "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8"}
REDIS = {"maxmemory": "1gb"}
WEIGHT = {"critical": 2, "warning": 1}


class Doctor(Operator):
    """vervectl doctor; before: what stands before its command."""

    before = ()

    def argv(self, *words):
        return [*self.before, *super().argv("doctor", *words)]

    def __call__(self):
        """{name: (severity, what, change)}; each name is there once, and the
        exit code is that of the heaviest."""
        done = subprocess.run(
            self.argv("--json"), env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=60, cwd=self.sandbox.folder,
            check=False)
        assert done.stderr == b"", done
        found = json.loads(done.stdout)
        named = {one["name"]: (one["severity"], one["what"],
                               one["change"] or "") for one in found}
        assert len(named) == len(found), found
        assert done.returncode == max(WEIGHT.get(one["severity"], 0)
                                      for one in found), done
        return named

    def finds(self, severity, name, what, change):
        """Whether it finds that."""
        found = self().get(name, ("nothing", "", ""))
        assert found[0] == severity, found
        assert what in found[1], found
        assert change in found[2], found


@pytest.fixture
def doctor(sandbox, redis):
    return Doctor(sandbox, VERVE_REDIS_URL=redis.url_of("vervectl"))


def of_weight(found):
    return {name: one for name, one in found.items() if one[0] in WEIGHT}


@right_clock
def test_a_healthy_system(sandbox, redis, doctor):
    """And then what its programs may have wrong."""
    Responder(sandbox, redis).start()
    reporter = Reporter(sandbox, redis).start()
    right = {"version", "replicas", "eviction", "persistence", "memory",
             "rights", "clock", "latency", "settings", "configuration",
             "backlog", "descriptors"}

    def is_healthy():
        found = doctor()
        return not of_weight(found) and right <= {
            name for name, one in found.items() if one[0] == "ok"}
    wait_until(is_healthy, "nothing of weight", 30.0)
    text = Operator.__call__(doctor)
    assert any(line.startswith("ok        eviction       maxmemory-policy is "
                               "noeviction") for line in text)

    # A host with an old configuration, and then with an old version.
    Responder(sandbox, redis, name="old", VERVE_STATS_PATH=sandbox.folder / "s",
              VERVE_CALLBACKS_MAX_QUEUE=77).start()
    wait_until(lambda: doctor().get("configuration", " ")[0] == "warning",
               "an old configuration", 30.0)
    doctor.finds("warning", "configuration", "old configuration",
                 "copy /etc/verve/verve.conf")

    reporter.kill()
    wait_until(lambda: "reporter" in doctor(), "no reporter", 40.0)
    doctor.finds("critical", "reporter", "no reporter is alive",
                 "systemctl start verve-reporter")


def test_settings_of_redis(redis, doctor):
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    doctor.finds("critical", "eviction", "allkeys-lru",
                 f"-s {redis.path} CONFIG SET maxmemory-policy 'noeviction', "
                 "and in redis.conf: maxmemory-policy noeviction")
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")

    redis("CONFIG", "SET", "appendfsync", "no")
    doctor.finds("warning", "persistence", "appendfsync is no",
                 "CONFIG SET appendfsync 'everysec'")
    redis("CONFIG", "SET", "appendonly", "no")
    doctor.finds("warning", "persistence", "no append-only file",
                 "CONFIG SET appendonly 'yes'")
    shutil.rmtree(redis.folder)
    redis("BGSAVE")
    wait_until(lambda: "rdb_last_bgsave_status:err" in
               redis("INFO", "persistence"), "the snapshot fails")
    doctor.finds("critical", "snapshot", "the last snapshot failed", "df")

    redis("CONFIG", "SET", "maxmemory", "0")
    doctor.finds("warning", "memory", "maxmemory is not set",
                 "CONFIG SET maxmemory '")
    # 100,000 ids in a window of setnx are 34 MB.
    redis("XADD", "verve:windows", "60-0", "count", "100000")
    redis("CONFIG", "SET", "maxmemory", "60mb")
    doctor.env["VERVE_CALLBACKS_MAX_QUEUE_MB"] = "20"
    doctor.finds("warning", "memory", "ids 33 MB (setnx, 100000 in the largest "
                 "window), callbacks up to 21 MB", "CONFIG SET maxmemory '")
    redis("SETRANGE", "large", 58_000_000, "x")
    doctor.finds("critical", "memory", "% of maxmemory", "CONFIG SET maxmemory")

    redis("HSET", "verve:{0}:meta", "strategy", "hll")
    doctor.finds("critical", "settings", "dedup.strategy is hll in Redis",
                 "set dedup.strategy = hll here")
    redis("ZADD", "verve:sinks", redis.now_ms() - 3 * 86400_000,
          "file:gone:/x")
    doctor.finds("note", "sinks", "the sink file:gone:/x for 3 days",
                 "vervectl sinks forget 'file:gone:/x'")


@right_clock
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_another_user_sees_as_much(sandbox):
    """Monitoring runs neither as root nor as the programs' user."""
    redis = Redis(sandbox, maxmemory="1gb", unixsocketperm="777").start()
    Responder(sandbox, redis).start()
    Reporter(sandbox, redis).start()
    doctor = Doctor(sandbox, VERVE_REDIS_URL=redis.url)
    doctor.before = ["setpriv", "--reuid=65534", "--regid=65534",
                     "--clear-groups"]
    wait_until(lambda: {"critical", "warning", "unseen"}.isdisjoint(
        one[0] for one in doctor().values()), "all is seen and right", 30.0)


def test_replicas(redis, doctor):
    doctor.env["VERVE_REDIS_WAIT_REPLICAS"] = "1"
    doctor.finds("critical", "replicas", "redis.wait_replicas is 1, but 0",
                 "start replicas")
    assert redis("DBSIZE") == 0  # nothing was written
    redis("REPLICAOF", "127.0.0.1", free_port())
    doctor.finds("critical", "role", "is a replica", "redis.url")


def test_rights(redis, doctor):
    redis.limit_default_user("-zadd", "-xtrim")
    doctor.finds("critical", "rights", "lacks +xtrim +zadd",
                 "ACL SETUSER default +xtrim +zadd")


def test_the_shipped_rights_are_enough(sandbox):
    """What needs more is said to be unseen."""
    redis = LimitedRedis(sandbox).start()
    doctor = Doctor(sandbox, VERVE_REDIS_URL=redis.url_of("vervectl"))
    found = doctor()
    assert found["rights"][0] == found["eviction"][0] == "ok"
    assert found["rights"][1] == "the user vervectl may run all commands"
    assert "secret" not in str(found)
    redis("ACL", "SETUSER", "vervectl", "-info")
    found = doctor()
    for name in ("version", "eviction", "persistence", "memory", "kernel"):
        assert found[name][0] == "unseen", name


def test_a_redis_that_hangs(redis, doctor):
    impatient = doctor.impatient()
    doctor.script = impatient.script
    redis.freeze()
    doctor.finds("critical", "redis", "hangs: no answer within 1 s", "CONT")
    redis.thaw()
    redis.stop()
    doctor.finds("critical", "redis", "can't be used", "start Redis")


def test_a_login_that_is_refused(sandbox):
    port = free_port()
    Redis(sandbox, port=port, bind="127.0.0.1", requirepass="right").start()
    doctor = Doctor(sandbox,
                    VERVE_REDIS_URL=f"redis://default:wrong@127.0.0.1:{port}")
    doctor.finds("critical", "redis", "refuses the login", "password")


def test_a_redis_that_is_too_old(sandbox, redis):
    doctor = Doctor(sandbox, VERVE_REDIS_URL=OldRedis(sandbox, redis).url)
    doctor.finds("critical", "version", "needs Redis 7.0 or later",
                 "install Redis 7")


def test_a_wrong_clock(sandbox):
    clock = RedisClock(sandbox)
    redis = Redis(sandbox, environment=clock.environment).start()
    doctor = Doctor(sandbox, VERVE_REDIS_URL=redis.url)
    clock.step_to(-100)
    doctor.finds("warning", "clock", "the clock of Redis differs by -",
                 "timedatectl")


class Slow(threading.Thread):
    """Stands in front of Redis, and holds each answer back."""

    def __init__(self, path, pause_s):
        super().__init__(daemon=True)
        self.path, self.pause_s = path, pause_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client],
                             daemon=True).start()

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self.path))
        with client, server:
            while data := client.recv(65536):
                server.sendall(data)
                time.sleep(self.pause_s)
                client.sendall(server.recv(1 << 20))


def test_a_slow_network(sandbox, redis):
    """timeout_ms leaves too little for a pause. Nor is this Redis known to be on
    this host."""
    slow = Slow(redis.path, 0.025)
    sandbox.on_close(slow.listener.close)
    doctor = Doctor(sandbox, VERVE_REDIS_TIMEOUT_MS=50,
                    VERVE_REDIS_URL=f"redis://127.0.0.1:{slow.port}")
    doctor.finds("warning", "latency", "redis.timeout_ms is 50",
                 "[redis] timeout_ms = 1")


def test_descriptors(sandbox, redis, doctor):
    """The reporter's hard limit is too low for callbacks.concurrency."""
    Reporter(sandbox, redis, before=["prlimit", "--nofile=2000"]).start()
    wait_until(lambda: doctor()["descriptors"][0] == "warning", "few files")
    doctor.finds("warning", "descriptors", "may open 2000 files", "LimitNOFILE")
    doctor.env["VERVE_CALLBACKS_CONCURRENCY"] = "500"
    assert doctor()["descriptors"][0] == "ok"


@needs_mounts
def test_the_kernel(sandbox, redis, doctor):
    files = {"/proc/sys/vm/overcommit_memory": "2\n",
             "/proc/sys/net/core/somaxconn": "128\n",
             "/sys/kernel/mm/transparent_hugepage/enabled":
                 "[always] madvise never\n"}
    ours = {}
    for number, (path, text) in enumerate(files.items()):
        ours[path] = sandbox.folder / f"kernel-{number}"
        ours[path].write_text(text)
    doctor.before = wrap(ours)
    doctor.finds("warning", "overcommit", "vm.overcommit_memory is 2",
                 "sysctl -w vm.overcommit_memory=1")
    doctor.finds("warning", "backlog", "net.core.somaxconn is 128",
                 "sysctl -w net.core.somaxconn=4096")
    doctor.finds("note", "backlog-redis", "tcp-backlog of Redis is 511",
                 "net.core.somaxconn")
    redis("CONFIG", "GET", "disable-thp")
    assert doctor()["huge-pages"][0] == "ok"  # Redis has them off for itself
    redis.limit_default_user("+@all", "-config")
    doctor.finds("note", "huge-pages", "transparent huge pages are on",
                 "echo madvise")
    ours["/proc/sys/vm/overcommit_memory"].write_text("1\n")
    assert doctor()["overcommit"][0] == "ok"


@needs_disk
def test_a_full_disk(sandbox):
    """The append-only file can't be written."""
    folder = sandbox.folder / "disk"
    folder.mkdir()
    path = sandbox.folder / "full.sock"
    process = sandbox.start("full", [
        *inside('mount -t tmpfs -o size=1m none "$1"', folder), REDIS_SERVER,
        "--port", "0", "--unixsocket", path, "--dir", folder, "--save", "",
        "--appendonly", "yes", "--maxmemory", "1gb"])

    def connect():
        try:
            client = RedisClient(path)
            return client("PING") and client
        except OSError:
            assert process.running(), process.output()
    client = wait_until(connect, "redis answers")
    client("SET", "large", os.urandom(2_000_000))

    def failed():
        try:
            client("SET", "small", 1)
        except RedisError:
            pass
        return "aof_last_write_status:err" in client("INFO", "persistence")
    wait_until(failed, "the disk is full")
    Doctor(sandbox, VERVE_REDIS_URL=f"unix://{path}").finds(
        "critical", "persistence", "append-only file failed", "mend the disk")
    client.close()
    process.kill()


@pytest.mark.parametrize("words", [["x"], ["--jso"], ["-x"]])
def test_wrong_usage(sandbox, redis, words):
    operator = Operator(sandbox, VERVE_REDIS_URL=redis.url)
    assert operator("doctor", *words, code=100) == []
