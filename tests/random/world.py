"""All that runs in one run: real servers and real programs of verve, with what
the run's plan says of them."""

import os
import signal
import time

from clients import Clients
from cluster_store import ClusterStore
from facts import Facts, Loss, Sampler
from harness.fastcgi import Responder
from harness.preload import RedisClock
from harness.receiver import Receiver
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.wait import wait_until
from harness.web import Nginx, Web
from report import last_window
from sentinel_store import SentinelStore
from servers import Store

POOL = 2
# Enough attempts for all reporters that are killed.
SETTINGS = {**QUICK_CALLBACKS,
            "VERVE_CALLBACKS_RETRY_DELAYS_S": ",".join(["1"] * 15)}


class World:
    def __init__(self, plan, sandbox):
        self.plan = plan
        self.sandbox = sandbox
        self.facts = Facts(plan.window_s)
        self.redis_clock = RedisClock(sandbox)
        self.store = self.make_store()
        self.receiver = Receiver()
        sandbox.on_close(self.receiver.close)
        self.front = self.make_front().start()
        self.reporters = []
        for _ in range(plan.reporters):
            self.add_reporter(plan.own_files)
        self.wake = []  # what wakes programs that were stopped
        self.newcomers = set()  # files that need not begin at the beginning
        self.clients = Clients(self.facts, self.ask, plan, self.receiver)
        self.sampler = Sampler(self.facts, self.store)

    def make_store(self):
        environment = self.redis_clock.environment
        if self.plan.topology == "cluster":
            return ClusterStore(self.sandbox, environment, self.plan.fsync)
        if self.plan.topology == "sentinel":
            return SentinelStore(self.sandbox, self.plan.fsync)
        return Store(self.sandbox, environment, self.plan.fsync,
                     self.plan.replica)

    # The programs of verve.

    def make_front(self):
        cache = {"VERVE_DEDUP_LOCAL_CACHE_IDS": self.plan.cache_ids,
                 "VERVE_REDIS_WAIT_REPLICAS": self.plan.wait_replicas}
        if self.plan.front == "direct":
            return Pool(self.sandbox, self.store, **cache)
        kind = Nginx if self.plan.front == "nginx" else Web
        return kind(self.sandbox, self.store, procs=POOL, **cache)

    def ask(self, target, seconds):
        if self.plan.front == "direct":
            return self.front.ask(target, seconds)
        return self.front.get(target, seconds=seconds)

    def pids(self):
        """Of the responders that live."""
        if self.plan.front == "direct":
            return self.front.pids()
        if self.plan.front == "nginx":
            return [p.pid for p in self.front.pool.processes if p.running()]
        return self.front.responders()

    def signal_responder(self, pid, number):
        pool = self.pool()
        for process in pool.processes if pool else []:
            if process.pid == pid:
                process.signal(number)
                if number in (signal.SIGKILL, signal.SIGTERM):
                    process.wait()
                return
        os.kill(pid, number)

    def pool(self):
        """None: lighttpd has its own."""
        return {"direct": self.front, "lighttpd": None}.get(
            self.plan.front, getattr(self.front, "pool", None))

    def mend_pool(self):
        """As many responders as there were; lighttpd does that itself."""
        if self.pool():
            missing = POOL - len(self.pids())
            if missing > 0:
                self.pool().start(missing)
        wait_until(lambda: len(self.pids()) >= POOL, "the pool is whole", 20.0)

    def wake_all(self):
        """Before those who wait for what they remember have waited enough."""
        while self.wake:
            self.wake.pop()()

    def add_reporter(self, own_file):
        name = f"reporter-{len(self.reporters)}"
        folder = self.sandbox.memory / (f"{name}.file" if own_file else "file")
        folder.mkdir(exist_ok=True)
        reporter = Reporter(self.sandbox, self.store, name, **SETTINGS,
                            VERVE_FILE_PATH=folder / "unique.log")
        self.reporters.append(reporter.start())
        return reporter

    def files(self):
        return sorted({reporter.report_path for reporter in self.reporters})

    def folders_away(self):
        for path in self.files():
            path.parent.rename(path.parent.with_suffix(".away"))

    def folders_back(self):
        for path in self.files():
            path.parent.mkdir(exist_ok=True)

    # What is known.

    def note(self, text):
        self.facts.note(text)

    def step_clock(self, offset):
        before = time.time()
        self.redis_clock.step_to(offset)
        self.facts.clock.step(before, offset)
        self.note(f"Redis's clock is wrong by {offset:.3f} s")

    def before_loss(self):
        """What a Loss needs to know of the time before. What was written since
        the last sample had been recorded before."""
        written = {path: last_window(path) for path in self.files()}
        return {"recorded": max(self.sampler.latest.recorded,
                                *written.values()), "written": written}

    def add_loss(self, fault, down, up, state, before, **more):
        self.facts.losses.append(Loss(fault, down, up, state, **before,
                                      **more))

    def state(self):
        return self.store.state()

    def close(self):
        self.sampler.close()


class Pool(Responder):
    """Responders without a web server."""

    def start(self, count=POOL):
        return super().start(count)

    def pids(self):
        return [process.pid for process in self.processes
                if process.running()]
