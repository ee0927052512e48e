"""The eviction policy, if rights on Redis are limited: a policy that can't be
read is refused unless it is trusted; a policy that can be read counts. Whether
there is an append-only file is said."""


import pytest
from harness.answers import assert_unavailable
from harness.fastcgi import Responder
from harness.http import fetch
from harness.load import accept
from harness.redis import Redis
from harness.refusing import Busy
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.settings import PATIENT_MS
from harness.wait import wait_until
from harness.web import Web

NOISE_S = 10.0  # what a shared machine may add
TRUST = {"VERVE_REDIS_TRUST_NOEVICTION": "yes"}
NO_FILE = "has no append-only file"
DOUBT = "maxmemory-policy cannot be read and is trusted to be noeviction"


def limited(*rules):
    """A Redis whose users have an ACL."""
    def start(sandbox, policy):
        redis = Redis(sandbox, maxmemory_policy=policy).start()
        redis.limit_default_user(*rules)
        return redis
    return start


def renamed(*commands):
    """A Redis without these commands."""
    def start(sandbox, policy):
        names = sandbox.folder / "renamed.conf"
        names.write_text("".join(f'rename-command {name} ""\n'
                                 for name in commands))
        return Redis(sandbox, maxmemory_policy=policy, include=names).start()
    return start


silent = pytest.mark.parametrize("start", [
    limited("+@all", "-@dangerous"), renamed("INFO", "CONFIG")],
    ids=["acl", "renamed"])
by_config = pytest.mark.parametrize("start", [
    limited("+@all", "-@dangerous", "+config|get"), limited("-info"),
    renamed("INFO")], ids=["acl", "acl-info", "renamed"])
by_info = pytest.mark.parametrize("start", [
    limited("+@all", "-@dangerous", "+info"), renamed("CONFIG")],
    ids=["acl", "renamed"])


@pytest.fixture(params=["fcgi", "reporter"])
def program(request, sandbox):
    """Makes one of the two programs, which has start() and process."""
    def make(redis, **settings):
        settings = {"VERVE_REDIS_TIMEOUT_MS": PATIENT_MS, **settings}
        kind = {"reporter": Reporter, "fcgi": Responder}[request.param]
        return kind(sandbox, redis, **settings)
    return make


def connections_of(program):
    """To Redis: each worker of a reporter has one."""
    return len(program.workers()) if isinstance(program, Reporter) else 1


def output_of_refused(program):
    """The output of a program that must refuse to start."""
    with pytest.raises(AssertionError):
        program.start()
    assert program.process.wait(60.0) == 100
    return program.process.output()


@silent
@pytest.mark.parametrize("policy", ["allkeys-lru", "noeviction"])
def test_what_cannot_be_read_is_refused(sandbox, program, start, policy):
    output = output_of_refused(program(start(sandbox, policy)))
    assert "maxmemory-policy" in output
    assert "+info or +config|get" in output
    assert "redis.trust_noeviction" in output
    assert "(INFO: " in output


@silent
def test_what_is_trusted_is_said_at_each_connect(sandbox, program, start):
    redis = start(sandbox, "noeviction")
    trusting = program(redis, **TRUST).start()
    connections = connections_of(trusting)
    assert trusting.process.output().count(DOUBT) == connections
    redis.end_connections()
    wait_until(lambda: trusting.process.output().count(DOUBT) ==
               2 * connections, "again")


@pytest.mark.parametrize("settings", [{}, TRUST])
@by_config
def test_what_config_says_is_refused(sandbox, program, start, settings):
    output = output_of_refused(program(start(sandbox, "volatile-ttl"),
                                       **settings))
    assert "maxmemory-policy is volatile-ttl" in output


@by_config
def test_what_config_says_is_believed(sandbox, program, start):
    believing = program(start(sandbox, "noeviction")).start()
    assert "maxmemory-policy" not in believing.process.output()


@by_info
def test_info_is_enough(sandbox, program, start):
    believing = program(start(sandbox, "noeviction")).start()
    assert "maxmemory-policy" not in believing.process.output()


def test_what_is_forbidden_later_is_refused(sandbox, redis):
    """Nothing is counted after a reconnect until it can be read again; both
    programs go on."""
    web = Web(sandbox, redis, procs=1, VERVE_WINDOW_SECONDS=3600).start()
    reporter = Reporter(sandbox, redis, VERVE_WINDOW_SECONDS=3600).start()
    assert fetch(web.port, accept(7)).body == b"ok"
    redis.limit_default_user("-@dangerous")
    redis.end_connections()
    for process in web.process, reporter.process:
        process.wait_output("+info or +config|get")
    for number in (7, 8):
        assert_unavailable(fetch(web.port, accept(number)))
    assert_unavailable(fetch(web.port, "/readyz"))
    redis("ACL", "SETUSER", "default", "+config|get")
    wait_until(lambda: fetch(web.port, accept(9)).body == b"ok", "ok again")
    (key,) = redis("KEYS", "verve:{0}:count:*")
    assert redis("GET", key) == "2"
    wait_until(lambda: reporter.process.output().count('): ready"') ==
               2 * len(reporter.workers()), "all workers are connected again")


def test_without_a_file_is_said_at_each_connect(sandbox, program):
    redis = Redis(sandbox, appendonly="no").start()
    warned = program(redis).start()
    connections = connections_of(warned)
    assert warned.process.output().count(NO_FILE) == connections
    redis.end_connections()
    wait_until(lambda: warned.process.output().count(NO_FILE) ==
               2 * connections, "again")


def test_with_a_file_nothing_is_said(program, redis):
    assert "file" not in program(redis).start().process.output().replace(
        "file:", "")


def test_what_changes_while_connected_is_found_within_a_minute(sandbox, redis):
    """By both programs, although nobody asks them anything."""
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600).start()
    reporter = Reporter(sandbox, redis, VERVE_WINDOW_SECONDS=3600).start()
    both = responder.process, reporter.process
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis("CONFIG", "SET", "appendonly", "no")
    for process in both:
        process.wait_output("cannot be used any more", 60 + NOISE_S)
        assert {line["level"] for line in process.logged_with(
            "maxmemory-policy is allkeys-lru")} == {"error"}
    assert_unavailable(responder.ask(accept(7)))
    assert_unavailable(responder.ask("/readyz"))
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    for process in both:
        process.wait_output(NO_FILE)
    assert responder.ask(accept(7)).body == b"ok"


@pytest.mark.parametrize("prefix,database", [(":secret@", ""), ("", "/1")],
                         ids=["password", "database"])
def test_a_redis_without_free_connections_is_waited_for(sandbox, program,
                                                        prefix, database):
    """Its error is the first reply, to AUTH or SELECT: that is no refusal."""
    port = free_port()
    full = Redis(sandbox, port=port, bind="127.0.0.1", maxclients=1).start()
    if prefix:
        full("CONFIG", "SET", "requirepass", "secret")
    full.url = f"redis://{prefix}127.0.0.1:{port}{database}"
    waiting = program(full).start()
    assert "raise Redis's maxclients" in waiting.process.output()
    full("CONFIG", "SET", "maxclients", 100)
    wait_until(lambda: '): ready"' in waiting.process.output(), "connected")


def test_a_busy_redis_is_waited_for(program, redis):
    """Its policy can't be read just now: that is no refusal."""
    busy = Busy(redis)
    busy.enter()
    waiting = program(redis).start()
    assert "cannot be used yet" in waiting.process.output()
    assert "+info" not in waiting.process.output()
    busy.leave()
    waiting.process.wait_output('): ready"')
