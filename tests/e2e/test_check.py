"""vervectl check: each planted fault is named, and a healthy system is OK."""

import re
import subprocess
import time

import pytest
from harness.edge import right_clock
from harness.fastcgi import Responder
from harness.limited import LimitedRedis
from harness.load import accept
from harness.operator import Operator
from harness.preload import RedisClock
from harness.queue import DEAD, put
from harness.redis import Redis
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.sandbox import free_port
from harness.settings import ROOT
from harness.wait import wait_until

pytestmark = right_clock

# Of all programs, so that their configurations are the same.
SETTINGS = {"VERVE_WINDOW_SECONDS": 2, "VERVE_REDIS_TIMEOUT_MS": 250,
            "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8", **QUICK_CALLBACKS}
STATES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}
# Of the plugin guidelines: 'label'=value[UOM];[warn];[crit];[min];[max]
PERFDATA = re.compile(
    r"('[^'=]+'|[^'= ]+)=(-?[\d.]+)(s|%|B|);"
    r"([-\d:]*);([-\d:]*);(\d*);(\d*)")


class Plugin(Operator):
    """vervectl check."""

    def __call__(self, *words, code=None):
        """The state, and the text before the perfdata."""
        done = subprocess.run(self.argv("check", *words), env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60, cwd=self.sandbox.folder, check=False)
        assert done.stderr == b""
        line, end = done.stdout.decode().split("\n")
        assert end == ""
        text, _, perf = line.partition(" | ")
        word, text = re.fullmatch(r"VERVE (\w+) - ([ -{}~]+)", text).groups()
        assert STATES[word] == done.returncode
        self.perf, self.limits = {}, {}
        for one in re.findall(r"(?:'[^']*'|[^ '])+", perf):
            label, value, _, *limits = PERFDATA.fullmatch(one).groups()
            self.perf[label.strip("'")] = float(value)
            self.limits[label.strip("'")] = tuple(limits[:2])
        assert code in (None, done.returncode), line
        return done.returncode, text

    def wait(self, name, *words, state=None, seconds=40.0):
        """Waits until a problem of this name is found; returns the text."""
        def found():
            code, text = self(*words)
            return name in text and (state is None or code == state) and text
        return wait_until(found, name, seconds)

    def wait_ok(self, seconds=40.0):
        wait_until(lambda: self()[0] == 0 or print(self()), "OK", seconds)


@pytest.fixture
def check(sandbox, redis):
    return Plugin(sandbox, VERVE_REDIS_URL=redis.url_of("vervectl"))


def block(path):
    """Makes a file's path useless to those that open it."""
    path.unlink()
    path.mkdir()


def test_faults_of_a_running_system(sandbox, redis, check, receiver):
    """A reporter and a web host, healthy; then one fault after the other."""
    responder = Responder(sandbox, redis).start()
    reporter = Reporter(sandbox, redis).start()
    wait_until(reporter.report, "a window is reported", 15.0)
    check.wait_ok()
    _, text = check()
    assert re.match(r"last window ended \d+ s ago, 0 callbacks in the queue, "
                    r"1 reporter is alive", text)
    assert check.perf["reporters"] == check.perf["web_hosts"] == 1
    assert abs(check.perf["skew"]) < 1
    assert check.perf["gaps"] == check.perf["dead"] == 0
    (sink,) = [label for label in check.perf if label.startswith("lag_")]
    assert str(reporter.report_path) in sink

    # A sink is down.
    report = reporter.report_path
    kept = report.read_bytes()
    block(report)
    text = check.wait("VerveSinkFailing")
    assert f"{report}" in text
    report.rmdir()
    report.write_bytes(kept)
    check.wait_ok()

    # A destination is down.
    dead_url = f"http://127.0.0.1:{free_port()}/"
    for number in range(20):
        responder.ask(accept(number, dead_url))
    text = check.wait("VerveDestinationsDown", state=1)
    assert dead_url.rstrip("/") in text
    assert check.perf["destinations"] == 1
    assert "VerveDestinationsDown" not in check("--destinations", "1,2")[1]

    # No reporter. It is killed, and can't say goodbye.
    reporter.kill()
    text = check.wait("VerveNoReporter", state=2)
    assert "no reporter is alive" in text
    check.wait("VerveNotReporting", "--age", "3,6", state=2)


