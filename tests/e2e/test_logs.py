"""The programs' own log: its formats, its targets, and what is logged once."""

import os
import re
import shutil

import pytest
from harness.daemon import Daemon
from harness.fastcgi import Responder
from harness.http import fetch
from harness.load import accept
from harness.log_lines import is_logged, logged, parse_pairs
from harness.namespace import inside, needs_mounts
from harness.queue import DEAD
from harness.records import complete_lines
from harness.redis import Redis
from harness.reporter import Reporter
from harness.syslog import SystemLog
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 1}
# For a path: a blank, quotes, a backslash, an equals sign, no UTF-8, and an
# override of the direction of text.
HOSTILE = b'a "b\\n =\xc3\xa9\xff\xe2\x80\xae"'
FORGED = 'VERVE_RDIS_URL\n\udcff" level:error'  # unknown: a warning
HOSTILE_READ = HOSTILE.decode(errors="replace")
# /dev with a log and with what lighttpd needs.
WHOLE_DEV = (
    'mkdir "$2" && mount --rbind /dev "$2" && mount -t tmpfs none /dev && '
    "for name in null zero urandom; do "
    'touch "/dev/$name" && mount --bind "$2/$name" "/dev/$name"; done && '
    'ln -s "$1" /dev/log')


def lines_of(path):
    return logged(path.read_text() if path.exists() else "")


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_each_line_is_read_back(sandbox, redis, receiver, form):
    """Of both programs, while things go wrong whose names others have chosen."""
    folder = os.fsencode(sandbox.folder / "logs") + b"/" + HOSTILE
    os.makedirs(folder)
    attempts = os.fsdecode(folder + b"/callbacks")
    settings = {"VERVE_LOG_FORMAT": form, "VERVE_LOG_LEVEL": "debug",
                FORGED: "x", "VERVE_REDIS_TIMEOUT_MS": 250}
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_LOG=attempts,
                        VERVE_CALLBACKS_WORKERS=2, **settings).start()
    responder = Responder(sandbox, redis, **settings).start()
    shutil.rmtree(folder)
    receiver.respond("/gone", 410)
    for number, url in enumerate([receiver.url("/gone"), "http://10.0.0.1/",
                                  "http://x.invalid/"]):
        assert responder.ask(accept(number, url)).status == 200
    wait_until(lambda: redis("LLEN", DEAD) == 2, "two are dead")
    redis.kill()
    assert responder.ask(accept(7)).status == 503
    redis.start()
    wait_until(lambda: responder.ask(accept(7)).status == 200, "ok again")
    reporter.process.wait_output("No such file")
    reporter.term()
    for process in (reporter.process, responder.process):
        lines = process.output().split("\n")[:-1]
        assert all(map(is_logged, lines)), lines
        assert all(line.startswith("{") == (form == "json") for line in lines)
    said = " ".join(line["msg"] for line in reporter.process.logged())
    assert HOSTILE_READ + "/callbacks: No such file" in said
    assert FORGED.replace("\udcff", "\ufffd") + ": it sets no key" in said


def test_syslog_has_the_head_of_a_message(sandbox, redis):
    log = SystemLog(sandbox).start()
    reporter = Reporter(sandbox, redis, before=log.inside,
                        VERVE_LOG_TARGET="syslog", VERVE_FILE_PATH="/dev/stdout")
    sandbox.start(reporter.name, reporter.command, reporter.settings)
    wait_until(lambda: any(match["text"] == 'msg="ready"'
                           for match in log.read()), "ready")
    for match in log.messages:
        assert parse_pairs(match["text"])["msg"]
        assert int(match["priority"]) in (24 + 4, 24 + 6)  # daemon; warn, info
        assert re.fullmatch(r"verve-reporter(/[\w-]+)?\[\d+\]", match["tag"])


def test_a_daemon_closes_stderr(sandbox, redis):
    """Therefore the lines of its pool need another target."""
    daemon = Daemon(sandbox, redis).start()
    assert len(daemon.responders()) == 2
    daemon.stop()
    for path in (daemon.output, daemon.error_log):
        assert "verve-fcgi" not in path.read_text()


def test_a_daemons_pool_logs_to_a_file(sandbox, redis):
    path = sandbox.folder / "verve.txt"
    daemon = Daemon(sandbox, redis, VERVE_LOG_TARGET=path).start()
    pids = {str(pid) for pid in daemon.responders()}
    wait_until(lambda: {line["pid"] for line in lines_of(path)
                        if line["msg"] == "ready"} == pids, "both are ready")
    redis.kill()
    assert fetch(daemon.port, accept(7)).status == 503
    wait_until(lambda: any(line["msg"] == "requests are refused"
                           for line in lines_of(path)), "it is logged")
    daemon.stop()


