"""What the programs say of themselves in Redis, and hear of each other."""

import json

from harness.fastcgi import Responder
from harness.load import accept
from harness.reporter import Reporter
from harness.wait import wait_until
from test_metrics import metrics

# Of both programs. Two workers share the limits of the configuration.
SETTINGS = {"VERVE_REDIS_TIMEOUT_MS": 1000, "VERVE_CALLBACKS_WORKERS": 2,
            "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8"}
SAID = "verve:{0}:presence-said"


def present(redis):
    """{program and part: what it says}; all are on this host."""
    flat = redis("HGETALL", SAID)
    pairs = zip(flat[::2], map(json.loads, flat[1::2]))
    return {(name.split("/")[0], name.split("/", 2)[2]): said
            for name, said in pairs}


def parts(redis, program):
    return {part for name, part in present(redis) if name == program}


def digest(found):
    (name,) = [name for name in found if name.startswith("verve_config_info")]
    return name.split('config="')[1].split('"')[0]


def test_who_is_there(sandbox, redis):
    """Also without a request; and all are removed that end in order."""
    responder = Responder(sandbox, redis, **SETTINGS).start(2)
    pool = ("verve-fcgi", str(sandbox.folder / "stats").lstrip("/"))
    wait_until(lambda: present(redis).get(pool, {}).get("responders") == 2,
               "the pool of two is there")
    said = present(redis)[pool]
    assert said["v"] == 1 and len(said["config"]) == 8
    found = metrics(responder.path)
    assert digest(found) == said["config"]
    assert found["verve_reporters"] == 0
    reporter = Reporter(sandbox, redis, **SETTINGS).start()
    wait_until(lambda: parts(redis, "verve-reporter") ==
               {"reports", "callbacks-1", "callbacks-2"}, "its workers are there")
    for part in "reports", "callbacks-1", "callbacks-2":
        worker = present(redis)["verve-reporter", part]
        assert worker["worker"] == part
        assert worker["config"] == said["config"]
    wait_until(lambda: metrics(responder.path)["verve_reporters"] == 1,
               "the pool hears of it")
    reporter.term()
    assert not parts(redis, "verve-reporter")
    wait_until(lambda: metrics(responder.path)["verve_reporters"] == 0,
               "the pool hears of its end")
    responder.processes[0].stop()
    wait_until(lambda: present(redis)[pool]["responders"] == 1,
               "the pool of one is there")
    responder.processes[1].stop()
    assert not present(redis)


def test_vanished_and_hung(sandbox, redis):
    """A host that was killed stays listed. An idle responder finds a Redis that
    hangs, and then answers at once."""
    other = Responder(sandbox, redis, "other", VERVE_WINDOW_RETENTION_HOURS=9,
                      VERVE_STATS_PATH=sandbox.folder / "other-stats").start()
    wait_until(lambda: parts(redis, "verve-fcgi"), "the other is there")
    other.process.kill()
    responder = Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=3000).start()
    wait_until(lambda: len(parts(redis, "verve-fcgi")) == 2, "both are there")
    assert len({said["config"] for said in present(redis).values()}) == 2
    assert responder.ask(accept(1)).body == b"ok"
    up = f'verve_redis_up{{node="{redis.path}"}}'
    redis.freeze()
    wait_until(lambda: metrics(responder.path)[up] == 0, "it is found", 40.0)
    response = responder.ask(accept(2), seconds=2.9)
    assert response.status == 503
    redis.thaw()
    wait_until(lambda: responder.ask(accept(3)).status == 200,
               "it counts again")
