"""A Redis that is older than 7.0 is refused, by its version, or, if INFO is
forbidden, because a function is missing."""

import pytest
from harness.answers import assert_unavailable
from harness.fastcgi import Responder
from harness.load import accept
from harness.old_redis import OldRedis
from harness.reporter import Reporter
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, "VERVE_REDIS_TIMEOUT_MS": 4000}
NEEDS = "verve needs Redis 7.0 or later, or Valkey"


@pytest.mark.parametrize("kind", [Responder, Reporter])
@pytest.mark.parametrize("rules,says", [
    (["+@all"], "it is Redis 6."),
    (["-info", "-config"], f"ERR {NEEDS}"),
], ids=["version", "function"])
def test_no_program_starts(sandbox, redis, kind, rules, says):
    redis.limit_default_user(*rules)
    program = kind(sandbox, OldRedis(sandbox, redis))
    with pytest.raises(AssertionError):
        program.start()
    assert program.process.wait() == 100
    output = program.process.output()
    assert says in output and NEEDS in output
    assert "maxmemory-policy" not in output


def test_an_old_redis_that_takes_over(sandbox, redis):
    """Requests are refused until it is gone, and nothing is counted. Both
    programs go on."""
    relay = OldRedis(sandbox, redis, old=False)
    responder = Responder(sandbox, relay).start()
    reporter = Reporter(sandbox, relay).start()
    assert responder.ask(accept(1)).body == b"ok"
    relay.old = True
    redis.end_connections()
    for process in responder.process, reporter.process:
        process.wait_output(NEEDS)
    assert_unavailable(responder.ask(accept(2)))
    assert responder.ask("/readyz").status == 503
    relay.old = False
    wait_until(lambda: responder.ask(accept(3)).body == b"ok", "ok again")
    wait_until(lambda: reporter.process.output().count('): ready"') ==
               2 * len(reporter.workers()), "all workers are connected again")
    assert reporter.process.running()
