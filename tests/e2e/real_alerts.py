"""Faults that are planted in running systems, and the alerts that name them: the
shipped rules in a real Prometheus, with the scrape interval that they are made
for. Run by `make test-monitoring`.

Each fault has a system of its own (Redis, lighttpd with responders, a reporter,
a receiver of callbacks, a Prometheus), and all faults are planted at the same
time, as most of the test is waiting."""

import itertools
import os
import subprocess
import threading
import time

import pytest
from harness import http
from harness.load import accept
from harness.preload import RedisClock, faketime
from harness.prometheus import RULES, Prometheus
from harness.receiver import Receiver
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import Sandbox, free_port
from harness.settings import REPORTER, ROOT
from harness.wait import wait_until
from harness.web import Web

SCRAPE_S = 15  # as in conf/prometheus/prometheus.yml
HEALTHY_S = 60  # without an alert, before a fault
MINUTE_S = 60  # from a fault to its alert
PAUSE_S = 0.1  # between two requests of a client

# Of both programs, whose digests of the configuration are compared.
COMMON = {"VERVE_REDIS_TIMEOUT_MS": 1000,
          "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8"}

# A client sends a callback a second; a circuit breaker opens after ten failures.
QUICK_REPEATS = {"VERVE_CALLBACKS_RETRY_DELAYS_S": ",".join(["1"] * 10)}


class Client:
    """Sends new ids to a web server, each tenth with an endpoint. What they are
    answered is not looked at."""

    def __init__(self, port, endpoint):
        self.port = port
        self.endpoint = endpoint
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        for number in itertools.count():
            if self.ended.wait(PAUSE_S):
                return
            endpoint = self.endpoint if number % 10 == 0 else None
            try:
                http.fetch(self.port, accept(number, endpoint))
            except (OSError, AssertionError, ValueError):
                pass

    def stop(self):
        self.ended.set()
        self.thread.join()


