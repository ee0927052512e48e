"""What an attack on callbacks runs on: one build's programs on a Redis of their
own, a healthy destination that is called at a steady rate meanwhile, and what
is measured of it."""

import math
import os
import resource
import struct
import subprocess
import threading
import time
from collections import Counter

from harness.load import accept
from harness.mounts import wrap
from harness.process import memory_kb, processes_of_group, stat_fields
from harness.queue import standing
from harness.records import REPORT_LINE, complete_lines, epoch
from harness.receiver import Receiver
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import Sandbox
from harness.settings import BUILD, LOAD
from harness.wait import wait_until
from harness.web import Web

WINDOW_S = 5
GRACE_S = 5  # after the last request, until a callback counts as undelivered
BARRIER_S = 2  # no report comes sooner after the start
RATE = 9  # healthy callbacks a second


def percentile(values, percent):
    """None if there are no values, or it is infinite: JSON has no such
    number."""
    ranked = sorted(values)
    if not ranked:
        return None
    value = ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]
    return value if math.isfinite(value) else None


def raise_fd_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def has_option(build, key):
    """Whether the reporter of this build knows the option."""
    return subprocess.run([build / "verve-reporter", "-p", key], check=False,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


class Destinations:
    """bench/receiver.c: ports of 127.0.0.1, or with spread of 127.0.0.0/8."""

    def __init__(self, sandbox, name, ports=1, hung=0, spread=False):
        self.rows_path = sandbox.folder / f"{name}.rows"
        self.process = sandbox.start(name, [
            BUILD / "bench" / "receiver", *(["-a"] if spread else []),
            "-p", ports, "-u", hung, "-o", self.rows_path])
        wait_until(lambda: self.process.output().endswith("\n"), "it listens")
        self.ports = [int(word) for word in self.process.output().split()]

    def url(self, number):
        """The destinations in turn."""
        port = self.ports[number % len(self.ports)]
        return f"http://127.0.0.1:{port}/{number}"

    def spread_url(self, number):
        """Each number has a host of its own."""
        host = f"127.{100 + number // 62500}.{number // 250 % 250}." \
               f"{1 + number % 250}"
        return f"http://{host}:{self.ports[0]}/{number}"

    def rows(self):
        """[(number, when it arrived, in s)]; ends the receiver."""
        if self.process.running():
            self.process.stop()
        return [(number, at_us / 1e6) for number, at_us in struct.iter_unpack(
            "=qq", self.rows_path.read_bytes())]


class Stream(threading.Thread):
    """Requests at a steady rate, each with an endpoint of its number, and when
    they were to be sent. The endpoint None: requests without."""

    def __init__(self, web, url_of, seconds, rate=RATE, first_id=10**12):
        super().__init__(daemon=True)
        self.web = web
        self.url_of = url_of
        self.count = int(seconds * rate)
        self.rate = rate
        self.first_id = first_id
        self.intended = {}  # number: when, of those that were accepted
        self.answers = Counter()

    def run(self):
        begin = time.time()
        for number in range(self.count):
            at = begin + number / self.rate
            time.sleep(max(0, at - time.time()))
            url = self.url_of(number) if self.url_of else None
            try:
                status = self.web.get(accept(self.first_id + number,
                                             url)).status
            except OSError:
                status = 0
            self.answers[status] += 1
            if status == 200:
                self.intended[number] = at

    def delivery(self, arrivals):
        """Of its callbacks, if arrivals are [(number, when), ...]."""
        first = {}
        for number, at in arrivals:
            first.setdefault(number, at)
        took = [first.get(number, math.inf) - at
                for number, at in self.intended.items()]
        never = took.count(math.inf)
        return {"sent": len(took), "refused": self.count - len(took),
                "undelivered": never,
                "p50_s": percentile(took, 50), "p99_s": percentile(took, 99)}


class Stage:
    """The programs of a build, stopped by close()."""

    def __init__(self, build, settings=None, redis=None, mounts=None,
                 before=()):
        self.build = build
        self.sandbox = Sandbox(VERVE_WINDOW_SECONDS=WINDOW_S,
                               VERVE_REDIS_TIMEOUT_MS=2000,
                               **(settings or {}))
        try:
            self.redis = Redis(self.sandbox, auto_aof_rewrite_percentage=0,
                               **(redis or {})).start()
            self.web = Web(self.sandbox, self.redis,
                           program=build / "verve-fcgi").start()
            self.reporter = Reporter(self.sandbox, self.redis)
            self.set_up(mounts or {}, before)
        except BaseException:
            self.close()
            raise

    def set_up(self, mounts, before=()):
        """What the reporter is started with."""
        self.reporter.command = [*before, *(wrap(mounts) if mounts else []),
                                 self.build / "verve-reporter"]

    def destinations(self, name, **options):
        return Destinations(self.sandbox, name, **options)

    def scripted(self):
        """A receiver whose answers can be chosen."""
        receiver = Receiver()
        self.sandbox.on_close(receiver.close)
        return receiver

    def send(self, *words):
        """Runs the load generator against the web server; returns once it has
        ended."""
        done = subprocess.run([str(word) for word in
                               (LOAD, *words, self.web.host)], check=True,
                              stdout=subprocess.PIPE)
        return done.stdout

    def queue(self, urls, rate=None, first_id=10**15):
        """A request for each URL, at once or at a rate, in the background."""
        path = self.sandbox.folder / f"targets-{time.monotonic_ns()}"
        path.write_text("".join(accept(first_id + number, url) + "\n"
                                for number, url in enumerate(urls)))
        process = self.sandbox.start("load", [LOAD, "-f", path, *(
            ["-r", rate] if rate else []), self.web.host])
        process.expected_to_die = True  # once all are sent
        return process

    def stream(self, url_of, seconds, **options):
        stream = Stream(self.web, url_of, seconds, **options)
        stream.start()
        return stream

    # Of the reporter, all its processes together:

    def pids(self):
        return processes_of_group(self.reporter.process.pid)

    def cpu_s(self):
        ticks = 0
        for pid in self.pids():
            fields = stat_fields(pid)
            ticks += int(fields[11]) + int(fields[12]) if fields else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        count = 0
        for pid in self.pids():
            try:
                count += len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                pass  # it has ended
        return count

    def memory_mb(self):
        """Of each process, the largest first."""
        return sorted((memory_kb(pid) / 1024 for pid in self.pids()),
                      reverse=True)

    def delivered(self):
        """As the reporters publish it, at intervals."""
        return sum(state["counts"]["delivered"]
                   for state in standing(self.redis).values()
                   if "counts" in state)

    def attempts(self):
        """The lines of the callback log, of any build, each a dict."""
        return [dict(word.split("=", 1) for word in line.split(" ")[1:])
                for line in complete_lines(self.reporter.callback_log)]

    def report_lag_s(self, since_s):
        """How late the latest report was written, of the windows that ended
        after since_s; None: there is none."""
        lags = []
        for line in complete_lines(self.reporter.report_path):
            match = REPORT_LINE.match(line)
            if match and epoch(match["window"]) + WINDOW_S >= since_s:
                written = epoch(match["written"][:19] + "Z") + \
                    int(match["written"][20:23]) / 1000
                lags.append(written - epoch(match["window"]) - WINDOW_S)
        return max(lags, default=None)

    def close(self):
        self.sandbox.close()
