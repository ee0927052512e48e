"""Many callbacks at once: a full queue drained, and many https hosts."""

import os
import time

from harness.mounts import is_possible, wrap
from harness.process import memory_kb, stat_fields
from harness.resolver import Resolver
from harness.sandbox import free_port
from harness.settings import BUILD
from harness.tls import BUNDLE, openssl
from harness.wait import wait_until

from .stage import Stage, has_option

DESTINATIONS = 100


def drain(build, jobs, workers=None):
    """Queues so many jobs while no reporter runs, then starts one. workers:
    callbacks.workers; None: the build's default. The result has the rate from
    the first arrival to the last, and the memory of the largest process of the
    reporter, early and late."""
    settings = {"VERVE_CALLBACKS_MAX_QUEUE": 2 * jobs}
    if workers is not None:
        settings["VERVE_CALLBACKS_WORKERS"] = workers
    stage = Stage(build, settings)
    try:
        wells = stage.destinations("well", ports=DESTINATIONS)
        # The load generator makes one URL up; a file has them all.
        stage.queue(wells.url(number) for number in range(jobs)).wait(3600)
        stage.reporter.start()
        sizes = []
        wait_until(lambda: sizes.append(stage.memory_mb()[0]) or
                   stage.delivered() >= jobs, "all are delivered",
                   60 + jobs / 500, 0.5)
        cpu_s = stage.cpu_s()
        rows = wells.rows()
        numbers = {number for number, _ in rows}
        times = [at for _, at in rows]
        early = sizes[min(len(sizes) - 1, max(2, len(sizes) // 10))]
        return {"jobs": jobs, "lost": jobs - len(numbers),
                "twice": len(rows) - len(numbers),
                "per_s": len(numbers) / max(1e-9, max(times) - min(times)),
                "cpu_us": cpu_s / jobs * 1e6,
                "early_mb": early, "late_mb": max(sizes[-3:]),
                "peak_mb": max(sizes)}
    finally:
        stage.close()


def worker_counts(build):
    """Values of callbacks.workers to compare; None: there is no such key."""
    return (1, 2) if has_option(build, "callbacks.workers") else (None,)


# --- https

NGINX = """
worker_processes 1; daemon off; pid nginx.pid; error_log stderr;
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    keepalive_timeout 600s; keepalive_requests 100000;
    server {{
        listen {port} ssl backlog=4096 reuseport;
        ssl_certificate {folder}/many.crt;
        ssl_certificate_key {folder}/many.key;
        ssl_protocols TLSv1.3;
        return 200;
    }}
}}
"""


def https_is_missing():
    """Why it can't be run here; None if it can."""
    if not is_possible():
        return "only root may mount a resolv.conf and a CA bundle"
    return None


class HttpsHosts:
    """So many https hosts: names of a name server, each with an address of its
    own in 127.0.0.0/8, and one certificate for all. (A hosts file is searched
    from its beginning for each name.)"""

    def __init__(self, stage, count):
        folder = stage.sandbox.folder
        self.port = free_port()
        self.names = [f"h{number}.many.test" for number in range(count)]
        self.addresses = [f"127.{50 + number // 62500}.{number // 250 % 250}."
                          f"{1 + number % 250}" for number in range(count)]
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj",
                "/CN=many", "-addext", "subjectAltName=DNS:*.many.test",
                "-out", folder / "many.crt", "-keyout", folder / "many.key")
        resolver = Resolver(stage.sandbox, {
            name: [address]
            for name, address in zip(self.names, self.addresses)})
        self.mounts = {**resolver.mounts(), BUNDLE: folder / "many.crt"}
        configuration = folder / "many.conf"
        configuration.write_text(NGINX.format(port=self.port, folder=folder))
        stage.sandbox.start("many", ["nginx", "-e", "stderr", "-p", folder,
                                     "-c", configuration])

    def urls(self):
        return [f"https://{name}:{self.port}/" for name in self.names]


def watch(pids, descriptors, done):
    """{cpu_s, connections, grown_mb}: what the processes used until done()."""
    def memory():
        return max(memory_kb(pid) for pid in pids()) / 1024

    begin_mb, begin_fds, most_mb, most_fds = memory(), descriptors(), 0, 0
    while not done():
        most_mb, most_fds = max(most_mb, memory()), max(most_fds, descriptors())
        time.sleep(0.1)
    return {"connections": most_fds - begin_fds, "grown_mb": most_mb - begin_mb}


def https_reporter(build, count):
    """A callback to each host by the reporter of a build."""
    stage = Stage(build, {"VERVE_CALLBACKS_TIMEOUT_MS": 15000,
                          "VERVE_CALLBACKS_CONNECT_TIMEOUT_MS": 15000,
                          "VERVE_CALLBACKS_LEASE_S": 60,
                          "VERVE_CALLBACKS_METHOD": "GET"})
    try:
        hosts = HttpsHosts(stage, count)
        stage.queue(hosts.urls()).wait(600)
        stage.set_up(hosts.mounts)
        stage.reporter.start()
        seen = watch(stage.pids, stage.descriptors,
                     lambda: stage.delivered() >= count)
        return {"delivered": stage.delivered(),
                "cpu_us": stage.cpu_s() / count * 1e6, **per_connection(seen)}
    finally:
        stage.close()


def https_bare(build, count, concurrency=1024):
    """The same by a bare libcurl multi, bench/multi.c."""
    stage = Stage(build)
    try:
        hosts = HttpsHosts(stage, count)
        targets = stage.sandbox.folder / "hosts.txt"
        targets.write_text("".join(
            f"{name} {address}\n"
            for name, address in zip(hosts.names, hosts.addresses)))
        process = stage.sandbox.start("multi", [
            *wrap(hosts.mounts), BUILD / "bench" / "multi", "-c", concurrency,
            "-p", hosts.port, targets])
        wait_until(lambda: "ready" in process.output(), "multi is ready")
        process.expected_to_die = True
        cpu = [0.0]

        def done():
            fields = stat_fields(process.pid)
            cpu[0] = (int(fields[11]) + int(fields[12])) / \
                os.sysconf("SC_CLK_TCK")
            return "done" in process.output() or not process.running()

        seen = watch(lambda: [process.pid],
                     lambda: len(os.listdir(f"/proc/{process.pid}/fd")), done)
        delivered = int(process.output().split()[-2])
        return {"delivered": delivered, "cpu_us": cpu[0] / count * 1e6,
                **per_connection(seen)}
    finally:
        stage.close()


def per_connection(seen):
    return {"connections": seen["connections"],
            "kb": seen["grown_mb"] * 1024 / max(1, seen["connections"])}
