"""One child process: its output in a file, stopped by its pid."""

import ctypes
import os
import re
import signal
import subprocess

from .log_lines import logged
from .wait import wait_until

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def prepare_child():
    """The child ends if pytest is killed. And it obeys a Ctrl-C even if pytest
    runs in the background of a shell, which ignores SIGINT."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stat_fields(pid):
    """/proc/<pid>/stat from the state on (proc(5)); None if the process is
    gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()
    except OSError:
        return None


def living():
    """(pid, stat_fields) of all processes but zombies, lowest pid first."""
    for pid in sorted(int(name) for name in os.listdir("/proc")
                      if name.isdigit()):
        fields = stat_fields(pid)
        if fields and fields[0] != "Z":
            yield pid, fields


def processes_of_group(group):
    """The pids of the living processes of a process group."""
    return [pid for pid, fields in living() if int(fields[2]) == group]


def children(parent):
    """The pids of the living children of a process, in order."""
    return [pid for pid, fields in living() if int(fields[1]) == parent]


def name_of(pid):
    """The name that a process shows (proc(5)); None if it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
            return comm.read().rstrip("\n")
    except OSError:
        return None


def cpu_s(pid):
    """The processor time that a process has used."""
    user, system = stat_fields(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid, field="VmRSS"):
    """A size of /proc/<pid>/status (proc(5))."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(rf"^{field}:\s+(\d+) kB$", status.read(),
                             re.M)[1])


def times_ready(process):
    """How often it has logged `ready` of itself, not of its connection."""
    return sum(line["msg"] == "ready" for line in process.logged())


class Process:
    """A child in a process group of its own."""

    def __init__(self, name, argv, folder, env, stdin=subprocess.DEVNULL,
                 stdout=None):
        """stdout None: it goes to the log, as stderr does."""
        self.name = name
        self.log = folder / f"{name}.out"
        self.expected_to_die = False
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(
                [str(arg) for arg in argv], cwd=folder, env=env, stdin=stdin,
                stdout=out if stdout is None else stdout, stderr=out,
                start_new_session=True, preexec_fn=prepare_child)

    @property
    def pid(self):
        return self.child.pid

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def output(self):
        return self.log.read_text(errors="replace")

    def logged(self):
        """The lines of its log, each a dict."""
        return logged(self.output())

    def logged_with(self, words):
        """The lines of its log whose message has the words."""
        return [line for line in self.logged() if words in line["msg"]]

    def wait_output(self, words, seconds=10.0):
        """Returns once words are in the output."""
        wait_until(lambda: words in self.output(), f"{self.name}: {words}",
                   seconds)

    def running(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=10.0):
        """Its exit code; negative: the signal that ended it."""
        self.expected_to_die = True
        wait_until(lambda: not self.running(), f"{self.name} ends", seconds)
        return self.child.returncode

    def kill(self):
        """kill -9."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def hup(self):
        self.signal(signal.SIGHUP)

    def freeze(self):
        """With its children, if there are any."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self, seconds=10.0):
        """TERM; returns the exit code. It is an error if other processes of its
        group are left; they are killed."""
        died = not self.running() and not self.expected_to_die
        if self.running():
            self.thaw()
            self.signal(signal.SIGTERM)
        try:
            code = self.wait(seconds)
        finally:
            left = self.kill_group(seconds if not died else 0.0)
        assert not died, f"{self.name} ended by itself: {code}"
        assert not left, f"{self.name} left processes running: {left}"
        return code

    def kill_group(self, seconds):
        """Gives the group time to end, kills the rest; returns their pids."""
        try:
            wait_until(lambda: not processes_of_group(self.pid), "", seconds)
            return []
        except AssertionError:
            left = processes_of_group(self.pid)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        if self.running():
            self.wait()
        return left
