"""The steps of the package's life. Each is a method, and later ones rely on the
earlier ones."""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from harness.load import accept, read_rows
from harness.settings import LOAD

RECEIVER = 9000
# Requests with it get a callback.
URL = f"http://127.0.0.1:{RECEIVER}/"
RATE = 400  # requests/s
PART_S = 5  # of a run of the load generator
WAIT_S = 60
SECURITY = 1.5  # the most that systemd-analyze may say
UNITS = ("verve-fcgi.socket", "verve-fcgi@1.service", "verve-fcgi@2.service",
         "verve-reporter.service", "verve.target")
CONF = "/etc/verve/verve.conf"
ENABLED = "/etc/lighttpd/conf-enabled/15-verve.conf"


def wait_until(condition, what, seconds=WAIT_S):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


class Load:
    """RATE requests/s, every fourth with an endpoint, until finish()."""

    def __init__(self, life):
        self.life = life
        self.rows = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    def send(self):
        targets, results = (self.life.folder / name
                            for name in ("targets", "rows"))
        first = 100
        while not self.over.is_set():
            ids = range(first, first + RATE * PART_S)
            first = ids.stop
            targets.write_text("".join(
                accept(number, URL if index % 4 == 0 else None) + "\n"
                for index, number in enumerate(ids)))
            load = self.life.in_network(
                LOAD, "-c", 32, "-r", RATE, "-f", targets, "-o", results,
                "127.0.0.1:80", stdout=subprocess.DEVNULL)
            load.wait()
            self.rows += read_rows(results)

    def finish(self):
        """Returns the results of all requests."""
        self.over.set()
        self.thread.join()
        return self.rows


