"""The systems that are measured, each on a Redis of its own.

Ours and those for comparison are behind lighttpd with the shipped
configuration; the peers in Go serve HTTP by themselves. The pool is as
conf/15-verve.conf wants it: one responder per core that lighttpd and Redis
leave free."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field

from harness import http
from harness.redis import Redis
from harness.sandbox import Sandbox, free_port
from harness.settings import BUILD, FCGI, ROOT
from harness.wait import wait_until
from harness.web import Web

PROCS = max(1, os.cpu_count() // 2)
ACCEPT = "/api/verve/accept?id=1"
PEERS = ROOT / "bench" / "peers"


@dataclass
class System:
    name: str
    what: str
    program: str = str(FCGI)
    procs: int = PROCS
    go: bool = False
    fsync: str = "everysec"
    replicas: int = 0
    settings: dict = field(default_factory=dict)


def ours(name, what, strategy, cache, **more):
    settings = {"VERVE_DEDUP_STRATEGY": strategy,
                "VERVE_REDIS_WAIT_REPLICAS": more.get("replicas", 0)}
    if not cache:
        settings["VERVE_DEDUP_LOCAL_CACHE_IDS"] = 0
    return System(name, what, settings=settings, **more)


SYSTEMS = {system.name: system for system in [
    ours("setnx", "`dedup.strategy = setnx`, the default", "setnx", True),
    ours("set", "`dedup.strategy = set`", "set", True),
    ours("hll", "`dedup.strategy = hll`", "hll", True),
    ours("setnx, no cache", "`dedup.local_cache_ids = 0`", "setnx", False),
    ours("set, no cache", "`dedup.local_cache_ids = 0`", "set", False),
    ours("hll, no cache", "`dedup.local_cache_ids = 0`", "hll", False),
    System("ceiling", "verve-fcgi with a tally that costs nothing",
           program=str(BUILD / "bench" / "ceiling")),
    System("naive", "a blocking loop, two commands a request",
           program=str(BUILD / "bench" / "naive"), procs=2 * os.cpu_count()),
    System("gin, go-redis", "Go: SET NX and INCR in one pipeline",
           program=str(BUILD / "bench" / "goredis"), go=True),
    System("gin, rueidis", "Go: the same, pipelined over all requests",
           program=str(BUILD / "bench" / "rueidis"), go=True),
    ours("setnx, fsync always", "Redis with `appendfsync always`", "setnx",
         True, fsync="always"),
    ours("setnx, 1 replica", "`redis.wait_replicas = 1`", "setnx", True,
         replicas=1),
    ours("setnx, both", "both", "setnx", True, fsync="always", replicas=1),
]}


def build_peers():
    """Builds what is in Go; why that can't be, or None."""
    go = shutil.which("go")
    if not go:
        return "there is no Go"
    done = subprocess.run(
        [go, "build", "-o", f"{BUILD}/bench/", "./goredis", "./rueidis"],
        cwd=PEERS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False)
    return done.stdout.decode() if done.returncode else None


class Peer:
    """A service that needs no web server."""

    def __init__(self, sandbox, redis, program):
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.process = sandbox.start(
            "peer", [program],
            {"VERVE_REDIS_URL": redis.url, "PORT": self.port})
        wait_until(self.answers, "the peer answers")

    def answers(self):
        try:
            return http.fetch(self.port, ACCEPT).status == 200
        except OSError:
            return False

    def responders(self):
        return []


class Running:
    """A system that runs: host to send requests to, pids of all it is."""

    def __init__(self, system, rewriting=False):
        """rewriting: Redis may rewrite its file, as it does each 64 MB: that
        would fall into some short runs and not into others."""
        self.sandbox = Sandbox()
        try:
            self.start(system, 100 if rewriting else 0)
        except BaseException:
            self.sandbox.close()
            raise

    def start(self, system, rewrite_percentage):
        # The port is for replicas.
        redis = Redis(self.sandbox, fsync=system.fsync, port=free_port(),
                      auto_aof_rewrite_percentage=rewrite_percentage,
                      repl_diskless_sync_delay=0).start()
        servers = [redis]
        for number in range(system.replicas):
            servers.append(self.start_replica(redis, number))
        if system.go:
            web = Peer(self.sandbox, redis, system.program)
        else:
            web = Web(self.sandbox, redis, program=system.program,
                      procs=system.procs, probe=ACCEPT,
                      **system.settings).start()
        self.host = web.host
        self.pids = [server.process.pid for server in servers]
        self.pids += [web.process.pid, *web.responders()]

    def start_replica(self, redis, number):
        # Without a file of its own, whose first writing nothing may interrupt.
        replica = Redis(self.sandbox, name=f"replica{number}", appendonly="no",
                        replicaof=f"127.0.0.1 {redis.config['port']}").start()
        wait_until(lambda: "link_status:up" in replica("INFO", "replication"),
                   "the replica has all that there was")
        redis("SET", "hello", "replica")
        redis("WAIT", number + 1, 20000)  # and gets what is new
        return replica

    def close(self):
        self.sandbox.close()
