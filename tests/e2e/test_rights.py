"""A user of Redis who may not do all that the scripts need: the programs say
what is missing, and use no Redis on which a script would stop halfway."""

import pytest
from harness.answers import assert_unavailable
from harness.counts import count_all
from harness.fastcgi import Responder
from harness.load import accept
from harness.queue import DEAD, DUE, LIST, is_settled, job, put
from harness.receiver import Answer
from harness.redis import Redis
from harness.reporter import Reporter
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, "VERVE_REDIS_TIMEOUT_MS": 4000}
KINDS = {"fcgi": Responder, "reporter": Reporter}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def output_of_refused(program):
    """The output of a program that must refuse to start."""
    with pytest.raises(AssertionError):
        program.start()
    assert program.process.wait() == 100
    return program.process.output()


@pytest.mark.parametrize("rules,lacks", [
    (["-zadd", "-set", "-persist"], "+persist +set +zadd"),
    (["-evalsha"], "+evalsha"),
    (["resetkeys", "~verve:{0}:*"], "~verve:windows"),
    (["resetkeys", "~verve:windows"], "~verve:{0}:meta"),
    (["resetkeys", "%R~verve:*"], "+persist"),
    (["-eval"], "+eval"),
    (["-@scripting"], "+eval"),
], ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_what_is_missing_is_named(sandbox, redis, kind, rules, lacks):
    redis.limit_default_user(*rules)
    output = output_of_refused(kind(sandbox, redis))
    assert lacks in output
    assert "redis.acl" in output


@pytest.mark.parametrize("kind,missing", [
    (Responder, "mget"), (Reporter, "xsetid"),
    (Reporter, "xinfo"), (Reporter, "lpop"), (Reporter, "zremrangebyscore")])
def test_each_program_needs_its_own(sandbox, redis, kind, missing):
    other = (Responder if kind == Reporter else Reporter)(sandbox, redis)
    redis.limit_default_user(f"-{missing}")
    assert f"+{missing}" in output_of_refused(kind(sandbox, redis))
    other.start()


def test_a_strategy_that_is_not_used_needs_nothing(sandbox, redis):
    redis.limit_default_user("-pfadd", "-sadd")
    Responder(sandbox, redis).start()
    other = Responder(sandbox, redis, name="hll", VERVE_DEDUP_STRATEGY="hll")
    assert "+pfadd on" in output_of_refused(other)


def test_replicas_need_wait(sandbox, redis):
    redis.limit_default_user("-wait")
    Responder(sandbox, redis).start()
    other = Responder(sandbox, redis, name="other", VERVE_REDIS_WAIT_REPLICAS=1)
    assert "+wait on" in output_of_refused(other)


def test_a_renamed_command_is_missing(sandbox, kind):
    names = sandbox.folder / "renamed.conf"
    names.write_text("rename-command ZADD other\n")
    redis = Redis(sandbox, include=names).start()
    output = output_of_refused(kind(sandbox, redis))
    assert "lacks +zadd on" in output
    assert "renamed" in output


def test_what_is_missing_later_is_refused(sandbox, redis):
    """After a reconnect, until it is granted again. Both programs go on."""
    responder = Responder(sandbox, redis).start()
    reporter = Reporter(sandbox, redis).start()
    assert responder.ask(accept(1)).body == b"ok"
    redis.limit_default_user("-zadd")
    redis.end_connections()
    for process in responder.process, reporter.process:
        process.wait_output("lacks +zadd on")
    assert_unavailable(responder.ask(accept(2)))
    assert_unavailable(responder.ask("/readyz"))
    redis("ACL", "SETUSER", "default", "+zadd")
    wait_until(lambda: responder.ask("/readyz").status == 200, "ready again")
    wait_until(lambda: responder.ask(accept(3)).body == b"ok",
               "its shard counts, too")
    assert count_all(redis) == 2
    wait_until(lambda: reporter.process.output().count('): ready"') >=
               2 * len(reporter.workers()), "all workers are connected again")


def test_what_is_missing_while_connected_is_found_at_once(sandbox, redis):
    """By the first script that is refused."""
    responder = Responder(sandbox, redis, VERVE_DEDUP_LOCAL_CACHE_IDS=0).start()
    assert responder.ask(accept(1)).body == b"ok"
    redis.limit_default_user("-get")
    wait_until(lambda: responder.ask("/readyz").status == 503, "not ready")
    responder.process.wait_output("any more")
    assert "lacks +get on" in responder.process.output()
    assert_unavailable(responder.ask(accept(1)))
    redis("ACL", "SETUSER", "default", "+get")
    wait_until(lambda: responder.ask(accept(1)).body == b"ok", "ok again")


def test_a_user_without_zadd_loses_no_callback(sandbox, redis, receiver):
    ids = put(redis, *[receiver.url()] * 20)
    redis.limit_default_user("-zadd")
    reporter = Reporter(sandbox, redis)
    assert "+zadd" in output_of_refused(reporter)
    assert redis("LLEN", LIST) == len(ids)
    redis("ACL", "SETUSER", "default", "+zadd")
    reporter.start()
    receiver.wait_count(len(ids))


@pytest.mark.parametrize("missing", ["zadd", "zrem", "lpop", "rpush"])
def test_a_right_lost_while_connected_loses_no_callback(sandbox, redis,
                                                        receiver, missing):
    """Some of them are being delivered then, and fail; the others wait."""
    receiver.respond("/slow", *[Answer(status=500, delay_s=0.5)] * 5)
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_LEASE_S=30,
                        VERVE_CALLBACKS_RETRY_DELAYS_S="").start()
    put(redis, *[receiver.url("/slow")] * 5)
    receiver.wait_count(5)
    redis.limit_default_user(f"-{missing}")
    for number in range(20):
        redis("RPUSH", LIST, job(receiver.url(f"/{number}")))
        redis("ZADD", DUE, 1, f"- 0 {job(receiver.url(f'/due{number}'))}")
    reporter.process.wait_output(f"lacks +{missing} on")
    redis("ACL", "SETUSER", "default", f"+{missing}")
    wait_until(lambda: len({got.target for got in receiver.received}) == 41,
               "all are delivered", 60)
    wait_until(lambda: is_settled(redis), "all are settled", 60)
    assert redis("LLEN", DEAD) == 5
