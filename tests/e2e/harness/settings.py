"""Paths, and the size of the load."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = (ROOT / os.environ.get("VERVE_BUILD", "build")).resolve()
FCGI = BUILD / "verve-fcgi"
REPORTER = BUILD / "verve-reporter"
LOAD = BUILD / "bench" / "load"

# Another Redis, or Valkey, than the one that is installed.
REDIS_SERVER = os.environ.get("REDIS_SERVER") or next(
    filter(shutil.which, ["redis-server", "valkey-server"]), "redis-server")
REDIS_CLI = next(filter(shutil.which, ["redis-cli", "valkey-cli"]), "redis-cli")

# What the tests' Redis is: "" is one server on a unix socket, "tls" the same by
# TLS (make test-tls), "cluster" three masters with a shard each (make
# test-cluster).
KIND_OF_REDIS = os.environ.get("VERVE_TEST_REDIS", "")
REDIS_TLS = KIND_OF_REDIS == "tls"
SHARDS = 3 if KIND_OF_REDIS == "cluster" else 1

# Whether the programs were built with ASan (make asan).
SANITIZED = REPORTER.exists() and b"__asan_init" in REPORTER.read_bytes()

# Below 1 if a machine is too slow for the whole load.
SCALE = float(os.environ.get("VERVE_SCALE", "1"))

# redis.timeout_ms of responders, unless a test is about that limit, and of
# reporters if a test needs the first answer: disks and schedulers of shared
# machines delay Redis for longer than the default.
PATIENT_MS = 4000

# Length of the test that runs beside all others (marathon.py).
MARATHON_WINDOWS = int(os.environ.get("VERVE_MARATHON_WINDOWS", "200"))


def scaled(count):
    """count x VERVE_SCALE; another load than 1 is printed."""
    if SCALE != 1:
        print(f"VERVE_SCALE={SCALE}: {int(count * SCALE)} in place of {count}")
    return int(count * SCALE)
