"""The HTTP contract, row by row, through a real lighttpd and a real nginx with
the shipped configurations."""

import urllib.parse

import pytest
from harness.any_redis import COUNTS, one_server
from harness.http import exchange, fetch, parse
from harness.load import accept
from harness.queue import waiting
from harness.records import epoch
from harness.servers import every_server
from harness.strategies import every_strategy

ACCEPT = "/api/verve/accept"
pytestmark = [every_server, every_strategy]


@pytest.fixture(scope="module")
def service(shared_redis, shared_web):
    """One Redis and one web server for all rows; windows of an hour."""
    return shared_redis, shared_web


@pytest.fixture
def redis(service):
    service[0]("FLUSHALL")
    return service[0]


@pytest.fixture
def port(service):
    return service[1].port


EMPTY = {"Content-Length": "0"}  # lighttpd refuses a POST without: 411


def counted(redis):
    """How many ids are counted, over all windows."""
    keys = redis("KEYS", "verve:{0}:count:*")
    return sum(int(redis("GET", key)) for key in keys)


def seen(redis, number):
    """Whether Redis knows this id, spelt so, and no other."""
    keys = redis("KEYS", "verve:{0}:seen:*")
    if len(keys) != 1:
        return False
    if redis("TYPE", keys[0]) == "set":
        return redis("SMEMBERS", keys[0]) == [number]
    if keys[0].count(":") == 3:  # a HyperLogLog for the whole window
        return redis("PFADD", keys[0], number) == 0
    return keys[0].endswith(f":{number}")


def none_seen(redis):
    return not redis("KEYS", "verve:{0}:seen:*")


def jobs(redis):
    return [job for _, job in waiting(redis)]


GOOD_IDS = [
    ("id=7", "7"), ("id=+7", "7"), ("id=-7", "-7"), ("id=007", "7"),
    ("id=-0", "0"), ("id=+0", "0"), ("id=-007", "-7"),
    ("id=9223372036854775807", "9223372036854775807"),
    ("id=-9223372036854775808", "-9223372036854775808"),
    ("id=" + "0" * 63 + "7", "7"), ("id=%37", "7"), ("id=%2B7", "7"),
    ("%69d=7", "7"), ("id=7&unknown=1&id2=8", "7"), ("x=%zz&id=7", "7"),
    ("&&id=7&", "7"), ("ID=8&id=7", "7"), ("id=7&endpoint=", "7"),
    ("id=7&endpoint", "7"),
]


@pytest.mark.parametrize("query,number", GOOD_IDS)
def test_good_id(redis, port, query, number):
    answer = fetch(port, f"{ACCEPT}?{query}")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["cache-control"] == "no-store"
    window = epoch(answer.headers["verve-window"])
    assert redis("GET", f"verve:{{0}}:count:{window}") == "1"
    assert seen(redis, number)
    assert not jobs(redis)


BAD_IDS = [
    ("", "id-missing"), ("?", "id-missing"), ("?x=7", "id-missing"),
    ("?id", "id-empty"), ("?id=", "id-empty"), ("?id=&x=7", "id-empty"),
    ("?id=7&id=7", "id-repeated"), ("?id=7&%69d=8", "id-repeated"),
    ("?id=" + "0" * 64 + "7", "id-too-long"),
    ("?id=%zz", "id-bad-escape"), ("?id=7%", "id-bad-escape"),
    ("?id=7%3", "id-bad-escape"),
    ("?id=%207", "id-not-an-integer"), ("?id=7%20", "id-not-an-integer"),
    ("?id=7.0", "id-not-an-integer"), ("?id=0x7", "id-not-an-integer"),
    ("?id=1e3", "id-not-an-integer"), ("?id=+", "id-not-an-integer"),
    ("?id=--7", "id-not-an-integer"), ("?id=%2B-7", "id-not-an-integer"),
    ("?id=seven", "id-not-an-integer"), ("?id=7?", "id-not-an-integer"),
    ("?id=%EF%BC%97", "id-not-an-integer"), ("?id=%2537", "id-not-an-integer"),
    ("?id=9223372036854775808", "id-out-of-range"),
    ("?id=-9223372036854775809", "id-out-of-range"),
    ("?id=18446744073709551616", "id-out-of-range"),
]


@pytest.mark.parametrize("query,error", BAD_IDS)
def test_bad_id(redis, port, query, error):
    answer = fetch(port, ACCEPT + query)
    assert (answer.status, answer.body) == (400, b"failed")
    assert answer.headers["verve-error"] == error
    assert counted(redis) == 0 and none_seen(redis)