def test_an_old_configuration(sandbox, redis, check):
    Responder(sandbox, redis).start()
    check("--reporters", "0,0", code=0)
    Responder(sandbox, redis, name="old", VERVE_STATS_PATH=sandbox.folder / "s",
              VERVE_CALLBACKS_MAX_QUEUE=77).start()
    text = check.wait("VerveConfigDiffers", "--reporters", "0,0", state=1)
    assert "old configuration" in text
    assert len(set(re.findall(r"\b[0-9a-f]{8}:", text))) == 2


def test_what_the_numbers_say(sandbox, redis, check):
    """Data as verve writes it; no program runs."""
    now_s = int(time.time())
    window = now_s - now_s % 2 - 60
    redis("XADD", "verve:windows", f"{window}-0", "count", 0, "late", 0,
          "gap", 1)
    redis("RPUSH", DEAD, *["{}"] * 3)
    put(redis, *["http://h.example/"] * 9)
    limits = ["--reporters", "0,0", "--age", "999,999"]
    assert check("--gaps", "1,1", *limits, code=0)
    assert "VerveWindowsLost: 1 windows of the last hour are gaps" in check(
        *limits, code=1)[1]
    check.wait("VerveCallbacksDying", *limits, "--dead", "2,3", state=1)
    check.wait("VerveCallbacksDying", *limits, "--dead", "1,2", state=2)
    assert (check.perf["gaps"], check.perf["dead"]) == (1, 3)
    assert check.perf["queue"] == 9
    check.env["VERVE_CALLBACKS_MAX_QUEUE"] = "9"
    assert "100 % full" in check.wait("VerveQueueFull", *limits, state=2)
    check.env["VERVE_CALLBACKS_MAX_QUEUE"] = "10"
    check.wait("VerveQueueFull", *limits, state=1)
    assert "VerveNotReporting" in check("--reporters", "0,0", code=2)[1]


def test_the_oldest_callback(sandbox, redis, check):
    responder = Responder(sandbox, redis).start()
    responder.ask(accept(1, "http://h.example/"))
    check.wait("VerveCallbacksLate", "--oldest", "1,99", state=None)
    assert check.perf["oldest"] >= 2


def test_redis_frozen(redis, check):
    started = time.monotonic()
    check()
    quick = time.monotonic() - started  # what this machine adds just now
    redis.freeze()
    started = time.monotonic()
    _, text = check("-t", "4", code=2)
    assert time.monotonic() - started < 4 + quick
    assert text.startswith("VerveRedisAway: Redis ") and "hangs" in text
    redis.thaw()
    assert "VerveRedisAway" not in check()[1]
    redis.stop()
    assert check(code=2)[1].startswith("VerveRedisAway: ")


def test_redis_full(redis, check):
    redis("CONFIG", "SET", "maxmemory", "1")
    assert "VerveRedisFull: Redis is full" in check(code=2)[1]
    assert check.perf["memory"] > 100
    redis("CONFIG", "SET", "maxmemory", "0")
    redis("SETRANGE", "large", 30_000_000, "x")
    used = int(redis("INFO", "memory").partition("used_memory:")[2].split()[0])
    redis("CONFIG", "SET", "maxmemory", used + 4_000_000)
    limits = ["--reporters", "0,0"]
    assert "VerveRedisFull: Redis has used 8" in check(*limits, code=1)[1]
    redis("CONFIG", "SET", "maxmemory", "0")
    assert check(*limits, code=0)
    redis("CONFIG", "SET", "min-replicas-to-write", "1")
    assert "VerveRedisRefuses" in check(*limits, code=2)[1]


def test_a_wrong_clock(sandbox):
    clock = RedisClock(sandbox)
    redis = Redis(sandbox, environment=clock.environment).start()
    check = Plugin(sandbox, VERVE_REDIS_URL=redis.url)
    check("--reporters", "0,0", code=0)
    for offset_s, state in ((-20, 1), (100, 2)):
        clock.step_to(offset_s)
        text = check.wait("VerveClockWrong", "--reporters", "0,0", state=state)
        assert "wrong clock" in text
        assert abs(check.perf["skew"] - offset_s) < 5


