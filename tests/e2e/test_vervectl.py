"""vervectl: shows an operator the state of verve, and changes its queue."""

import os
import pty
import re
import shutil
import subprocess
import threading
import time

import pytest
from harness.fastcgi import Responder
from harness.load import accept
from harness.old_redis import OldRedis
from harness.operator import Operator, words_of
from harness.queue import DEAD, DUE, LIST
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.settings import REDIS_CLI, ROOT
from harness.wait import wait_until

HOUR_MS = 3600_000


def job(name, url="http://a.example/x", more=""):
    return (f'{{"v":1,"id":"{name}","url":"{url}","window":1767323040,'
            f'"count":9223372036854775807{more}}}')


def dead(name, error="status-500", **kwargs):
    return job(name, more=f',"attempts":8,"error":"{error}"', **kwargs)


def delay(redis, json, attempts=2, score=None, claim="-"):
    member = f"{claim} {attempts} {json}"
    redis("ZADD", DUE, score or redis.now_ms() + HOUR_MS, member)
    return member


def names(lines):
    return [words_of(line)["job"] for line in lines]


# --- The status


def test_status(sandbox, redis, receiver):
    window = {"VERVE_WINDOW_SECONDS": 2}
    operator = Operator(sandbox, VERVE_REDIS_URL=redis.url_of("vervectl"),
                        **window)
    responder = Responder(sandbox, redis, **window).start()
    reporter = Reporter(sandbox, redis, **window).start()
    receiver.respond("/gone", 410)
    responder.ask(accept(7, receiver.url("/gone")))
    wait_until(reporter.report, "a window is reported", 15.0)
    wait_until(lambda: redis("LLEN", DEAD), "the job is dead")
    # A reporter publishes its state at intervals.
    wait_until(lambda: any(line.startswith("reporter") and "dead=1" in line
                           for line in operator("status")), "it is published")
    delay(redis, job("a"))
    delay(redis, job("b"), claim="c1")
    facts = {}
    for line in operator("status"):
        name, text = line.split(None, 1)
        facts.setdefault(name, []).append(text)
    assert set(facts) == {"window", "reported", "queue", "sink", "reporter",
                          "destination"}
    assert re.fullmatch(r"20\S+Z seconds=2 left_ms=\d+ count=\d+",
                        facts["window"][0])
    assert re.fullmatch(r"20\S+Z count=\d+", facts["reported"][0])
    # The lease of an hour is longer than real leases: not looked for.
    assert facts["queue"] == ["waiting=0 leased=0 delayed=2 dead=1"]
    assert f"file:{os.uname().nodename}:{reporter.report_path}" in \
        facts["sink"][0]
    assert re.search(r"cursor=20\S+Z", facts["sink"][0])
    assert f":{reporter.worker()} " in facts["reporter"][0]
    assert "dead=1" in facts["reporter"][0]
    assert f"http://127.0.0.1:{receiver.port} proven=yes breaker=closed" in \
        facts["destination"][0]
    redis("ZADD", DUE, redis.now_ms() + 20000, "c1 0 " + job("c"))
    assert any("leased=1 delayed=2" in line for line in operator("status"))


def test_status_of_an_empty_redis(operator):
    text = "\n".join(operator("status"))
    assert "waiting=0 leased=0 delayed=0 dead=0" in text
    assert "none delivers callbacks" in text
    assert "cursor=-" in text
    operator.env["VERVE_SINK_NAME"] = "reporter-1"
    assert [line.split()[1] for line in operator("status")
            if line.startswith("sink")] == [
                f"file:reporter-1:{operator.env['VERVE_FILE_PATH']}"]


# --- Looking at jobs