GOOD_ENDPOINTS = [
    ("http://h/", "http://h/"),
    ("https://example.com:8443/p?a=b&c=d", "https://example.com:8443/p?a=b&c=d"),
    ("HTTP://H", "HTTP://H"),
    ("http://h/p#fragment", "http://h/p"),
    ("http://[::1]:80/", "http://[::1]:80/"),
    ("http://_a.b_c/", "http://_a.b_c/"), ("http://%61.b/", "http://%61.b/"),
    ("http://127.0.0.1/%41?q=%zz", "http://127.0.0.1/%41?q=%zz"),
    ('http://h/"\\', 'http://h/"\\'),
    ("http://h/" + "x" * (2048 - 9), "http://h/" + "x" * (2048 - 9)),
]


@pytest.mark.parametrize("endpoint,stored", GOOD_ENDPOINTS)
def test_good_endpoint(redis, port, endpoint, stored):
    before_ms = redis.now_ms()
    answer = fetch(port, accept(7, endpoint))
    assert (answer.status, answer.body) == (200, b"ok"), answer
    window = epoch(answer.headers["verve-window"])
    (job,) = jobs(redis)
    assert len(job.pop("id")) == 32
    assert before_ms <= job.pop("at") <= redis.now_ms()
    assert job == {"v": 1, "url": stored, "window": window, "count": 1}


def test_unencoded_endpoint_keeps_its_own_question_mark(redis, port):
    answer = fetch(port, f"{ACCEPT}?id=1&endpoint=http://h/p?a=b&c=d")
    assert answer.body == b"ok"
    assert jobs(redis)[0]["url"] == "http://h/p?a=b"


BAD_ENDPOINTS = [
    ("/relative", "endpoint-not-absolute"), ("h/p", "endpoint-not-absolute"),
    ("//h/p", "endpoint-not-absolute"), ("http:h", "endpoint-not-absolute"),
    ("ftp://h/", "endpoint-bad-scheme"), ("file:///etc/passwd", None),
    ("gopher://h/", "endpoint-bad-scheme"), ("javascript:alert(1)", None),
    ("http://", "endpoint-no-host"), ("http:///p", "endpoint-no-host"),
    ("http://?q", "endpoint-no-host"), ("http://:80/", "endpoint-no-host"),
    ("http://user@h/", "endpoint-credentials"),
    ("http://user:pass@h/", "endpoint-credentials"),
    ("http://h:0/", "endpoint-bad-port"), ("http://h:65536/", None),
    ("http://h:x/", None), ("http://[fe80::1%25eth0]/", "endpoint-zone-id"),
    ("http://[::1", "endpoint-bad-host"), ("http://|/", "endpoint-bad-host"),
    ("http://%7C/", "endpoint-bad-host"), ("http://%", "endpoint-bad-host"),
    ("http://a..b/", "endpoint-bad-host"), ("http://h/a b", "endpoint-bad-byte"),
    ("http://h/\x7f", None), ("http://h/\x00", None),
    ("http://h/\r\nX: y", None), ("http://h/\n", None),
    ("http://h/\u00fc", "endpoint-bad-byte"),
    ("http://h/" + "x" * 2040, "endpoint-too-long"),
]


@pytest.mark.parametrize("endpoint,error", BAD_ENDPOINTS)
def test_bad_endpoint(redis, port, endpoint, error):
    answer = fetch(port, accept(7, endpoint))
    assert (answer.status, answer.body) == (400, b"failed"), answer
    if error:
        assert answer.headers["verve-error"] == error
    assert counted(redis) == 0 and none_seen(redis) and not jobs(redis)


@pytest.mark.parametrize("query,error", [
    ("endpoint=http%3A%2F%2Fh%2F&endpoint=http%3A%2F%2Fh%2F",
     "endpoint-repeated"),
    ("endpoint=&endpoint=http%3A%2F%2Fh%2F", "endpoint-repeated"),
    ("endpoint=http://h/%zz", "endpoint-bad-escape"),
    ("endpoint=http://h/%4", "endpoint-bad-escape"),
    ("endpoint=http://h/+&id=x", None),
])
def test_bad_endpoint_parameter(redis, port, query, error):
    answer = fetch(port, f"{ACCEPT}?id=7&{query}" if error
                   else f"{ACCEPT}?{query}")
    assert (answer.status, answer.body) == (400, b"failed")
    if error:
        assert answer.headers["verve-error"] == error
    assert counted(redis) == 0 and not jobs(redis)


RAW = [b"%00", b"%0a", b"%0d", b"%0d%0a", b"%7f", b"%ff", b"\xc3\xbc",
       b"7%00", b"%c3%bc"]


