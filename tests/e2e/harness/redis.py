"""A private redis-server or valkey-server on a unix socket, and a client for its protocol."""

import socket

from .authority import shared, tls_config
from .edge import edge_environment
from .sandbox import free_port
from .settings import REDIS_SERVER, REDIS_TLS
from .wait import wait_until


class RedisError(Exception):
    """Redis answered with an error."""


class RedisClient:
    """Just enough of RESP2 for the tests. One command at a time."""

    def __init__(self, path, seconds=30.0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        parts = [str(w).encode() if not isinstance(w, bytes) else w
                 for w in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(
            b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self.bulk(int(rest))
        return None if rest == b"-1" else [self.reply()
                                           for _ in range(int(rest))]

    def bulk(self, length):
        if length < 0:
            return None
        data = self.file.read(length + 2)
        return data[:-2].decode(errors="surrogateescape")

    def close(self):
        self.file.close()
        self.socket.close()


class Redis:
    """The server. start() after kill() or stop() uses the same socket and
    data. The client of the tests uses a unix socket; so do the programs, unless
    VERVE_TEST_REDIS is tls."""

    def __init__(self, sandbox, fsync="everysec", name="redis",
                 environment=None, **config):
        self.sandbox = sandbox
        self.name = name
        self.folder = sandbox.memory / name
        self.folder.mkdir()
        self.path = sandbox.folder / f"{name}.sock"
        self.url = f"unix://{self.path}"
        self.config = {"appendfsync": fsync, **config}
        if REDIS_TLS:
            self.use_tls(free_port(), *shared())
        self.environment = environment or edge_environment(sandbox)
        self.files = []  # of configuration, which config goes before
        self.process = None
        self.client = None
        sandbox.on_close(self.disconnect)

    def use_tls(self, port, authority, certificate, clients="no"):
        self.config.update(tls_config(port, authority, certificate, clients))
        self.url = f"rediss://127.0.0.1:{port}"

    def url_of(self, user):
        """redis.url of the program that has this user in conf/redis.acl: here
        all have the same."""
        del user
        return self.url

    def launch(self):
        """Starts it, and does not wait until it answers: start() does."""
        config = {
            "port": 0, "unixsocket": self.path, "dir": self.folder,
            "save": "", "appendonly": "yes", "maxmemory-policy": "noeviction",
            "daemonize": "no", **self.config}
        argv = [REDIS_SERVER, *self.files]
        for key, value in config.items():
            argv += [f"--{key.replace('_', '-')}", value]
        self.process = self.sandbox.start(self.name, argv, self.environment)

    def start(self):
        self.launch()
        return self.wait_ready()

    def wait_ready(self):
        self.client = wait_until(self.connect, "redis answers")
        return self

    def connect(self):
        """A client, once Redis has loaded its data."""
        try:
            client = RedisClient(self.path)
        except OSError:
            assert self.process.running(), self.process.output()
            return None
        try:
            client("PING")
            return client
        except RedisError as error:
            if not str(error).startswith("LOADING"):
                return client
        except OSError:
            pass
        client.close()
        return None

    def disconnect(self):
        if self.client:
            self.client.close()
        self.client = None

    def __call__(self, *words):
        """Runs a command: redis("GET", "key")."""
        return self.client(*words)

    def now_ms(self):
        """The server's clock."""
        seconds, us = map(int, self("TIME"))
        return seconds * 1000 + us // 1000

    def window_left_s(self, window_s=60):
        """How long the window that is on lasts yet, by the server's clock."""
        return window_s - self.now_ms() / 1000 % window_s

    def wait_for_room(self, seconds, window_s=60):
        """Returns once the window that is on lasts that long yet, for a test
        that needs all in one window."""
        wait_until(lambda: self.window_left_s(window_s) >= seconds,
                   "a window begins", seconds + 10.0, pause_s=0.05)

    def calls(self, command):
        """How often a command was called since the last CONFIG RESETSTAT."""
        for line in self("INFO", "commandstats").splitlines():
            if line.startswith(f"cmdstat_{command}:"):
                return int(line.split("calls=")[1].split(",")[0])
        return 0

    def wipe(self):
        """Deletes all data. Ends the programs' connections, too, or they would
        use their caches for a while."""
        self("FLUSHALL")
        self.end_connections()

    def limit_default_user(self, *rules):
        """Sets the rights of the programs; this client keeps all rights."""
        self("ACL", "SETUSER", "admin", "on", ">admin", "~*", "&*", "+@all")
        self("AUTH", "admin", "admin")
        self("ACL", "SETUSER", "default", *rules)

    def end_connections(self):
        """Ends the programs' connections; they connect again."""
        self("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def end_leases(self):
        """Ends all leases of sinks, as time would."""
        for key in self("KEYS", "verve:sink:*"):
            self("HDEL", key, "lease_end_ms")

    def kill(self):
        """kill -9."""
        self.disconnect()
        self.process.kill()

    def stop(self):
        self.disconnect()
        self.process.stop()

    def freeze(self):
        self.process.freeze()

    def thaw(self):
        self.process.thaw()
