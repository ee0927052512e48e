"""A Redis that fails over, judged by the checker of tests/random: no id that was
ok is lost without a gap, and with redis.wait_replicas a crash loses none."""

import sys
import threading
import time

import pytest
from harness.edge import right_clock
from harness.fastcgi import Responder
from harness.reporter import Reporter
from harness.sentinel import DOWN_MS, SentinelGroup
from harness.settings import ROOT
from harness.wait import wait_until

sys.path.insert(0, str(ROOT / "tests" / "random"))

from clients import Clients  # noqa: E402
from facts import Facts, Loss, read_state  # noqa: E402
from plan import make_plan  # noqa: E402
from relay import Relay  # noqa: E402
from report import last_window  # noqa: E402
from verdict import Judge  # noqa: E402

pytestmark = right_clock

WINDOW_S = 2
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S, "VERVE_REDIS_TIMEOUT_MS": 400}
ASLEEP_S = 8.0  # longer than Sentinel waits
CALM_MS = 30000  # before and after the fault: on a slow machine sentinels would
                 # else switch a second time, which the checker knows nothing of
OUTAGE_S = 1.0  # after Sentinel's own
NOISE_S = 5.0   # what a shared machine may add


class ReplicasRelay(Relay):
    """In front of the first master; it holds back what replicas get."""

    def __init__(self, port):
        self.replicas = set()
        super().__init__(port)

    def holds(self, source, sink, data):
        if b"PSYNC" in data.upper():
            self.replicas.update((source, sink))
        return source in self.replicas


class Story:
    def __init__(self, sandbox, wait_replicas):
        self.group = SentinelGroup(sandbox)
        self.old = self.group.nodes[0]
        self.relay = ReplicasRelay(self.old.port)
        sandbox.on_close(self.relay.close)
        self.group.first_port = self.group.replicas_port = self.relay.port
        self.group.start()
        self.group.set_down_after(CALM_MS)
        self.responder = Responder(
            sandbox, self.group,
            VERVE_REDIS_WAIT_REPLICAS=wait_replicas).start()
        self.reporter = Reporter(sandbox, self.group).start()
        self.facts = Facts(WINDOW_S)
        self.plan = make_plan(1)
        self.plan.fsync, self.plan.endpoints = "everysec", 0.0
        self.plan.clients, self.plan.pace_s = 4, (0.0, 0.02)
        self.clients = Clients(self.facts, self.responder.ask, self.plan, None)
        self.replicated = wait_replicas > 0

    def begin(self):
        """Until some windows are reported, so that a loss is one of few."""
        self.clients.start()
        wait_until(lambda: self.written() > 0, "a window is reported", 30.0)

    def written(self):
        return last_window(self.reporter.report_path)

    def follow(self, fault, down=None):
        """A replica takes over, and the program follows. down: the old master
        was written to for the last time; None: when it is left."""
        before = {"recorded": read_state(self.new_or_old()).recorded,
                  "written": {self.reporter.report_path: self.written()}}
        new = self.group.wait_promoted(self.old)
        promoted = time.time()
        state = read_state(new)
        left = time.time()
        self.group.set_down_after(CALM_MS)
        while not new.has_program():
            assert time.time() < promoted + 30.0, "the program does not follow"
            left = time.time()
            time.sleep(0.005)
        up = time.time()
        self.facts.restarts.append(up)
        self.facts.losses.append(Loss(
            fault, down or left, up, state,
            replicated=self.replicated and down is not None, **before))
        wait_until(lambda: any(ask.ok and ask.start > up
                               for ask in list(self.facts.asks)), "ok again",
                   30.0)
        return up - promoted

    def new_or_old(self):
        """One that answers and has the records."""
        return self.group.nodes[1]

    def judge(self):
        time.sleep(2 * WINDOW_S)
        self.clients.stop()
        last = self.facts.last_window()
        wait_until(lambda: self.written() >= last, "all is reported", 60.0)
        findings = Judge(self.facts, self.plan).judge(
            [self.reporter.report_path], set(), [], self.reporter.process.output())
        assert findings.wrong == []
        return findings


def crash(story):
    story.group.set_down_after(DOWN_MS)
    down = time.time()
    story.old.kill()
    outage = story.follow("crash", down)
    assert outage < OUTAGE_S + NOISE_S


def sleep(story):
    """SIGSTOP; the old master wakes up when another has taken over."""
    story.group.set_down_after(DOWN_MS)
    down = time.time()
    story.old.freeze()
    timer = threading.Timer(ASLEEP_S, story.old.thaw)
    timer.start()
    story.follow("sleep", down)
    timer.join()
    wait_until(story.old.follows, "the old master is a replica", 60.0)


def planned(story):
    story.group.fail_over()
    story.follow("planned")
    wait_until(story.old.follows, "the old master is a replica", 60.0)


def lag(story):
    """The replicas get nothing more before the crash."""
    story.relay.hold()
    time.sleep(WINDOW_S / 2)
    story.group.set_down_after(DOWN_MS)
    down = time.time()
    story.old.kill()
    story.relay.close()
    story.follow("lag", down)


def switch_without_loss(story):
    """As docs/sentinel.md says."""
    story.old("CLIENT", "PAUSE", 5000, "WRITE")
    story.group.fail_over()
    story.follow("switch")


@pytest.mark.parametrize("fault,wait_replicas,loses", [
    (crash, 1, False), (sleep, 1, False), (planned, 0, True), (lag, 0, True),
    (switch_without_loss, 0, False)],
    ids=lambda value: getattr(value, "__name__", None))
def test_a_failover(sandbox, fault, wait_replicas, loses):
    story = Story(sandbox, wait_replicas)
    story.begin()
    fault(story)
    findings = story.judge()
    assert findings.windows > 2
    if loses:
        assert findings.lost > 0 and findings.gaps > 0
    else:
        assert findings.lost == 0