class Life:
    def __init__(self, system, packages, redis, folder):
        self.system = system
        self.run = system.run
        self.folder = Path(folder)
        self.package, self.next = (f"/debs/{path.name}" for path in packages)
        self.redis = f"{redis}-server@verve.service"
        self.receiver = None
        self.notes = self.folder / "notes"  # of the receiver

    def live(self):
        for step in (self.install, self.serve, self.sandbox, self.load,
                     self.wrong_configuration, self.crash,
                     self.credential, self.rotate,
                     self.keep_group, self.remove,
                     self.install_again, self.purge):
            started = time.monotonic()
            step()
            print(f"ok      {step.__name__} "
                  f"({time.monotonic() - started:.0f} s)", flush=True)

    def close(self):
        if self.receiver:
            self.receiver.kill()
            self.receiver.wait()

    def apt(self, *arguments):
        return self.run("apt-get", "-qy", "--no-install-recommends",
                        *arguments)

    def active(self, unit):
        self.run("systemctl", "--quiet", "is-active", unit, check=False)
        return self.system.code == 0

    def property(self, unit, name):
        return self.run("systemctl", "show", "--value", "-p", name,
                        unit).strip()

    def pids(self):
        return [self.property(unit, "MainPID") for unit in UNITS[1:4]]

    def get(self, path):
        return self.run("curl", "-s", f"http://127.0.0.1{path}", check=False)

    def files(self):
        """All files whose name is of verve, but for those of apt and dpkg."""
        found = self.system.shell(
            "find / -xdev \\( -path /src -o -path /debs -o -path /proc "
            "-o -path /var/cache -o -path /var/log/journal \\) -prune "
            "-o -name '*verve*' -print").split()
        return [path for path in found if not path.startswith("/tmp/")]

    def in_network(self, *command, **options):
        """Starts a program of this machine in the system's network."""
        return subprocess.Popen([*self.system.enter("-n"), *map(str, command)],
                                **options)

    def set(self, section, line):
        self.run("sed", "-i", f"/^\\[{section}\\]/a {line}", CONF)

    def install(self):
        self.before = self.files()
        said = self.apt("install", "lighttpd", self.package)
        assert "lighty-enable-mod verve" in said, said
        for unit in (*UNITS, self.redis):
            assert self.active(unit), (unit, self.run(
                "systemctl", "status", unit, check=False))
        assert self.run("stat", "-c", "%U:%G %a", CONF).strip() == \
            "root:verve 640"
        assert self.run("ps", "-o", "user=", self.pids()[0]).strip() == "verve"

    def serve(self):
        self.run("lighty-enable-mod", "verve")
        self.run("systemctl", "restart", "lighttpd")
        wait_until(lambda: self.get("/readyz") == "ok", "/readyz")
        assert self.get(accept(7)) == "ok"
        assert "window" in self.run("vervectl", "status")
        self.set("callbacks", "allow = 127.0.0.0/8")
        self.run("systemctl", "restart", "verve.target")
        self.receiver = self.in_network(
            sys.executable, Path(__file__).with_name("receiver.py"), RECEIVER,
            self.notes)

    def sandbox(self):
        """What systemd thinks of the units."""
        said = self.run("systemd-analyze", "verify", "--man=no",
                        "verve-fcgi@1.service", *UNITS)
        assert "verve" not in said, said
        for unit in UNITS[1:4]:
            said = self.run("systemd-analyze", "security", "--no-pager", unit)
            level = float(re.search(r"level for .*: ([\d.]+)", said)[1])
            assert level <= SECURITY, said

    def load(self):
        """No request and no callback is lost by restarts, an upgrade and a
        downgrade."""
        load = Load(self)
        try:
            for change in (
                    lambda: self.run("systemctl", "restart", "verve.target"),
                    lambda: self.run("systemctl", "reload", *UNITS[1:4]),
                    lambda: self.upgrade(self.next),
                    lambda: self.upgrade(self.package)):
                time.sleep(2)
                before = self.pids()
                change()
                wait_until(lambda: self.changed(before), "new responders")
        finally:
            rows = load.finish()
        lost = [row for row in rows if not row.ok]
        assert not lost, lost[:10]
        queued = sum(row.index % 4 == 0 for row in rows)
        wait_until(lambda: len(self.called()) >= queued,
                   f"{queued} callbacks")
        assert len(self.called()) == queued
        print(f"        {len(rows)} requests, {queued} callbacks, slowest "
              f"answer {max(row.latency_s for row in rows):.2f} s")

    def called(self):
        return set(self.notes.read_text().split())

    def changed(self, before):
        return all(new not in ("0", old) for new, old in
                   zip(self.pids()[:2], before[:2]))

    def upgrade(self, package):
        self.apt("install", "--allow-downgrades", package)
        version = re.search(r"verve_(.*)-1_", package)[1]
        for program in ("verve-fcgi", "verve-reporter"):
            assert version in self.run(program, "-V")
        # The running program is the installed one.
        for pid in self.pids():
            assert "(deleted)" not in self.run("readlink", f"/proc/{pid}/exe",
                                               check=False)

    def wrong_configuration(self):
        self.set("callbacks", "nonsense = 1")
        before = self.pids()
        for unit in UNITS[1:4]:
            self.run("systemctl", "reload", unit, check=False)
            assert self.system.code != 0, unit
        assert self.pids() == before
        # An upgrade, too, leaves the programs alone that run.
        said = self.apt("install", self.next)
        assert "not restarted" in said, said
        assert self.pids() == before
        assert self.get(accept(8)) == "ok"
        # A restart is not refused. Exit code 100 is not followed by another
        # start, which would come within a second.
        for unit in UNITS[1], UNITS[3]:
            self.run("systemctl", "restart", unit, check=False)
            assert self.system.code != 0
        time.sleep(3)
        for unit in UNITS[1], UNITS[3]:
            assert self.property(unit, "ActiveState") == "failed"
            assert self.property(unit, "NRestarts") == "0"
        self.run("sed", "-i", "/nonsense/d", CONF)
        self.run("systemctl", "restart", "verve.target")
        wait_until(lambda: self.active(UNITS[3]), "the reporter")
        self.upgrade(self.package)

    def crash(self):
        """Responders that are killed are started again, however often."""
        for _ in range(8):
            before = self.pids()
            self.run("systemctl", "kill", "--signal=KILL", *UNITS[1:3])
            wait_until(lambda: self.changed(before), "new responders")
        wait_until(lambda: self.get(accept(9)) == "ok", "an answer")

    def credential(self):
        """A secret that root alone can read, by LoadCredential=."""
        self.system.shell(r"""set -eu
            folder=/run/systemd/system/verve-reporter.service.d
            mkdir -p "$folder"
            head -c 32 /dev/urandom | base64 | sed 's/^/whsec_/' >/root/secret
            chmod 600 /root/secret
            printf '%s\n' '[Service]' 'LoadCredential=secret:/root/secret' \
                'Environment=VERVE_CALLBACKS_SECRET_FILE=%d/secret' \
                >"$folder/secret.conf"
            systemctl daemon-reload
            systemctl restart verve-reporter
            rm "$folder/secret.conf"
            systemctl daemon-reload
            systemctl restart verve-reporter""")

    def rotate(self):
        log = "/var/log/verve/callbacks.log"
        self.run("logrotate", "-f", "/etc/logrotate.d/verve")
        wait_until(lambda: self.run("stat", "-c", "%U", log,
                                    check=False).strip() == "verve",
                   "a new log")
        assert "callbacks.log.1" in self.run("ls", "/var/log/verve")

    def keep_group(self):
        """A pool may run as another user: an upgrade leaves the operator's
        group of a file alone."""
        self.run("chmod", "0644", CONF)
        self.run("chgrp", "www-data", CONF)
        self.apt("install", "--reinstall", self.package)
        assert self.run("stat", "-c", "%G %a", CONF).strip() == "www-data 644"
        self.run("chgrp", "verve", CONF)
        self.run("chmod", "0640", CONF)

    def remove(self):
        self.apt("remove", "verve")
        for unit in (*UNITS, self.redis):
            assert not self.active(unit), unit
        self.run("pgrep", "-u", "verve", check=False)
        assert self.system.code == 1
        assert ENABLED not in self.files()
        self.run("systemctl", "restart", "lighttpd")
        assert "nonsense" not in self.run("cat", CONF)

    def install_again(self):
        self.apt("install", self.package)
        self.run("lighty-enable-mod", "verve")
        self.run("systemctl", "restart", "lighttpd")
        assert self.active(self.redis)
        wait_until(lambda: self.get("/readyz") == "ok", "/readyz")

    def purge(self):
        self.apt("purge", "verve")
        self.run("systemctl", "restart", "lighttpd")
        left = set(self.files()) - set(self.before)
        assert not left, left
        assert not self.run("systemctl", "list-units", "--all", "--plain",
                            "--no-legend", "verve*").strip()
        self.run("getent", "passwd", "verve")
