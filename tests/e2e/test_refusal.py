"""Redis answers, but refuses: it is full, or has another schema or policy."""

import socket

import pytest
from harness.answers import assert_unavailable
from harness.counts import count_all
from harness.fastcgi import FCGI
from harness.http import fetch
from harness.load import accept
from harness.queue import STRANGERS, list_of
from harness.servers import every_server
from harness.strategies import every_strategy

URL = "/api/verve/accept?id=7"


@every_server
@every_strategy
def test_forgotten_scripts_are_loaded_again(redis, web):
    assert fetch(web.port, URL).body == b"ok"
    redis("SCRIPT", "FLUSH")
    for number in range(100, 120):  # ids that no responder knows
        assert fetch(web.port, accept(number)).body == b"ok"


@every_server
@every_strategy
def test_out_of_memory_counts_nothing(redis, web):
    assert fetch(web.port, URL).body == b"ok"
    redis("CONFIG", "SET", "maxmemory", "1")
    for number in range(20):
        assert_unavailable(fetch(web.port, accept(number + 100, "http://h/")))
    assert_unavailable(fetch(web.port, "/readyz"))
    redis("CONFIG", "SET", "maxmemory", "0")
    assert fetch(web.port, "/readyz").status == 200
    assert fetch(web.port, accept(8)).body == b"ok"
    assert count_all(redis) == 2
    assert redis("EXISTS", list_of("http://h/"), STRANGERS) == 0


@every_server
def test_another_schema_is_not_ready(redis, web):
    """The data was reset, and another program wrote its schema first."""
    assert fetch(web.port, "/readyz").status == 200
    redis("HSET", "verve:{0}:meta", "strategy", "hll")
    redis("DEL", "verve:{0}:born")
    assert_unavailable(fetch(web.port, "/readyz"))
    assert_unavailable(fetch(web.port, URL))
    assert "strategy is hll there and setnx here" in web.output()
    redis("DEL", "verve:{0}:meta")
    assert fetch(web.port, "/readyz").status == 200
    assert fetch(web.port, URL).body == b"ok"


@every_server
@every_strategy
def test_a_full_queue_refuses_callbacks_only(sandbox, redis, make_web):
    web = make_web(sandbox, redis, VERVE_CALLBACKS_MAX_QUEUE=3).start()
    for number in range(3):
        assert fetch(web.port, accept(number, "http://h/")).body == b"ok"
    answer = fetch(web.port, accept(3, "http://h/"))
    assert_unavailable(answer)
    assert answer.headers["verve-error"] == "callback-queue-full"
    assert count_all(redis) == 3
    assert fetch(web.port, accept(3)).body == b"ok"
    assert count_all(redis) == 4
    redis("LPOP", list_of("http://h/"))
    redis("ZADD", "verve:{0}:due", 1, "leased")
    assert_unavailable(fetch(web.port, accept(4, "http://h/")))


@pytest.mark.parametrize("config,word", [
    ({"maxmemory-policy": "allkeys-lru"}, "noeviction"),
    ({"requirepass": "secret"}, "NOAUTH"),
])
def test_a_redis_that_cannot_be_used_stops_the_start(sandbox, redis, config,
                                                     word):
    for key, value in config.items():
        redis("CONFIG", "SET", key, value)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sandbox.folder / "f.sock"))
        listener.listen()
        process = sandbox.start("fcgi", [FCGI], {"VERVE_REDIS_URL": redis.url},
                                stdin=listener)
        assert process.wait() == 100
    assert word in process.output()