@pytest.mark.parametrize("value", RAW)
@pytest.mark.parametrize("name", [b"id", b"id=7&endpoint=http://h/", b"id=7&x"])
def test_bytes_that_lighttpd_or_we_refuse(redis, port, name, value):
    """400 `failed`, whoever of the two says it; unknown parameters are only
    judged by lighttpd."""
    answer = fetch(port, ACCEPT.encode() + b"?" + name +
                   (b"" if b"http" in name else b"=") + value)
    if name == b"id=7&x" and answer.status == 200:
        assert answer.body == b"ok"
        return
    assert (answer.status, answer.body) == (400, b"failed")
    assert counted(redis) == 0


@pytest.mark.parametrize("size", [20000, 100000])
def test_overlong_targets(redis, port, size):
    answer = fetch(port, f"{ACCEPT}?id=7&x=" + "x" * size)
    assert answer.status in (400, 414, 431)
    assert answer.body == b"failed"
    assert counted(redis) == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS",
                                    "PATCH"])
def test_other_methods(redis, port, method):
    answer = fetch(port, f"{ACCEPT}?id=7", method=method, headers=EMPTY)
    assert (answer.status, answer.body) == (405, b"failed")
    assert answer.headers["allow"] == "GET, HEAD"
    assert counted(redis) == 0


def test_a_posted_body_is_left_unread(redis, port, server):
    """nginx reads a body, if not more than 16 KB; lighttpd does not."""
    body = b"x" * 300000
    head = (f"POST {ACCEPT}?id=7 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    answer = parse(exchange(port, head + body))
    assert answer.status == (413 if server == "nginx" else 405)
    assert answer.body == b"failed"
    assert counted(redis) == 0


def test_head_is_get_without_a_body(redis, port):
    answer = fetch(port, f"{ACCEPT}?id=7", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert counted(redis) == 1


@pytest.mark.parametrize("path", [
    "/api/verve/", "/api/verve/acceptX", "/api/verve/accept/",
    "/api/verve/other", "/api/verve/accept%20"])
def test_unknown_paths(redis, port, path):
    answer = fetch(port, f"{path}?id=7")
    assert (answer.status, answer.body) == (404, b"failed")
    answer = fetch(port, f"{path}?id=7", method="POST", headers=EMPTY)
    assert answer.status == 404
    assert counted(redis) == 0


def test_order_of_the_checks(port):
    answer = fetch(port, f"{ACCEPT}?id=x", method="POST", headers=EMPTY)
    assert answer.status == 405
    assert fetch(port, f"{ACCEPT}?id=x&endpoint=y").headers["verve-error"] == \
        "id-not-an-integer"


def test_a_duplicate_is_ok_and_counts_once(redis, port):
    for _ in range(3):
        assert fetch(port, f"{ACCEPT}?id=7").body == b"ok"
    assert counted(redis) == 1


@one_server(COUNTS)
def test_every_request_with_an_endpoint_queues_a_callback(redis, port):
    for number in (1, 1, 2):
        fetch(port, accept(number, "http://h/"))
    queued = jobs(redis)
    assert [job["count"] for job in queued] == [1, 1, 2]
    assert len({job["id"] for job in queued}) == 3


def test_our_own_callback_queues_none(redis, port):
    answer = fetch(port, accept(7, "http://h/"), headers={"Verve-Callback": "1"})
    assert answer.body == b"ok"
    assert counted(redis) == 1 and not jobs(redis)
    answer = fetch(port, accept(8, "nowhere"), headers={"Verve-Callback": "1"})
    assert answer.status == 400


def test_health(port):
    for path in ("/healthz", "/readyz"):
        answer = fetch(port, path)
        assert (answer.status, answer.body) == (200, b"ok")
        assert fetch(port, path, method="HEAD").body == b""
        answer = fetch(port, path, method="POST", headers=EMPTY)
        assert answer.status == 405
        assert fetch(port, path + "?x=1").status == 200


def test_keep_alive_answers_one_after_the_other(redis, port):
    one = f"GET {ACCEPT}?id=%d HTTP/1.1\r\nHost: h\r\n%s\r\n"
    data = "".join(one % (n, "Connection: close\r\n" if n == 20 else "")
                   for n in range(1, 21))
    answers = exchange(port, data.encode())
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 20
    assert counted(redis) == 20


def test_quoted_as_clients_quote(redis, port):
    """Python's own quoting of a whole query."""
    query = urllib.parse.urlencode({"id": 7, "endpoint": "http://h/?a=b&c=+"})
    assert fetch(port, f"{ACCEPT}?{query}").body == b"ok"
    assert jobs(redis)[0]["url"] == "http://h/?a=b&c=+"