def test_list_and_its_filters(redis, operator):
    operator("queue", "list", code=1)
    redis("RPUSH", LIST, job("w"))
    delay(redis, job("x", "https://B.example/"))
    delay(redis, job("leased"), claim="c1")
    redis("RPUSH", DEAD, dead("y"), dead("z", "timeout"), "junk",
          dead("6", url="http://[2001:db8::1]:81/"))
    lines = operator("queue", "list")
    assert names(lines) == ["x", "y", "z", "-", "6"]
    found = [words_of(line) for line in lines]
    assert found[0].pop("up_in_ms").isdigit()
    assert found[0] == {
        "state": "delayed", "job": "x", "window": "2026-01-02T03:04:00Z",
        "host": "b.example:443", "attempts": "2", "error": "-",
        "count": found[0]["count"], "url": "https://B.example/"}
    assert (found[1]["state"], found[1]["error"], found[1]["attempts"]) == \
        ("dead", "status-500", "8")
    assert found[3]["error"] == "unreadable"

    def listed(*words):
        return names(operator("queue", "list", *words))
    assert listed("--waiting") == ["w"]
    assert listed("--dead") == ["y", "z", "-", "6"]
    assert listed("--delayed", "--waiting") == ["w", "x"]
    assert listed("--host", "A.example") == ["y", "z"]
    assert listed("--host=a.example:80", "--outcome=timeout") == ["z"]
    assert listed("--host", "[2001:db8::1]:81") == ["6"]
    assert listed("--job", "x") == ["x"]
    operator("queue", "list", "--host", "a.example:81", code=1)
    operator("queue", "list", "--host", "*", code=1)


def test_what_is_delayed_is_found_by_its_outcome(sandbox, redis, receiver,
                                                 operator):
    """Jobs as a reporter leaves them after an attempt; retry makes them due."""
    receiver.respond("/bad", 500)
    Reporter(sandbox, redis, VERVE_WINDOW_SECONDS=3600,
             VERVE_CALLBACKS_RETRY_DELAYS_S="3600").start()
    redis("RPUSH", LIST, job("a", receiver.url("/bad")),
          job("b", receiver.url("/good")))
    wait_until(lambda: names(operator("queue", "list", "--delayed",
                                      "--outcome", "status-500",
                                      code=None)) == ["a"], "it is delayed")
    operator("queue", "list", "--delayed", "--outcome", "timeout", code=1)
    # Not the dead ones: the reporter may be faster than the walk.
    operator("queue", "retry", "--delayed", "--outcome", "status-500")
    receiver.wait_count(2, "/bad")
    first, second = receiver.at("/bad")
    assert first.body == second.body


def test_show_finds_it_anywhere(sandbox, redis, operator):
    redis("RPUSH", LIST, job("w"))
    delay(redis, job("x"))
    delay(redis, job("leased"), claim="c1")
    redis("RPUSH", DEAD, dead("y"), dead("yy"))
    (sandbox.folder / "callbacks.txt").write_text(
        "t job=y window=w host=h\nt job=yy window=w host=h\n")
    for name, state in (("w", "waiting"), ("x", "delayed"),
                        ("leased", "leased")):
        line, json = operator("queue", "show", name)
        assert words_of(line)["state"] == state
        assert json.strip() == job(name)
    line, json, logged = operator("queue", "show", "y")
    assert json.strip() == dead("y")
    assert logged == "t job=y window=w host=h"
    operator("queue", "show", "nobody", code=1)


def test_hostile_text_is_only_shown(sandbox, redis, operator):
    evil = "http://a.example/$(touch pwned)`touch pwned`;'%s%n \\u001b[2J\\n" \
           "state=dead\\r\\u0000\\u2028"
    redis("RPUSH", DEAD, dead("e", "a b\\n*", url=evil),
          b"\x1b[31m\xff\x00\n$(touch pwned) *")
    lines = operator("queue", "list")
    assert len(lines) == 2
    assert "\\x1b[2J" in lines[0] and "$(touch" in lines[0]
    assert words_of(lines[0])["error"] == "a\\x20b\\x0a*"
    assert len(operator("queue", "show", "e")) == 2
    operator("queue", "list", "--host", "$(touch pwned)", code=1)
    operator("queue", "show", "$(touch pwned)", code=100)
    operator("queue", "retry", "--outcome", "'; touch pwned", code=1)
    assert not (sandbox.folder / "pwned").exists()


# --- Moving them


def test_retry_moves_the_exact_bytes(redis, operator):
    odd = '{ "v":1, "id":"o", "url":"http:\\/\\/a.example\\/","e":[],' \
          '"window":1,"count":9223372036854775807,"error":"timeout"}'
    redis("RPUSH", LIST, job("w"))
    redis("RPUSH", DEAD, dead("y"), odd, dead("z"), "junk")
    operator("queue", "retry", "o")
    assert redis("LRANGE", LIST, 0, -1) == [job("w"), odd]
    assert redis("LRANGE", DEAD, 0, -1) == [dead("y"), dead("z"), "junk"]
    operator("queue", "retry", "--all")
    assert operator.errors == "vervectl: 2 to be tried again\n"
    # Unreadable jobs stay, as they would only become dead again.
    assert redis("LRANGE", DEAD, 0, -1) == ["junk"]
    assert redis("LRANGE", LIST, 2, -1) == [dead("y"), dead("z")]
    operator("queue", "retry", "--all", code=1)


