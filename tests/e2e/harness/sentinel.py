"""A master, its replicas and sentinels, which fail over by themselves."""

from .redis import Redis, RedisClient, RedisError
from .sandbox import free_port
from .settings import REDIS_SERVER, ROOT
from .wait import wait_until

MASTER = "verve"
DOWN_MS = 1000  # until a server that does not answer counts as down
FAILOVER_MS = 6000
QUORUM = 2


def door_to(sandbox, port, gate):
    """The port by which others reach a server: that of gate(port), which has to
    pass on what comes, or its own."""
    if gate is None:
        return port, None
    made = gate(port)
    sandbox.on_close(made.close)
    return made.port, made


class Node(Redis):
    """A server that may be master or replica, by TCP, too."""

    def __init__(self, sandbox, name, port=None, gate=None, **config):
        self.port = port or free_port()
        self.door, self.gate = door_to(sandbox, self.port, gate)
        if gate:
            config["replica_announce_port"] = self.door
        super().__init__(
            sandbox, name=name, port=self.port, bind="127.0.0.1",
            enable_debug_command="yes", repl_diskless_sync_delay=0,
            repl_ping_replica_period=1, **config)

    def __call__(self, *words):
        """A sentinel that changes a server's role ends all connections."""
        try:
            return super().__call__(*words)
        except OSError:
            self.disconnect()
            self.client = RedisClient(self.path)
            return super().__call__(*words)

    def info(self, field):
        for line in self("INFO", "replication").splitlines():
            if line.startswith(f"{field}:"):
                return line.split(":")[1].strip()
        return None

    def is_master(self):
        return self.info("role") == "master"

    def follows(self):
        return self.info("master_link_status") == "up"

    def programs(self, name="verve-"):
        """How many of their processes are connected."""
        return self("CLIENT", "LIST").count(f"name={name}")

    def has_program(self):
        """Whether a responder is."""
        return self.programs("verve-fcgi") > 0


class Sentinel:
    """One sentinel, with the shipped configuration. It monitors the master at
    that port; login: more lines."""

    def __init__(self, sandbox, name, port, login="", gate=None):
        self.sandbox = sandbox
        self.name = name
        self.port = free_port()
        self.door, self.gate = door_to(sandbox, self.port, gate)
        self.path = sandbox.folder / f"{name}.sock"
        self.file = sandbox.folder / f"{name}.conf"
        own = {"port ": self.port, "bind ": "127.0.0.1",
               "dir ": sandbox.folder,
               f"sentinel monitor {MASTER} ": f"127.0.0.1 {port} {QUORUM}",
               f"sentinel down-after-milliseconds {MASTER} ": DOWN_MS,
               f"sentinel failover-timeout {MASTER} ": FAILOVER_MS}
        lines = (ROOT / "conf" / "redis-sentinel.conf").read_text().splitlines()
        for key, value in own.items():
            at = next(i for i, line in enumerate(lines)
                      if line.startswith(key))
            lines[at] = f"{key}{value}"
        lines += [f"unixsocket {self.path}", "sentinel announce-ip 127.0.0.1",
                  f"sentinel announce-port {self.door}", *login.splitlines()]
        self.file.write_text("\n".join(lines) + "\n")
        self.process = None
        self.client = None

    def start(self):
        self.process = self.sandbox.start(
            self.name, [REDIS_SERVER, self.file, "--sentinel"])
        self.client = wait_until(self.connect, f"{self.name} answers", 20.0)
        return self

    def connect(self):
        try:
            return RedisClient(self.path)
        except (OSError, RedisError):
            assert self.process.running(), self.process.output()
            return None

    def __call__(self, *words):
        return self.client(*words)

    def status(self, field):
        """What it says of the master."""
        reply = self("SENTINEL", "MASTER", MASTER)
        return dict(zip(reply[::2], reply[1::2]))[field]

    def knows(self):
        """(replicas, other sentinels) that it knows of."""
        return (int(self.status("num-slaves")),
                int(self.status("num-other-sentinels")))

    def master_door(self):
        return int(self("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])

    def kill(self):
        self.client.close()
        self.process.kill()

    def freeze(self):
        self.process.freeze()

    def thaw(self):
        self.process.thaw()


class SentinelGroup:
    """The servers are `nodes`; one is the master. gate: see door_to."""

    def __init__(self, sandbox, replicas=2, sentinels=3, login="", gate=None,
                 **config):
        self.sandbox = sandbox
        self.login = ""  # of redis.url, with @
        self.gate = gate
        self.nodes = [Node(sandbox, f"redis-{i}", gate=gate, **config)
                      for i in range(replicas + 1)]
        self.first_port = self.nodes[0].door  # what sentinels begin with
        self.replicas_port = self.first_port  # what replicas begin with
        self.sentinel_login = login
        self.sentinels = []
        self.sentinel_count = sentinels

    def start(self):
        self.nodes[0].start()
        for node in self.nodes[1:]:
            node.config["replicaof"] = f"127.0.0.1 {self.replicas_port}"
            node.start()
        wait_until(lambda: all(node.follows() for node in self.nodes[1:]),
                   "the replicas follow", 30.0)
        self.start_sentinels()
        return self

    def start_sentinels(self):
        for i in range(self.sentinel_count):
            self.sentinels.append(
                Sentinel(self.sandbox, f"sentinel-{i}", self.first_port,
                         self.sentinel_login, self.gate).start())
        if not self.sentinel_login:
            self.wait_known()

    def wait_known(self):
        want = len(self.nodes) - 1, len(self.sentinels) - 1
        wait_until(lambda: all(one.knows() == want for one in self.sentinels),
                   "the sentinels know all", 40.0, 0.1)

    @property
    def url(self):
        hosts = ",".join(f"127.0.0.1:{one.door}" for one in self.sentinels)
        return f"redis+sentinel://{self.login}{hosts}/{MASTER}"

    def url_of(self, user):
        """As harness.redis.Redis: all programs have the same rights."""
        del user
        return self.url

    def masters(self):
        found = []
        for node in self.nodes:
            try:
                if node.process.running() and node.client and node.is_master():
                    found.append(node)
            except (OSError, RedisError):
                pass
        return found

    def wait_promoted(self, old, seconds=40.0):
        """The node that takes over from old, at the moment that it does."""
        def look():
            others = [node for node in self.nodes if node is not old]
            return next((node for node in others if node.is_master()), None)
        return wait_until(look, "a replica takes over", seconds, 0.01)

    def set_down_after(self, ms):
        """Until a server that does not answer counts as down."""
        for one in self.sentinels:
            one("SENTINEL", "SET", MASTER, "down-after-milliseconds", ms)

    def fail_over(self):
        """Planned; as soon as Sentinel is ready for one."""
        def begin():
            try:
                return self.sentinels[0]("SENTINEL", "FAILOVER", MASTER) == "OK"
            except RedisError as error:
                assert "INPROG" in str(error) or "NOGOODSLAVE" in str(error)
                return False
        wait_until(begin, "a failover begins", 40.0, 0.1)

    def __call__(self, *words):
        return self.masters()[0](*words)


