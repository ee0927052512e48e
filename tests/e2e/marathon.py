"""Two reporters share a file, for many windows. The leader is killed or stopped
at random moments. This is a program, so that it can run beside the other tests
(see conftest.py, test_marathon.py):

    python3 marathon.py WINDOWS SEED

The exit code is 0 if each window has exactly one line and each count is exact;
else the output has the reason.
"""

import random
import signal
import sys
import time

from harness.expected import Expected
from harness.fastcgi import Responder
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import Sandbox
from harness.settings import PATIENT_MS

WINDOW_S = 1
SEND_S = 0.1         # between two requests
PAUSE_S = (0.2, 12)  # a lease is 7 s
DOWN_S = (0.0, 3.0)
REST_S = (0.5, 4.0)  # between two faults
EDGE_S = (0.0, 0.006)  # every second fault is so soon after a window's end


class Fault:
    """A reporter that was killed or stopped, and until when."""

    def __init__(self, reporter, kind, end):
        self.reporter = reporter
        self.kind = kind
        self.end = end

    def mend(self):
        if self.kind == "kill":
            self.reporter.start()
        else:
            self.reporter.process.thaw()


class Marathon:
    def __init__(self, sandbox, windows, seed):
        self.random = random.Random(seed)
        self.windows = windows
        self.redis = Redis(sandbox).start()
        self.expected = Expected(Responder(sandbox, self.redis).start())
        path = sandbox.memory / "unique.log"
        self.reporters = [
            Reporter(sandbox, self.redis, name, VERVE_FILE_PATH=path).start()
            for name in ("one", "two")]
        self.faults = []
        self.counts = {"kill": 0, "stop": 0}
        self.next_fault = time.monotonic() + 1

    def leader(self):
        """The reporter that has the lease; None if it has a fault already."""
        owner = "".join(self.redis("HGET", key, "owner") or ""
                        for key in self.redis("KEYS", "verve:sink:*"))
        busy = [fault.reporter for fault in self.faults]
        for reporter in self.reporters:
            if reporter not in busy and \
                    f":{reporter.worker('reports')}:" in owner:
                return reporter
        return None

    def befall(self):
        reporter = self.leader()
        if reporter is None:
            return
        if self.random.random() < 0.5:
            now = time.time()
            edge = self.random.uniform(*EDGE_S)
            time.sleep(WINDOW_S - now % WINDOW_S + edge)
        kind = self.random.choice(["kill", "stop"])
        if kind == "kill":
            reporter.kill()
        else:
            reporter.process.freeze()
        self.counts[kind] += 1
        length = self.random.uniform(*(DOWN_S if kind == "kill" else PAUSE_S))
        self.faults.append(Fault(reporter, kind, time.monotonic() + length))
        self.next_fault = time.monotonic() + self.random.uniform(*REST_S)

    def mend(self, all_of_them=False):
        now = time.monotonic()
        for fault in list(self.faults):
            if all_of_them or now > fault.end:
                self.faults.remove(fault)
                fault.mend()

    def run(self):
        first = self.expected.send(1)
        last = first
        while last < first + self.windows * WINDOW_S:
            last = self.expected.send(self.random.randrange(5))
            if time.monotonic() > self.next_fault:
                self.befall()
            self.mend()
            time.sleep(SEND_S)
        self.mend(all_of_them=True)
        report = self.reporters[0].wait_reported(last, 30.0)
        self.expected.check(report)
        print(f"{len(report)} windows, {self.counts}: all is well")


def main():
    windows, seed = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and clean up
    sandbox = Sandbox(VERVE_WINDOW_SECONDS=WINDOW_S,
                      VERVE_REDIS_TIMEOUT_MS=PATIENT_MS)
    try:
        marathon = Marathon(sandbox, windows, seed)
        marathon.run()
        faults = sum(marathon.counts.values())
        assert faults * 15 >= windows, f"too few faults: {faults}"
    except BaseException:
        for name, text in sandbox.outputs():
            print(f"---- {name}\n{text[-20000:]}")
        raise
    finally:
        sandbox.close()


if __name__ == "__main__":
    main()
