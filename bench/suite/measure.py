"""One run of a system: how fast, at what cost of CPU and memory."""

import json
import os
import subprocess
import sys

from harness.process import prepare_child, stat_fields
from harness.settings import LOAD

from .systems import PARTS, Running

WARM_UP = ("-n", 3000)


def cpu_s(pids):
    """User and system time of all of them so far, and of their children that
    have ended, in seconds (proc(5)): Redis rewrites its file in a child."""
    ticks = 0
    for pid in pids:
        ticks += sum(map(int, stat_fields(pid)[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_mb(pids):
    """The most memory that each of them had resident, in sum."""
    kilobytes = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1024


def load(host, *options):
    """One run of the load generator; its summary."""
    done = subprocess.run([str(arg) for arg in (LOAD, *options, host)],
                          check=True, stdout=subprocess.PIPE,
                          preexec_fn=prepare_child)
    return json.loads(done.stdout)


def run_load(running, connections, bound, options=()):
    """Loads what runs within bound; options are those of the load generator.
    Its CPU time is shared out over the requests that were ok: cpu_us of all
    processes, web_us, service_us and redis_us of each part."""
    before = {part: cpu_s(running.pids[part]) for part in PARTS}
    run = load(running.host, "-c", connections, *bound, *options)
    for part in PARTS:
        run[f"{part}_us"] = ((cpu_s(running.pids[part]) - before[part])
                             / max(run["ok"], 1) * 1e6)
    run["cpu_us"] = sum(run[f"{part}_us"] for part in PARTS)
    run["peak_mb"] = peak_mb(sum(running.pids.values(), []))
    return run


def parts(run, digits=0):
    """web + service + Redis, as text."""
    return " + ".join(f"{run[f'{part}_us']:.{digits}f}" for part in PARTS)


def measure(system, connections, bound, options=(), rewriting=False):
    """The same for a new instance of the system (rewriting: see Running)."""
    running = Running(system, rewriting)
    try:
        load(running.host, "-c", connections, *WARM_UP, *options)
        return run_load(running, connections, bound, options)
    finally:
        running.close()


def take_turns(systems, rounds, one):
    """{name: the result of one(system) of each round}. Every other round is in
    reverse order, as throughput on a shared machine drifts."""
    runs = {system.name: [] for system in systems}
    for number in range(rounds):
        for system in systems if number % 2 == 0 else systems[::-1]:
            run = one(system)
            runs[system.name].append(run)
            print(f"  {number + 1}/{rounds} {system.name}: "
                  f"{run['requests_per_s']:,.0f}/s, {run['cpu_us']:.1f} us "
                  f"({parts(run, 1)})",
                  file=sys.stderr, flush=True)
    return runs