def test_a_sink_of_a_host_that_is_gone(sandbox, redis, check):
    """Its lease was last renewed a day ago, and an hour ago."""
    now_s = int(time.time())
    window = now_s - now_s % 2
    for ago in (40, 30, 20):
        redis("XADD", "verve:windows", f"{window - ago}-0", "count", 0)
    limits = ["--reporters", "0,0", "--age", "999,999"]
    redis("HSET", "verve:sink:file:gone:/x", "cursor", window - 3600)
    redis("ZADD", "verve:sinks", (now_s - 90000) * 1000, "file:gone:/x")
    check(*limits, code=0)
    redis("ZADD", "verve:sinks", (now_s - 3600) * 1000, "file:gone:/x")
    assert "VerveSinkFailing" in check(*limits, code=2)[1]
    redis("HSET", "verve:sink:file:gone:/x", "cursor", window - 20)
    check(*limits, code=0)


@pytest.mark.parametrize("words", [
    ["x"], ["--lag", "1"], ["--lag", "1,"], ["--lag", "a,b"], ["--lag"],
    ["--lag", ",1"], ["--lag", "1,2,3"], ["--lag", "1,99999999999999999999"],
    ["--lag", "1000000000,1"], ["-t", "0"], ["-t", "000"], ["-t", "x"],
    ["-t", ""], ["-t", "10000"], ["--nothing", "1,2"]])
def test_wrong_usage(check, words):
    assert words[0] in check(*words, code=3)[1]


def test_numbers_are_decimal(check):
    """Zeros before them mean nothing: 010 is not 8, and 08 no error."""
    check("-t", "00020", "--reporters", "000,00", "--queue", "010,0000000000080",
          "--dead", "08,09", code=0)
    assert check.limits["queue"] == ("100000", "800000")
    assert check.limits["dead"] == ("8", "9")


def test_a_wrong_configuration(check):
    check.env["VERVE_WINDOW_SECONDS"] = "x"
    assert "VERVE_WINDOW_SECONDS" in check(code=3)[1]


def test_a_wrong_password(sandbox):
    port = free_port()
    Redis(sandbox, port=port, bind="127.0.0.1", requirepass="right").start()
    check = Plugin(sandbox,
                   VERVE_REDIS_URL=f"redis://default:wrong@127.0.0.1:{port}")
    text = check(code=2)[1]
    assert text.startswith("VerveRedisUnusable: ") and "wrong@" not in text


def test_the_shipped_rights_are_enough(sandbox):
    redis = LimitedRedis(sandbox).start()
    check = Plugin(sandbox, VERVE_REDIS_URL=redis.url_of("vervectl"))
    # The limit is for a slow machine.
    check("-t", "40", "--reporters", "0,0", code=0)
    redis("ACL", "SETUSER", "vervectl", "-info", "-set")
    assert "may not SET" in check("-t", "40", "--reporters", "0,0", code=1)[1]
    assert "memory" not in check.perf


def test_a_password_that_cannot_be_read(check):
    """There is a line in any case."""
    check.env["VERVE_REDIS_PASSWORD_FILE"] = "/nowhere/password"
    done = subprocess.run(check.argv("check"), env=check.env, timeout=60,
                          capture_output=True, check=False)
    assert done.returncode == 3
    assert done.stdout.startswith(b"VERVE UNKNOWN - nothing was checked")
    assert b"/nowhere/password" in done.stderr


def test_the_names_are_those_of_the_alerts():
    """And each is documented."""
    script = (ROOT / "ops" / "vervectl-check.sh").read_text()
    names = set(re.findall(r"Verve[A-Z]\w+", script))
    assert len(names) > 10
    rules = (ROOT / "conf" / "prometheus" / "verve.rules.yml").read_text()
    assert names <= set(re.findall(r"alert: (\w+)", rules))
    document = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"^\| `(Verve\w+)`", document, re.M)) == names
