"""Runs faults in random order against real servers, and checks each report by
what clients were answered (see verdict.py):

    tests/random [--seed N] [--runs N] [--seconds N] [--faults NAME,...]
                 [--topology single|cluster|sentinel]

A run takes about 20 s, with sentinels about a minute. Without --runs, runs
begin until --seconds are over. A run is repeated by its own seed and --runs 1.
The exit code is 1 if a run has failed."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness.process import prepare_child  # noqa: E402
from harness.settings import BUILD  # noqa: E402
from plan import NAMES, TOPOLOGIES  # noqa: E402
from run import one  # noqa: E402

RUN_S = {"single": 25, "cluster": 25, "sentinel": 70}  # about
LIMIT_S = {"single": 180, "cluster": 180, "sentinel": 420}  # of one run


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/random", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10 ** 6)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--faults", default="", metavar="NAME,...",
                        help=", ".join(NAMES))
    parser.add_argument("--topology", default="single", choices=TOPOLOGIES)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.faults = [name for name in args.faults.split(",") if name]
    unknown = set(args.faults) - set(NAMES)
    if unknown:
        parser.error(f"no such fault: {', '.join(unknown)}; there are "
                     f"{', '.join(NAMES)}")
    return args


def folder_of(seed):
    return BUILD / "random" / str(seed)


class Runs:
    """Some at a time, each a process."""

    def __init__(self, args):
        self.args = args
        self.end = time.monotonic() + args.seconds
        self.running = {}
        self.next_seed = args.seed
        self.done = 0
        self.failed = []

    def may_begin(self):
        if self.args.runs is not None:
            return self.next_seed < self.args.seed + self.args.runs
        return time.monotonic() + RUN_S[self.args.topology] < self.end

    def begin(self):
        argv = [sys.executable, "-B", str(HERE), "--one", "--seed",
                str(self.next_seed), "--faults", ",".join(self.args.faults),
                "--topology", self.args.topology]
        output = tempfile.TemporaryFile("w+")
        process = subprocess.Popen(argv, stdout=output,
                                   stderr=subprocess.STDOUT,
                                   preexec_fn=prepare_child)
        self.running[self.next_seed] = (process, output,
                                        time.monotonic() +
                                        LIMIT_S[self.args.topology])
        self.next_seed += 1

    def collect(self):
        for seed, (process, output, limit) in list(self.running.items()):
            if process.poll() is None and time.monotonic() < limit:
                continue
            if process.poll() is None:
                process.terminate()
                print(f"seed {seed}: not over in time")
            process.wait()
            output.seek(0)
            print(output.read(), end="", flush=True)
            del self.running[seed]
            self.done += 1
            if process.returncode != 0:
                self.failed.append(seed)
                self.tell_how(seed)

    def tell_how(self, seed):
        faults = ",".join(self.args.faults)
        print(f"    repeat: make test-random SEED={seed} RUNS=1"
              f"{' FAULTS=' + faults if faults else ''}"
              f"{self.topology_word()}; its story: "
              f"{folder_of(seed)}", flush=True)

    def topology_word(self):
        topology = self.args.topology
        return "" if topology == "single" else f" TOPOLOGY={topology}"

    def all(self):
        while self.running or self.may_begin():
            while self.may_begin() and len(self.running) < self.args.jobs:
                self.begin()
            time.sleep(0.1)
            self.collect()
        print(f"{self.done} runs from seed {self.args.seed} on, "
              f"{len(self.failed)} failed", flush=True)
        return not self.failed and self.done > 0


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and clean up
    if args.one:
        good = one(args.seed, args.faults, args.topology,
                   folder_of(args.seed))
    else:
        good = Runs(args).all()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
