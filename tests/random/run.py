"""One run, in a process of its own: prints one line, and exits with 1 if
something was wrong. Then all that is known of the run is in a folder."""

import json
import random
import shutil
import sys
import time
import traceback
from dataclasses import asdict

import cluster_faults  # its faults join the table
import faults
import sentinel_faults
from facts import Call
from fault_table import APPLIED
from harness.records import epoch
from harness.sandbox import Sandbox
from harness.wait import wait_until
from outages import outages
from plan import NAMES, make_plan
from report import last_window
from verdict import Findings, Judge
from world import World

SHARDS = {"single": {}, "sentinel": {}, "cluster": {"VERVE_REDIS_SHARDS": 3}}
CALLBACKS_S = 40.0
REPORTED_S = 90.0

assert set(APPLIED) == set(NAMES), (cluster_faults, sentinel_faults)


class Run:
    def __init__(self, plan, sandbox):
        self.plan = plan
        self.sandbox = sandbox
        self.world = World(plan, sandbox)
        self.facts = self.world.facts
        self.applied = []

    def work(self):
        """The load and the faults."""
        world = self.world
        if self.plan.late_file:
            world.folders_away()
        world.sampler.start()
        world.clients.start()
        end = time.monotonic() + self.plan.load_s
        for step in self.plan.steps:
            if time.monotonic() + step.rest_s > end:
                break
            time.sleep(step.rest_s)
            if step.phase is not None:
                faults.wait_for_phase(world, step.phase)
            self.applied.append(step.name)
            faults.apply(world, step, random.Random(step.seed))
            world.folders_back()
        time.sleep(self.plan.rest_s(end - time.monotonic()))
        world.clients.stop()

    def settle(self):
        """All windows with ids end and are reported, all callbacks made."""
        world = self.world
        wait_until(lambda: world.clients.attempt(0).ok,
                   "an id is accepted after all faults", 20.0, 0.2)
        last = self.facts.last_window()
        ahead = last - world.facts.clock.now_redis()
        if ahead > 0:  # the clock had been there
            world.step_clock(self.facts.clock.steps[-1][1] + ahead)
        for path in world.files():
            wait_until(lambda p=path: last_window(p) >= last,
                       f"{path} has window {last}", REPORTED_S, 0.05)
        self.wait_callbacks()

    def wait_callbacks(self):
        """Until all of which an ok was said are made, or for long enough."""
        wanted = {ask.callback for ask in self.facts.asks
                  if ask.ok and ask.callback is not None}
        try:
            wait_until(lambda: not wanted - self.received(), "",
                       CALLBACKS_S if not self.facts.losses else 3.0, 0.1)
        except AssertionError:
            pass  # the judge says it better

    def received(self):
        return {int(request.query)
                for request in list(self.world.receiver.received)}

    def calls(self):
        return [Call(int(request.query), request.headers["webhook-id"],
                     epoch(request.headers["verve-window"]),
                     json.loads(request.body)["unique_request_count"])
                for request in list(self.world.receiver.received)]

    def logs(self):
        return "".join(text for name, text in self.sandbox.outputs()
                       if name.endswith(".out"))

    def judge(self):
        return Judge(self.facts, self.plan).judge(
            self.world.files(), self.world.newcomers, self.calls(),
            self.logs())

    def ids(self):
        return len({(ask.window, ask.number) for ask in self.facts.asks
                    if ask.ok})


def keep(folder, run, sandbox, problem):
    """The story of a run that failed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "problem").write_text(problem)
    for source in (sandbox.folder, sandbox.memory):
        for path in source.rglob("*"):
            if path.is_file() and path.suffix != ".rdb":
                to = folder / path.relative_to(source)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
    if run is None:
        return
    facts = run.facts
    (folder / "plan").write_text(
        run.plan.describe() + "\n" + json.dumps(asdict(run.plan), indent=1))
    (folder / "events").write_text("\n".join(facts.events) + "\n")
    with open(folder / "asks.tsv", "w", encoding="ascii") as out:
        out.write("id\tcallback\tstart\tend\tstatus\twindow\n")
        for ask in facts.asks:
            out.write(f"{ask.number}\t{ask.callback}\t{ask.start:.6f}\t"
                      f"{ask.end or 0:.6f}\t{ask.status}\t{ask.window}\n")
    with open(folder / "losses", "w", encoding="ascii") as out:
        for loss in facts.losses:
            state = loss.state
            out.write(f"{loss.fault}: down {loss.down:.3f} up {loss.up:.3f}; "
                      f"recorded {loss.recorded}, then {state.recorded}; "
                      f"written {[*loss.written.values()]}; counts then "
                      f"{state.counts}; keys then "
                      f"{ {w: len(ids) for w, ids in state.ids.items()} }\n")


def one(seed, allowed, topology, folder):
    """True if all was well."""
    plan = make_plan(seed, allowed, topology)
    sandbox = Sandbox(VERVE_WINDOW_SECONDS=plan.window_s,
                      VERVE_DEDUP_STRATEGY=plan.strategy,
                      **SHARDS[plan.topology])
    run, problem, findings = None, "", Findings()
    try:
        run = Run(plan, sandbox)
        run.work()
        run.settle()
    except (SystemExit, KeyboardInterrupt):
        sandbox.close()
        raise
    except Exception:
        problem = traceback.format_exc()
    if run:
        run.world.close()
        findings = run.judge()
        problem = "\n".join([*findings.wrong, problem]).strip()
    if problem:
        keep(folder, run, sandbox, problem)
    try:
        sandbox.close()
    except AssertionError as error:
        problem += f"\n{error}"
        keep(folder, run, sandbox, problem)
    applied = ",".join(run.applied) if run else "none"
    verdict = "FAILED" if problem else "ok"
    print(f"seed {seed}: {verdict}; {applied}; windows {findings.windows}, ids "
          f"{run.ids() if run else 0}, gaps {findings.gaps} (windows with lost "
          f"ids {findings.lost}; gaps for safety {findings.apart}), "
          f"lost callbacks {findings.callbacks_lost}; "
          f"{plan.topology}, {plan.front}, "
          f"{plan.window_s} s, {plan.strategy}, {plan.fsync}")
    for text in outages(run.facts) if run else ():
        print(f"    {text}")
    if problem:
        for line in problem.splitlines()[:12]:
            print(f"    {line}")
    sys.stdout.flush()
    return not problem
