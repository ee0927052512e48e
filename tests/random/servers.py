"""Redis behind one path: the programs connect to a symbolic link, which leads
to the server that is the master. It is there only while the server is meant to
be reached, so that its data can be read before the programs see it."""

import os
import shutil
import threading
import time

from facts import read_state
from harness.redis import RedisClient, RedisError
from harness.sandbox import free_port
from harness.settings import REDIS_SERVER
from harness.wait import wait_until
from relay import Relay


class Node:
    """One redis-server."""

    def __init__(self, sandbox, name, environment, **config):
        self.sandbox = sandbox
        self.name = name
        self.environment = environment
        self.config = config
        self.path = sandbox.folder / f"{name}.sock"
        self.folder = sandbox.memory / name
        self.folder.mkdir()
        self.process = None
        self.client = None

    def start(self, **config):
        config = {
            "port": 0, "bind": "127.0.0.1", "unixsocket": self.path,
            "dir": self.folder, "save": "", "appendonly": "yes",
            "maxmemory-policy": "noeviction", "daemonize": "no",
            "enable-debug-command": "yes", "repl-diskless-sync-delay": 0,
            **self.config, **config}
        argv = [REDIS_SERVER]
        for key, value in config.items():
            argv += [f"--{key}", value]
        self.process = self.sandbox.start(self.name, argv, self.environment)
        self.client = wait_until(self.connect, f"{self.name} answers", 20.0)
        return self

    def connect(self):
        try:
            client = RedisClient(self.path)
            client("PING")
            return client
        except (OSError, RedisError):
            assert self.process.running(), self.process.output()
            return None

    def __call__(self, *words):
        return self.client(*words)

    def kill(self):
        self.client.close()
        self.process.kill()

    def follows(self):
        return "master_link_status:up" in self("INFO", "replication")


class Reader:
    """Reads the state by a connection of its own."""

    def __init__(self, path):
        self.path = path
        self.client = None

    def read(self):
        try:
            self.client = self.client or RedisClient(self.path, 1.0)
            return read_state(self.client)
        except (OSError, RedisError):
            self.client = None
            raise


class Store:
    """The master, its replica if there is one, and the link."""

    def __init__(self, sandbox, environment, fsync, replica):
        self.sandbox = sandbox
        self.environment = environment
        self.fsync = fsync
        self.link = sandbox.folder / "redis.sock"
        self.url = f"unix://{self.link}"
        self.moving = threading.Lock()  # never: there is one server
        self.made = 0
        self.master = self.make(replica).start()
        self.replica = None
        self.relay = None
        sandbox.on_close(self.close_relay)
        if replica:
            self.add_replica()
        self.publish()

    def make(self, network):
        self.made += 1
        port = {"port": free_port()} if network else {}
        return Node(self.sandbox, f"redis-{self.made}", self.environment,
                    appendfsync=self.fsync, **port)

    def add_replica(self):
        self.relay = Relay(self.master.config["port"])
        self.replica = self.make(True).start(
            replicaof=f"127.0.0.1 {self.relay.port}")

    def close_relay(self):
        if self.relay:
            self.relay.close()

    def wait_replica(self):
        wait_until(self.replica.follows, "the replica follows", 20.0, 0.05)

    def publish(self):
        """The programs reach the master, whatever they could reach before."""
        new = self.link.with_name("redis.new")
        os.symlink(self.master.path, new)
        os.replace(new, self.link)

    def reader(self):
        return Reader(self.link)

    def state(self):
        """What Redis has, even if programs don't reach it."""
        return read_state(self.master.client)

    def hide(self):
        self.link.unlink(missing_ok=True)

    def url_of(self, user):
        """As harness.redis.Redis: all programs have the same rights."""
        del user
        return self.url

    def __call__(self, *words):
        return self.master(*words)

    def kill(self):
        """kill -9 of the master. Returns when it was dead."""
        self.hide()
        self.master.kill()
        return time.time()

    def restart_from_snapshot(self):
        shutil.rmtree(self.master.folder / "appendonlydir")
        self.master.start(appendonly="no")
        self.master("CONFIG", "SET", "appendonly", "yes")

    def cut_file(self, cut):
        """Cuts the end of the append-only file: cut(size) bytes of it."""
        files = sorted((self.master.folder / "appendonlydir").glob("*.incr.*"),
                       key=lambda path: int(path.name.split(".")[-3]))
        size = files[-1].stat().st_size
        os.truncate(files[-1], max(0, size - cut(size)))

    def fail_over(self):
        """The replica is the master; what was the master is dead."""
        self.close_relay()
        self.master, self.replica = self.replica, None
        self.master("REPLICAOF", "NO", "ONE")