def test_retry_of_delayed_ones(redis, operator):
    now_ms = redis.now_ms()
    x = delay(redis, job("x"), attempts=5)
    y = delay(redis, job("y", "http://b.example/"))
    up = delay(redis, job("up"), score=now_ms - 1000)
    leased = delay(redis, job("leased"), claim="c1")
    operator("queue", "retry", "--host", "a.example")
    assert now_ms <= int(redis("ZSCORE", DUE, x)) <= redis.now_ms()
    assert int(redis("ZSCORE", DUE, up)) == now_ms - 1000
    for member in (y, leased):
        assert int(redis("ZSCORE", DUE, member)) > now_ms + HOUR_MS - 10000
    operator("queue", "retry", "leased", code=1)
    operator("queue", "retry", "--dead", "--all", code=1)


def test_retried_ones_are_delivered(sandbox, redis, receiver, operator):
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600).start()
    Reporter(sandbox, redis, VERVE_WINDOW_SECONDS=3600,
             VERVE_CALLBACKS_RETRY_DELAYS_S="3600").start()
    receiver.respond("/gone", 410, 200)
    receiver.respond("/late", 500, 200)
    responder.ask(accept(1, receiver.url("/gone")))
    responder.ask(accept(2, receiver.url("/late")))
    wait_until(lambda: redis("LLEN", DEAD) == 1, "one is dead")
    wait_until(lambda: [m for m in redis("ZRANGE", DUE, 0, -1)
                        if m.startswith("- 1 ")], "one is delayed")
    assert len(operator("queue", "list")) == 2
    operator("queue", "retry", "--host", f"127.0.0.1:{receiver.port}")
    for path in ("/gone", "/late"):
        first, again = receiver.wait_count(2, path)
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        assert first.body == again.body
    wait_until(lambda: not redis("EXISTS", LIST, DUE, DEAD), "all is settled")


def test_drop(redis, operator):
    x = delay(redis, job("x"))
    leased = delay(redis, job("leased"), claim="c1")
    redis("RPUSH", DEAD, dead("y"), dead("z", "timeout"), "junk")
    operator("queue", "drop", "--all", code=100)
    assert "-y" in operator.errors
    operator("queue", "drop", "--outcome", "timeout", "-y")
    operator("queue", "drop", "-y", "y")
    assert redis("LRANGE", DEAD, 0, -1) == ["junk"]
    operator("queue", "drop", "-y", "--outcome", "unreadable")
    assert redis("ZRANGE", DUE, 0, -1) == [x, leased]
    operator("queue", "drop", "-y", "--all")
    assert redis("ZRANGE", DUE, 0, -1) == [leased]
    operator("queue", "drop", "-y", "--all", code=1)
    assert not redis("EXISTS", LIST, DEAD)


@pytest.mark.parametrize("answer,code,left", [
    ("n\n", 1, 2), ("\n", 1, 2), ("y\n", 0, 0)])
def test_drop_asks_at_a_terminal(redis, operator, answer, code, left):
    redis("RPUSH", DEAD, dead("y"), dead("z"))
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        operator.argv("queue", "drop", "--all"), env=operator.env,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(ours, 4096)
    assert b"drop 2 for ever?" in said
    os.write(ours, answer.encode())
    assert child.wait(10) == code
    os.close(ours)
    assert redis("LLEN", DEAD) == left


def test_a_redis_that_is_full_can_be_emptied(redis, operator):
    redis("RPUSH", DEAD, *[dead(f"d{i}") for i in range(100)])
    redis("CONFIG", "SET", "maxmemory", 1)
    operator("queue", "retry", "d7")
    operator("queue", "drop", "--all", "-y")
    assert redis("LRANGE", LIST, 0, -1) == [dead("d7")]
    assert not redis("EXISTS", DEAD)


# --- Many of them


