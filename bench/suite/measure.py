"""One run of a system: its speed, and the CPU time and memory that it takes."""

import json
import os
import subprocess
import sys

from harness.process import prepare_child, stat_fields
from harness.settings import LOAD

from .systems import PARTS, Running

WARM_UP = ("-n", 3000)


def cpu_s(pids):
    """User and system time of the processes so far, and of their children that
    have ended, in seconds (proc(5)): Redis rewrites its file in a child."""
    ticks = 0
    for pid in pids:
        ticks += sum(map(int, stat_fields(pid)[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_mb(pids):
    """The sum of the processes' peaks of resident memory."""
    kilobytes = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    kilobytes += int(line.split()[1])
    return kilobytes / 1024


def load(host, *options):
    """Runs the load generator; returns its summary."""
    done = subprocess.run([str(arg) for arg in (LOAD, *options, host)],
                          check=True, stdout=subprocess.PIPE,
                          preexec_fn=prepare_child)
    return json.loads(done.stdout)


def run_load(running, connections, bound, options=()):
    """Runs a load against a system that is up. bound limits the load; options
    are those of the load generator. The result has the CPU time for each
    request that was ok: cpu_us of all processes, of its parts web_us, service_us
    and redis_us, and behind_us of the last two."""
    before = {part: cpu_s(running.pids[part]) for part in PARTS}
    scripts = running.scripts()
    run = load(running.host, "-c", connections, *bound, *options)
    for part in PARTS:
        run[f"{part}_us"] = ((cpu_s(running.pids[part]) - before[part])
                             / max(run["ok"], 1) * 1e6)
    run["cpu_us"] = sum(run[f"{part}_us"] for part in PARTS)
    run["behind_us"] = run["service_us"] + run["redis_us"]
    run["ids_per_script"] = run["ok"] / max(1, running.scripts() - scripts)
    run["peak_mb"] = peak_mb(sum(running.pids.values(), []))
    return run


def parts(run, digits=0):
    """web + service + Redis, as text."""
    return " + ".join(f"{run[f'{part}_us']:.{digits}f}" for part in PARTS)


def measure(system, connections, bound, options=(), rewriting=False):
    """run_load on a new instance of the system (rewriting: see Running)."""
    running = Running(system, rewriting)
    try:
        load(running.host, "-c", connections, *WARM_UP, *options)
        return run_load(running, connections, bound, options)
    finally:
        running.close()


def take_turns(systems, rounds, one):
    """{name: [the result of one(system) in each round]}. Every other round is
    in reverse order, because throughput on a shared machine drifts."""
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
