"""A Debian with systemd, booted in namespaces of its own on this machine: it has
no network but a loopback interface of its own. Needs root and cgroup v2."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOT_S = 60
COMMAND_S = 300

# Process 1 of the namespaces, until it becomes systemd.
BOOT = r"""
set -eu
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/oldroot"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
ip link set lo up
cd "$root"
pivot_root . oldroot
umount -l /oldroot
# What a container manager has to do: LoadCredential= mounts in a namespace of its
# own, and the service has to see that.
mount --make-rshared /
exec env -i container=verve PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=multi-user.target
"""

# What a booted system needs beside the bare one, without the package's own
# dependencies: they are only fetched, as the system has no network later.
PREPARE = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
rm -f /usr/sbin/policy-rc.d
apt-get -q update
apt-get -qy install --no-install-recommends systemd systemd-sysv dbus curl \
    procps logrotate
apt-get -qy install --no-install-recommends --download-only lighttpd "$@"
"""


def in_debian(release, *command, **variables):
    """Runs a command in a chroot; see tools/in-debian."""
    done = subprocess.run([ROOT / "tools" / "in-debian", release, *command],
                          env={**os.environ, **variables}, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=3600, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}\nfailed: {' '.join(command)}")


def prepare(release, name, packages):
    """Makes a folder with a system that can boot, and with packages, paths of
    files in its root, of which apt has fetched what they depend on. Returns the
    folder."""
    code = {"12": "bookworm", "13": "trixie"}.get(release, release)
    folder = ROOT / "build" / "debian" / f"{code}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    in_debian(release, "true", ROOT=name)
    (folder / "debs").mkdir()
    for package in packages:
        shutil.copy(package, folder / "debs")
    first = f"/debs/{packages[0].name}"
    in_debian(release, "sh", "-c", PREPARE, "sh", first, ROOT=name)
    return folder


def cgroup_root():
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, path, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(path)
    raise SystemExit("no cgroup v2 is mounted")


class System:
    """A booted system; close() ends all of its processes."""

    def __init__(self, folder):
        self.cgroup = cgroup_root() / f"verve-package-{os.getpid()}"
        self.cgroup.mkdir()
        self.log = open(f"{folder}.log", "w", encoding="utf-8")
        self.unshare = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid",
             "--fork", "--kill-child", "--ipc", "--uts", "--net", "--cgroup",
             "bash", "-c", BOOT, "boot", folder],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=lambda: (self.cgroup / "cgroup.procs").write_text(
                str(os.getpid())))
        self.pid = None
        self.boot()

    def boot(self):
        children = Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}"
                        "/children")
        deadline = time.monotonic() + BOOT_S
        while time.monotonic() < deadline:
            time.sleep(0.2)
            if self.pid is None:
                self.pid = int(children.read_text() or 0) or None
            elif self.run("systemctl", "is-system-running",
                          check=False).strip() in ("running", "degraded"):
                return
        self.close()
        raise SystemExit(f"no boot within {BOOT_S} s, see {self.log.name}")

    def enter(self, *options):
        return ["nsenter", "-t", str(self.pid), *options]

    def run(self, *command, check=True):
        """Runs a command in the system; returns its output."""
        done = subprocess.run(
            [*self.enter("-a"), "env", "-i", "LC_ALL=C.UTF-8", "HOME=/root",
             "DEBIAN_FRONTEND=noninteractive",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=COMMAND_S,
            check=False)
        self.code = done.returncode
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit code "
                                 f"{done.returncode}\n{done.stdout}")
        return done.stdout

    def shell(self, script, check=True):
        return self.run("sh", "-c", script, check=check)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.unshare.wait(30)
        self.log.close()
        # The kernel takes a moment to end the other processes.
        deadline = time.monotonic() + BOOT_S
        while "populated 1" in (self.cgroup / "cgroup.events").read_text():
            assert time.monotonic() < deadline, self.cgroup
            time.sleep(0.1)
        for path, _, _ in os.walk(self.cgroup, topdown=False):
            os.rmdir(path)