def test_a_long_replay(redis, operator):
    """In batches, in order, with lines of progress; other jobs stay."""
    count = 12000
    entries = [dead(f"d{i}", "timeout" if i % 3 else "reset")
               for i in range(count)]
    for i in range(0, count, 1000):
        redis("RPUSH", DEAD, *entries[i:i + 1000])
    operator("queue", "retry", "--outcome", "timeout")
    *progress, last = operator.errors.splitlines()
    assert last == "vervectl: 8000 to be tried again"
    assert progress == [
        "vervectl: retry (dead): 5000 of 12000 looked at, 3333 matched",
        "vervectl: retry (dead): 10000 of 12000 looked at, 6666 matched"]
    assert redis("LRANGE", LIST, 0, -1) == \
        [entry for i, entry in enumerate(entries) if i % 3]
    assert redis("LRANGE", DEAD, 0, -1) == entries[::3]
    assert names(operator("queue", "list", "--waiting")) == \
        [f"d{i}" for i in range(count) if i % 3]


def test_many_of_one_score(redis, operator):
    far = redis.now_ms() + HOUR_MS
    for i in range(300):
        delay(redis, job(f"a{i}"), score=far - 300 + i)
    for i in range(1200):
        delay(redis, job(f"b{i}"), score=far)
    for i in range(700):
        delay(redis, job(f"c{i}"), score=far + i)
    assert len(set(names(operator("queue", "list")))) == 2200
    operator("queue", "retry", "--all")
    assert operator.errors == "vervectl: 2200 to be tried again\n"
    assert redis("ZCOUNT", DUE, "-inf", redis.now_ms()) == 2200


def test_a_list_that_moves_meanwhile(redis, operator):
    """During a walk the oldest entries go and new ones come. Entries that stay
    are moved once, and none is lost or doubled."""
    count = 10000
    for i in range(0, count, 1000):
        redis("RPUSH", DEAD, *[dead(f"d{j}", "timeout" if j % 2 else "reset")
                               for j in range(i, i + 1000)])
    client = redis.connect()
    done = threading.Event()
    dropped = []

    def bury():
        number = count
        while not done.is_set():
            client("RPUSH", DEAD, dead(f"d{number}", "reset"))
            number += 1
            dropped.append(client("LPOP", DEAD))

    thread = threading.Thread(target=bury)
    thread.start()
    try:
        operator("queue", "retry", "--outcome", "timeout")
    finally:
        done.set()
        thread.join()
    client.close()
    moved = redis("LRANGE", LIST, 0, -1)
    left = redis("LRANGE", DEAD, 0, -1)
    assert dropped
    everything = moved + left + dropped
    assert len(everything) == len(set(everything)) == count + len(dropped)
    assert not any('"timeout"' in entry for entry in left)
    assert all('"timeout"' in entry for entry in moved)


# --- Redis, the configuration, the command line


def test_redis_away(redis, operator):
    redis.kill()
    operator("status", code=111)
    operator("queue", "list", code=111)
    operator("queue", "retry", "--all", code=111)
    assert "redis.sock" in operator.errors
    redis.start()
    operator("queue", "list", code=1)


def test_redis_frozen(redis, operator):
    """vervectl ends after its time limit."""
    impatient = operator.impatient()
    started = time.monotonic()
    impatient("queue", "list", code=1)
    quick = time.monotonic() - started  # what this machine adds just now
    redis.freeze()
    started = time.monotonic()
    impatient("queue", "list", code=111)
    assert time.monotonic() - started < 5 + quick
    redis.thaw()
    operator("queue", "list", code=1)


@pytest.mark.parametrize("words", [
    [], ["nothing"], ["-x"], ["status", "x"], ["queue"], ["queue", "eat"],
    ["queue", "show"], ["queue", "show", "a", "b"], ["queue", "retry"],
    ["queue", "drop", "-y"], ["queue", "retry", "--dead"],
    ["queue", "retry", "--all", "--waiting"], ["queue", "list", "--host"],
    ["queue", "list", "--host="], ["queue", "list", "--nothing"],
    ["queue", "list", "-y"], ["tail", "-n", "x"], ["tail", "x"],
    ["tail", "--follow"], ["status", "--xml"], ["status", "--json", "x"],
    ["help", "nothing"], ["help", "status", "tail"],
    ["-c", "/nowhere.conf", "status"]])
def test_wrong_usage(operator, words):
    assert operator(*words, code=100) == []
    assert operator.errors


def test_help_tells_the_exit_codes(operator):
    text = "\n".join(operator("-h"))
    assert re.findall(r"^  (\d+) ", text, re.M) == ["0", "1", "100", "111"]


