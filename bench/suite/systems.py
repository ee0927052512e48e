"""The systems that are measured, each on a Redis of its own.

A name ends with the web server in front: lighttpd with the shipped
configuration, nginx with kept connections to the service, or none (bare). The
pool is that of conf/15-verve.conf: one responder for each core that the web
server and Redis leave free."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from harness.authority import shared
from harness.redis import Redis
from harness.sandbox import Sandbox, free_port
from harness.settings import BUILD, FCGI, ROOT
from harness.three_masters import SHARDS, ThreeMasters
from harness.wait import wait_until
from harness.web import Web

from . import fronts

PROCS = max(1, os.cpu_count() // 2)
PEERS = ROOT / "bench" / "peers"
FRONTS = ("lighttpd", "nginx")
GO = ("gin, go-redis", "gin, rueidis")
# The same on a unix socket; usually services in Go listen on a port.
GO_ON_SOCKET = ("gin, go-redis, unix", "gin, rueidis, unix")
LUA = "Lua (nginx)"
LIMIT = "return 200 (nginx)"
NAIVE = "naive (lighttpd)"
# Parts of a system: a web server, the service behind it, and Redis with its
# replicas.
PARTS = ("web", "service", "redis")


def behind(name, front):
    """The name of a system."""
    return f"{name} ({front})"


def build_before():
    """The folder of an older build to compare with; None: there is none."""
    text = os.environ.get("VERVE_BUILD_BEFORE")
    folder = Path(text).resolve() if text else None
    if folder and not (folder / "verve-fcgi").exists():
        sys.exit(f"bench/run: VERVE_BUILD_BEFORE: no verve-fcgi in {folder}")
    return folder


BEFORE = build_before()


@dataclass
class System:
    name: str
    kind: str = "fastcgi"  # or http, lua, limit
    front: str = "lighttpd"  # or nginx, bare
    on_socket: bool = False  # a service in Go: on a unix socket, not a port
    program: str = str(FCGI)
    procs: int = PROCS
    fsync: str = "everysec"
    replicas: int = 0
    link: str = "unix"  # to Redis; or TCP, TLS, cluster (three masters)
    settings: dict = field(default_factory=dict)


STRATEGIES = ("setnx", "set")


def ours(name, front="lighttpd", strategy="setnx", cache=True, **more):
    settings = {"VERVE_DEDUP_STRATEGY": strategy,
                "VERVE_REDIS_WAIT_REPLICAS": more.get("replicas", 0)}
    if not cache:
        settings["VERVE_DEDUP_LOCAL_CACHE_IDS"] = 0
    return System(behind(name, front), front=front, settings=settings, **more)


def ours_behind(front):
    return [
        ours("setnx", front),
        ours("set", front, "set"),
        System(behind("ceiling", front), front=front,
               program=str(BUILD / "bench" / "ceiling")),
        *([ours(f"{strategy} before", front, strategy,
                program=str(BEFORE / "verve-fcgi"))
           for strategy in ("setnx", "set")] if BEFORE else []),
    ]


def peers_behind(front, on_socket=False):
    names = GO_ON_SOCKET if on_socket else GO
    return [System(behind(name, front), "http", front=front,
                   program=str(BUILD / "bench" / program), on_socket=on_socket)
            for name, program in zip(names, ("goredis", "rueidis"))]


SYSTEMS = {system.name: system for system in [
    *ours_behind("lighttpd"),
    ours("hll", strategy="hll"),
    *(ours(f"{strategy}, no cache", strategy=strategy, cache=False)
      for strategy in ("setnx", "set", "hll")),
    # A blocking loop, two commands a request.
    System(NAIVE, program=str(BUILD / "bench" / "naive"),
           procs=2 * os.cpu_count()),
    *peers_behind("lighttpd"),
    *peers_behind("lighttpd", on_socket=True),
    *ours_behind("nginx"),
    *peers_behind("nginx"),
    *peers_behind("nginx", on_socket=True),
    System(LUA, "lua", "nginx"),
    System(LIMIT, "limit", "nginx"),
    *peers_behind("bare"),
    ours("setnx, fsync always", fsync="always"),
    ours("setnx, 1 replica", replicas=1),
    ours("setnx, both", fsync="always", replicas=1),
    *(ours(f"setnx, {link}", "nginx", link=link) for link in ("TCP", "TLS")),
    ours("set, TCP", "nginx", "set", link="TCP"),
    *(ours(f"{strategy}, 3 shards", "nginx", strategy, link="cluster")
      for strategy in STRATEGIES),
]}


def build_peers():
    """Builds the services in Go. None, or the reason why that failed."""
    go = shutil.which("go")
    if not go:
        return "there is no Go"
    done = subprocess.run(
        [go, "build", "-o", f"{BUILD}/bench/", "./goredis", "./rueidis"],
        cwd=PEERS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False)
    return done.stdout.decode() if done.returncode else None


def missing_systems():
    """{name of a system: why it can't be run}."""
    no_go, no_nginx = build_peers(), fronts.nginx_is_missing()
    no_lua = fronts.lua_is_missing()
    why = {system.name: system.kind == "http" and no_go
           or system.kind == "lua" and no_lua
           or system.front == "nginx" and no_nginx
           for system in SYSTEMS.values()}
    return {name: reason for name, reason in why.items() if reason}


def start_redis(sandbox, system, rewrite_percentage=0):
    """The Redis of a system, or its cluster."""
    config = {"fsync": system.fsync,
              "auto_aof_rewrite_percentage": rewrite_percentage}
    if system.link == "cluster":
        sandbox.settings["VERVE_REDIS_SHARDS"] = SHARDS
        return ThreeMasters(sandbox, **config).start()
    # The port is for replicas, or for TCP.
    port = free_port()
    redis = Redis(sandbox, port=port, repl_diskless_sync_delay=0, **config)
    if system.link == "TCP":
        redis.url = f"redis://127.0.0.1:{port}"
    elif system.link == "TLS":
        authority, certificate = shared()
        redis.use_tls(port, authority, certificate)
        sandbox.settings["VERVE_REDIS_CA_FILE"] = authority.path
    return redis.start()


def servers_of(system, redis):
    return redis.nodes if system.link == "cluster" else [redis]


class Running:
    """A system that runs: its host, and the pids of all its processes,
    {part: [pid, ...]}."""

    def __init__(self, system, rewriting=False):
        """rewriting: Redis may rewrite its file after each 64 MB. Without that,
        short runs can be compared."""
        self.sandbox = Sandbox()
        try:
            self.start(system, 100 if rewriting else 0)
        except BaseException:
            self.sandbox.close()
            raise

    def start(self, system, rewrite_percentage):
        redis = start_redis(self.sandbox, system, rewrite_percentage)
        self.redis = redis
        servers = servers_of(system, redis)
        for number in range(system.replicas):
            servers.append(self.start_replica(redis, number))
        start = {"fastcgi": self.start_ours, "http": self.start_peer,
                 "lua": self.start_lua, "limit": self.start_limit}
        self.host, web, service = start[system.kind](system, redis)
        self.pids = {"web": web, "service": service,
                     "redis": [server.process.pid for server in servers]}

    # Each of these functions returns the host, and the pids of web server and
    # service.

    def start_ours(self, system, redis):
        # An older build may not know it.
        settings = {"VERVE_METRICS_LISTEN": None, **system.settings}
        if system.front == "lighttpd":
            web = Web(self.sandbox, redis, program=system.program,
                      procs=system.procs, probe=fronts.ACCEPT,
                      **settings).start()
            return web.host, [web.process.pid], web.responders()
        pool = fronts.Pool(self.sandbox, system.program, system.procs,
                           {"VERVE_REDIS_URL": redis.url, **settings})
        web = fronts.nginx_ours(self.sandbox, pool)
        return web.host, web.pids(), pool.pids()

    def start_peer(self, system, redis):
        peer = fronts.Peer(self.sandbox, redis, system.program,
                           system.on_socket)
        if system.front == "bare":
            return peer.host, [], peer.pids()
        before = {"lighttpd": fronts.lighttpd_proxy,
                  "nginx": fronts.nginx_before}[system.front]
        web = before(self.sandbox, peer)
        return web.host, web.pids(), peer.pids()

    def start_lua(self, _system, redis):
        web = fronts.nginx_lua(self.sandbox, redis)
        return web.host, web.pids(), []

    def start_limit(self, _system, _redis):
        web = fronts.nginx_limit(self.sandbox)
        return web.host, web.pids(), []

    def start_replica(self, redis, number):
        # Without an append-only file, whose first rewrite must not be
        # interrupted.
        replica = Redis(self.sandbox, name=f"replica{number}", appendonly="no",
                        replicaof=f"127.0.0.1 {redis.config['port']}").start()
        wait_until(lambda: "link_status:up" in replica("INFO", "replication"),
                   "the replica has all that there was")
        redis("SET", "hello", "replica")
        redis("WAIT", number + 1, 20000)  # until it follows
        return replica

    def scripts(self):
        """How many Redis has run so far."""
        return self.redis.calls("evalsha") + self.redis.calls("eval")

    def close(self):
        self.sandbox.close()