@needs_mounts
def test_a_daemons_pool_logs_to_syslog(sandbox, redis):
    log = SystemLog(sandbox).start()
    daemon = Daemon(sandbox, redis, VERVE_LOG_TARGET="syslog",
                    before=inside(WHOLE_DEV, log.path,
                                  sandbox.folder / "dev")).start()
    tags = {f"verve-fcgi[{pid}]" for pid in daemon.responders()}
    wait_until(lambda: {match["tag"] for match in log.read()
                        if match["text"] == 'msg="ready"'} == tags,
               "both are ready")
    daemon.stop()


def test_a_file_is_shared_and_rotated(sandbox, redis):
    """By both programs. All lines are whole; none is lost or comes twice."""
    path = sandbox.folder / "verve.txt"
    rotated = sandbox.folder / "verve.txt.1"
    responder = Responder(sandbox, redis, VERVE_LOG_TARGET=path)
    reporter = Reporter(sandbox, redis, VERVE_LOG_TARGET=path)
    sandbox.start("fcgi-0", responder.command, responder.settings,
                  stdin=responder.listener)
    process = sandbox.start("reporter", reporter.command, reporter.settings)
    wait_until(lambda: sum(line["msg"] == "ready"
                           for line in lines_of(path)) == 2, "both are ready")
    path.rename(rotated)
    process.hup()
    wait_until(lambda: any(line["msg"] == "opening files anew"
                           for line in lines_of(path)), "the reporter follows")
    redis.end_connections()
    wait_until(lambda: {line["program"] for line in lines_of(path)} >=
               {"verve-fcgi", "verve-reporter/reports"}, "all follow")
    for file in (path, rotated):
        assert all(map(is_logged, complete_lines(file)))
    assert path.stat().st_mode & 0o777 == 0o640
    assert not process.output()


def test_a_full_disk_holds_up_nobody(sandbox, redis):
    """Lines go to stderr."""
    responder = Responder(sandbox, redis, VERVE_LOG_TARGET="/dev/full").start()
    assert responder.ask(accept(7)).status == 200
    assert responder.process.logged_with("ready")
    code = sandbox.start("wrong", responder.command,
                         {"VERVE_LOG_TARGET": "/nowhere/verve.log"},
                         stdin=responder.listener)
    assert code.wait() == 100
    assert 'log.target: there is no folder "/nowhere"' in code.output()


def test_a_reason_of_503_is_logged_at_its_begin_and_its_end(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=250,
                          VERVE_WINDOW_SECONDS=3600).start()
    assert responder.ask(accept(1)).status == 200
    redis.kill()
    for number in range(10):
        assert responder.ask(accept(100 + number)).status == 503
    for _ in range(3):
        assert responder.ask("/readyz").status == 503
    redis.start()
    wait_until(lambda: responder.ask("/readyz").status == 200, "ready again")
    assert responder.ask(accept(2)).status == 200
    process = responder.process
    process.wait_output("requests are counted again")
    begin, end = process.logged_with("requests are")
    assert begin["level"] == "error"
    assert begin["code"] == "redis-unavailable"
    assert begin["reason"] and begin["refused"] == "1"
    assert (end["msg"], end["level"]) == ("requests are counted again", "info")
    assert end["refused"] == "10"
    (unready,) = process.logged_with("not ready")
    assert unready["code"] == "redis-unavailable"
    (ready,) = process.logged_with("ready again")
    assert int(ready["refused"]) >= 3


def test_that_no_reporter_runs_is_logged(sandbox, redis):
    """30 s after the last has vanished, also if it has ended in order, or if
    none ever ran, which Redis does not know; and once one runs again."""
    words = "no reporter runs"
    lonely = Redis(sandbox, name="lonely").start()
    forsaken = Responder(sandbox, lonely, name="forsaken").start()
    reporter = Reporter(sandbox, redis).start()
    responder = Responder(sandbox, redis).start()
    presence = "verve:{0}:presence"
    (name,) = wait_until(
        lambda: [name for name in redis("ZRANGE", presence, 0, -1)
                 if name.endswith("/reports")], "it says that it is there")
    reporter.kill()
    redis("ZADD", presence, redis.now_ms() - 40000, name)
    responder.process.wait_output(words, 15.0)
    (line,) = responder.process.logged_with(words)
    assert line["level"] == "error"
    assert 39 <= int(line["since_s"]) <= 60
    reporter.start()
    responder.process.wait_output("a reporter runs again", 15.0)
    forsaken.process.wait_output(words, 50.0)
    (line,) = forsaken.process.logged_with(words)
    assert 30 <= int(line["since_s"]) <= 45
    assert responder.process.output().count(words) == 1