class System:
    """A healthy system. A fault is a subclass: plant() causes `alert`, and mend()
    ends it within two minutes, if there is one."""

    alert = None
    settings = {}  # of all its programs
    # What of vervectl names the fault, too (None: nothing), in which words (None:
    # the alert), and with which settings of the host that it runs on.
    command = ["check", "--lag", "1,10"]
    words = None
    host = {}

    def __init__(self):
        self.sandbox = Sandbox(VERVE_WINDOW_SECONDS=10, **COMMON,
                               **self.settings)
        self.receiver = Receiver()
        self.sandbox.on_close(self.close_receiver)
        self.clock = RedisClock(self.sandbox)
        self.redis = Redis(self.sandbox,
                           environment=self.clock.environment).start()
        self.webs = [self.web("web1"), self.web("web2")]
        self.reports = self.sandbox.memory / "reports"
        self.reports.mkdir()
        self.reporter_port = free_port()
        self.reporter = Reporter(
            self.sandbox, self.redis, **COMMON,
            VERVE_FILE_PATH=self.reports / "unique",
            VERVE_METRICS_LISTEN=f"127.0.0.1:{self.reporter_port}").start()
        self.prometheus = Prometheus(
            self.sandbox, {"verve-fcgi": [web.port for web in self.webs],
                           "verve-reporter": [self.reporter_port]},
            SCRAPE_S, RULES)
        self.client = Client(self.webs[0].port, self.receiver.url())
        self.sandbox.on_close(self.client.stop)

    def web(self, name):
        return Web(self.sandbox, self.redis, name, procs=1,
                   VERVE_STATS_PATH=self.sandbox.folder / f"{name}.stats"
                   ).start()

    def close_receiver(self):
        """Nobody listens on its port any more."""
        if self.receiver.loop.is_running():
            self.receiver.close()

    def operate(self, *words):
        """Runs vervectl; returns its output."""
        return subprocess.run(
            [ROOT / "ops" / "vervectl", "-f", REPORTER, *words],
            env=self.sandbox.environment(
                {"VERVE_REDIS_URL": self.redis.url, **self.host}),
            check=False, timeout=90, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def configure_second(self, **settings):
        """Starts the second web server again, with other settings; {}: with
        those of before."""
        second = self.webs[1]
        second.stop()
        before = dict(second.settings)
        second.settings.update(settings)
        second.start_server()
        second.settings = before

    def plant(self):
        pass

    def mend(self):
        pass

    def alerts(self):
        """The names of the alerts that fire."""
        return {alert["labels"]["alertname"]
                for alert in self.prometheus.firing()}

    def is_scraped(self):
        return self.prometheus.query("sum(up)") == 3


class Healthy(System):
    """Nothing befalls it."""
    words = "VERVE OK"


class RedisFrozen(System):
    alert = "VerveRedisAway"

    def plant(self):
        self.redis.freeze()

    def mend(self):
        self.redis.thaw()


class RedisFull(System):
    alert = "VerveRedisFull"

    def plant(self):
        self.redis("CONFIG", "SET", "maxmemory", 1)

    def mend(self):
        self.redis("CONFIG", "SET", "maxmemory", 0)


class NoReporter(System):
    alert = "VerveNoReporter"

    def plant(self):
        self.reporter.kill()

    def mend(self):
        self.reporter.start()


class SinkDown(System):
    """The folder of the report file is gone, and can't be made."""
    alert = "VerveSinkFailing"

    def plant(self):
        self.reports.rename(self.sandbox.memory / "away")
        self.reports.write_text("no folder")

    def mend(self):
        self.reports.unlink()
        (self.sandbox.memory / "away").rename(self.reports)


class DestinationDown(System):
    alert = "VerveDestinationsDown"
    settings = QUICK_REPEATS

    def plant(self):
        self.close_receiver()


class DestinationFails(System):
    """It answers, but not with success. What fails is the path: only the callback
    log names it."""
    alert = "VerveDestinationsDown"
    settings = QUICK_REPEATS
    command = ["tail", "-n", "9", "--no-follow"]
    words = "status=503"

    def plant(self):
        self.host = {"VERVE_CALLBACKS_LOG": self.reporter.callback_log}
        self.receiver.respond("/", 503)


class QueueFull(System):
    """By callbacks that wait for a host that is blocked."""
    alert = "VerveQueueFull"
    settings = {"VERVE_CALLBACKS_MAX_QUEUE": 5}

    def plant(self):
        self.operate("block", "127.0.0.1")

    def mend(self):
        self.operate("unblock", "127.0.0.1")


class ClockOfRedisWrong(System):
    alert = "VerveClockWrong"

    def plant(self):
        self.clock.step_to(4.0)

    def mend(self):
        self.clock.step_to(0.0)


class ClockOfHostWrong(System):
    """vervectl would name it on that host, but hangs under libfaketime."""
    alert = "VerveClockWrong"
    command = None

    def plant(self):
        self.reporter.term()
        self.before = dict(self.reporter.settings)
        self.reporter.settings.update(faketime(-4))
        self.reporter.start()

    def mend(self):
        self.reporter.term()
        self.reporter.settings = self.before
        self.reporter.start()


class HostThatRefuses(System):
    """An old configuration, with which the data must not be used: its
    responders end."""
    alert = "VerveWebHostDown"
    command = ["doctor"]
    words = "window.seconds is 10 in Redis and 20 on this host"
    host = {"VERVE_WINDOW_SECONDS": 20}

    def plant(self):
        self.configure_second(**self.host)

    def mend(self):
        self.configure_second()


class HostThatDiffers(System):
    """An old configuration, with which a host can go on."""
    alert = "VerveConfigDiffers"

    def plant(self):
        self.configure_second(VERVE_CALLBACKS_MAX_QUEUE=777)

    def mend(self):
        self.configure_second()


class DataOfOthers(System):
    """Redis's data was written with other settings, while all ran."""
    alert = "VerveRedisUnusable"
    command = ["doctor"]
    words = "window.seconds is 7 in Redis and 10 on this host"

    def plant(self):
        self.redis("HSET", "verve:{0}:meta", "window_seconds", 7)
        self.redis.end_connections()

    def mend(self):
        self.redis("HSET", "verve:{0}:meta", "window_seconds", 10)


KINDS = [Healthy, RedisFrozen, RedisFull, NoReporter, SinkDown,
         DestinationDown, DestinationFails, QueueFull, ClockOfRedisWrong, ClockOfHostWrong,
         HostThatRefuses, HostThatDiffers, DataOfOthers]
if only := os.environ.get("FAULTS"):
    KINDS = [kind for kind in KINDS if kind.__name__ in only.split(",")]


@pytest.fixture
def systems():
    found = []
    try:
        for kind in KINDS:
            found.append(kind())
        yield found
    finally:
        problems = []
        for system in found:
            try:
                system.sandbox.close()
            except AssertionError as error:
                problems.append(f"{type(system).__name__}: {error}")
        assert not problems, "\n".join(problems)


class Watch:
    """Notes when which alert of which system fires first."""

    def __init__(self, systems):
        self.systems = systems
        self.planted = {}
        self.seen = {system: {} for system in systems}

    def plant(self):
        for system in self.systems:
            self.planted[system] = time.monotonic()
            system.plant()

    def look(self):
        """True once the minute is over for all of them."""
        for system in self.systems:
            after = time.monotonic() - self.planted[system]
            if after <= MINUTE_S:
                for name in system.alerts():
                    self.seen[system].setdefault(name, round(after, 1))
        return time.monotonic() - max(self.planted.values()) > MINUTE_S

    def story(self):
        return {type(system).__name__: found
                for system, found in self.seen.items()}


def test_each_fault_is_named_within_a_minute(systems):
    """By an alert, and no other alert. Then by vervectl."""
    wait_until(lambda: all(system.is_scraped() for system in systems),
               "all are scraped", 60.0, 1.0)
    healthy_until = time.monotonic() + HEALTHY_S
    wait_until(lambda: time.monotonic() > healthy_until or
               any(system.alerts() for system in systems),
               "an alert, or a minute", HEALTHY_S + 10.0, 1.0)
    assert {type(system).__name__: system.alerts() for system in systems
            if system.alerts()} == {}, "before any fault"

    watch = Watch(systems)
    watch.plant()
    wait_until(watch.look, "a minute", MINUTE_S + 60.0, 1.0)
    print(f"seconds to each alert: {watch.story()}")
    assert {name: set(found) for name, found in watch.story().items()} == \
        {type(system).__name__: {system.alert} - {None} for system in systems}
    for system in systems:
        for alert in system.prometheus.firing():
            texts = alert["annotations"]
            assert not [text for text in texts.values() if "<" in text], texts

    for system in filter(lambda system: system.command, systems):
        said = system.operate(*system.command)
        assert (system.words or system.alert) in said, (type(system), said)

    mended = [system for system in systems
              if type(system).mend is not System.mend]
    for system in mended:
        system.mend()
    for system in mended:
        wait_until(lambda: system.alert not in system.alerts(),
                   f"{system.alert} of {type(system).__name__} ends", 120.0,
                   1.0)