def test_help_of_each_command(operator):
    whole = operator("-h")
    assert operator("help") == whole
    commands = {line.split()[0] for line in whole if re.match("  [a-z]", line)}
    assert {"status", "sinks", "tail", "help"} <= commands
    completion = (ROOT / "completion" / "vervectl").read_text()
    for command in commands:
        *lines, _ = operator("help", command)
        assert lines and lines[0].split()[0] == command
        assert set(lines) <= set(whole)
        assert re.search(rf"\b{command}\b", completion), command
    assert any("--memory PERCENT" in line for line in operator("help", "check"))


def test_the_configuration_file_counts(sandbox, redis):
    path = sandbox.folder / "verve conf"
    path.write_text(f"[redis]\nurl = {redis.url}\nprefix = other\n")
    redis("RPUSH", "other:{0}:dead", dead("y"))
    operator = Operator(sandbox)
    assert names(operator("-c", str(path), "queue", "list")) == ["y"]
    operator.env["VERVE_REDIS_PREFIX"] = "third"
    operator("-c", str(path), "queue", "list", code=1)


def test_a_password_stays_out_of_the_arguments(sandbox):
    """With TCP, a user of the ACL and a database. A wrapper logs the arguments
    of redis-cli."""
    port = free_port()
    redis = Redis(sandbox, port=port, bind="127.0.0.1").start()
    secret = 'p@ss: /%"\'$x'
    redis("ACL", "SETUSER", "op%er", "on", f">{secret}", "~*", "+@all")
    redis("SELECT", 3)
    redis("RPUSH", DEAD, dead("y"))
    spy = sandbox.folder / "bin" / REDIS_CLI
    spy.parent.mkdir()
    spy.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>"$SPY"\n'
                   f'exec {shutil.which(REDIS_CLI)} "$@"\n')
    spy.chmod(0o755)
    quoted = "p%40ss%3A%20%2F%25%22%27%24x"
    operator = Operator(
        sandbox, VERVE_REDIS_URL=f"redis://op%25er:{quoted}@127.0.0.1:{port}/3",
        SPY=sandbox.folder / "seen")
    operator.env["PATH"] = f"{spy.parent}:{operator.env['PATH']}"
    assert names(operator("queue", "list")) == ["y"]
    seen = (sandbox.folder / "seen").read_text()
    assert "op%er" in seen and "p@ss" not in seen and quoted not in seen
    # redis-cli would go on, without a user, and in database 0.
    redis("SELECT", 0)
    redis("RPUSH", DEAD, dead("z"))
    for wrong in (f"op%25er:wrong@127.0.0.1:{port}/0",
                  f"op%25er:{quoted}@127.0.0.1:{port}/99"):
        operator.env["VERVE_REDIS_URL"] = f"redis://{wrong}"
        assert operator("queue", "list", code=111) == []


def test_a_redis_that_is_too_old(sandbox, redis):
    operator = Operator(sandbox, VERVE_REDIS_URL=OldRedis(sandbox, redis).url)
    assert operator("status", code=111) == []
    assert "needs Redis 7.0 or later, or Valkey" in operator.errors


def test_tail_follows_over_a_rotation(sandbox, operator):
    log = sandbox.folder / "callbacks.txt"
    log.write_text("one\ntwo\nthree\n")
    tail = sandbox.start("tail", operator.argv("tail", "-n", "2"), {
        "VERVE_CALLBACKS_LOG": log})
    wait_until(lambda: tail.output().endswith("two\nthree\n"), "the last two")
    assert "one" not in tail.output()
    log.rename(sandbox.folder / "callbacks.txt.1")
    log.write_text("four\n")
    tail.wait_output("four\n")


def test_tail_that_does_not_follow(sandbox, operator):
    operator("tail", "--no-follow", code=1)
    log = sandbox.folder / "callbacks.txt"
    log.write_text("one\ntwo\nthree\n")
    assert operator("tail", "-n", "2", "--no-follow") == ["two", "three"]
    assert operator("tail", "--no-follow", "-n1") == ["three"]
    log.unlink()
    operator("tail", "--no-follow", code=1)
    assert f"there is no {log}" in operator.errors


def test_a_log_that_is_stdout_is_not_read(redis, operator):
    """It would be the stdout of vervectl."""
    operator.env["VERVE_CALLBACKS_LOG"] = "/dev/stdout"
    redis("RPUSH", DEAD, dead("y"))
    assert len(operator("queue", "show", "y")) == 2
    assert operator("tail", code=100) == []
    assert "/dev/stdout of the reporter" in operator.errors
