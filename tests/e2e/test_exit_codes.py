"""Exit code 100 means that a restart is vain: the service manager then leaves
the program alone. So each error in a configuration has to be 100, and nothing
that ends by itself may be."""

import threading

import pytest
from harness.fastcgi import Responder
from harness.redis import RedisClient, RedisError
from harness.reporter import Reporter
from harness.settings import FCGI, REPORTER
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 1, "VERVE_REDIS_TIMEOUT_MS": 250}


# Arguments, the text of the file or None, variables.
WRONG = {
    "an unknown flag": (["-x"], "", {}),
    "an argument": (["start"], "", {}),
    "no file": ([], None, {}),
    "no line": ([], "nonsense\n", {}),
    "an unknown section": ([], "[nonsense]\nx = 1\n", {}),
    "an unknown key": ([], "[window]\nnonsense = 1\n", {}),
    "a wrong value": ([], "[window]\nseconds = x\n", {}),
    "values that do not fit": (
        [], "[callbacks]\ntimeout_ms = 60000\nlease_s = 5\n", {}),
    "a wrong variable": ([], "", {"VERVE_LOG_LEVEL": "loud"}),
    "no Redis's address": ([], "", {"VERVE_REDIS_URL": "http://h/"}),
    "an unknown scheme": ([], "", {"VERVE_REDIS_URL": "redis+nonsense://h/m"}),
    "no name of the master": ([], "",
                              {"VERVE_REDIS_URL": "redis+sentinel://h"}),
    "no host": ([], "", {"VERVE_CALLBACKS_HOSTS": "|"}),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("command", [[FCGI], [REPORTER]])
def test_a_wrong_configuration(sandbox, name, command):
    flags, text, settings = WRONG[name]
    path = sandbox.folder / "verve.conf"
    if text is not None:
        path.write_text(text)
    process = sandbox.start("wrong", [*command, *flags],
                            {"VERVE_CONF": path, **settings})
    assert process.wait() == 100
    assert process.output()


class Setting:
    """A parameter of Redis with which it refuses; another value ends that."""

    def __init__(self, name, value, ended):
        self.name, self.value, self.ended = name, value, ended

    def begin(self, redis):
        redis("CONFIG", "SET", self.name, self.value)

    def end(self, redis):
        redis("CONFIG", "SET", self.name, self.ended)


class Replica:
    """Of a master that is away."""

    def __init__(self, stale):
        self.stale = stale  # whether it may answer all the same

    def begin(self, redis):
        redis("CONFIG", "SET", "replica-serve-stale-data", self.stale)
        redis("REPLICAOF", "127.0.0.1", "1")

    def end(self, redis):
        redis("REPLICAOF", "NO", "ONE")


class Busy:
    """Runs a script that does not end."""

    def begin(self, redis):
        redis("CONFIG", "SET", "busy-reply-threshold", "10")
        self.client = RedisClient(redis.path)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        wait_until(lambda: self.is_busy(redis), "it is busy")

    def run(self):
        try:
            self.client("EVAL", "while true do end", 0)
        except RedisError:
            pass  # it was killed

    @staticmethod
    def is_busy(redis):
        try:
            redis("PING")
            return False
        except RedisError as error:
            return str(error).startswith("BUSY")

    def end(self, redis):
        redis("SCRIPT", "KILL")
        self.thread.join()
        self.client.close()


class Unsaved:
    """Its last snapshot failed: a folder has the name of the file."""

    def begin(self, redis):
        redis("CONFIG", "SET", "save", "3600 1")
        (redis.folder / "dump.rdb").mkdir()
        redis("BGSAVE", "SCHEDULE")
        self.wait(redis, "err")

    def end(self, redis):
        (redis.folder / "dump.rdb").rmdir()
        redis("BGSAVE", "SCHEDULE")
        self.wait(redis, "ok")

    @staticmethod
    def wait(redis, status):
        wait_until(lambda: f"rdb_last_bgsave_status:{status}" in
                   redis("INFO", "persistence"), f"the snapshot: {status}")


class Frozen:
    def begin(self, redis):
        redis.freeze()

    def end(self, redis):
        redis.thaw()


class Away:
    def begin(self, redis):
        redis.kill()

    def end(self, redis):
        redis.start()


PASSING = {
    "away": Away(),
    "frozen": Frozen(),
    "no more clients": Setting("maxclients", 1, 1000),
    "out of memory": Setting("maxmemory", 1, 0),
    "too few replicas": Setting("min-replicas-to-write", 1, 0),
    "a replica": Replica("yes"),
    "a replica without data": Replica("no"),
    "busy": Busy(),
    "unsaved": Unsaved(),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_ends_by_itself_is_waited_for(sandbox, redis, name):
    fault = PASSING[name]
    fault.begin(redis)
    responder = Responder(sandbox, redis).start()
    reporter = Reporter(sandbox, redis).start()
    assert responder.ask("/readyz").status == 503
    fault.end(redis)
    wait_until(lambda: responder.ask("/readyz").status == 200,
               "it can be used", 20.0)
    wait_until(lambda: redis("XLEN", "verve:windows"), "a record", 20.0)
    assert responder.process.running() and reporter.process.running()
