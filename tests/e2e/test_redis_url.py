"""redis.url: all programs read it alike. They log in to a Redis on a unix
socket and through TCP, and no part of the address is dropped silently."""

from urllib.parse import quote

import pytest
from harness.fastcgi import Responder
from harness.load import accept
from harness.queue import DEAD, job
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.settings import FCGI, REPORTER
from harness.wait import wait_until
from test_vervectl import Operator

SETTINGS = {"VERVE_WINDOW_SECONDS": 2, "VERVE_REDIS_TIMEOUT_MS": 4000}
# Bytes that a URL, a shell, or libcurl's URL parser take for something else.
PASSWORD = b"p\x01 :/?#@%25\"'$x\\\r\xc3\xbc\xff\n"
USER = "op:%er@b"


class Guarded(Redis):
    """A Redis on a unix socket and a port that lets nobody in without a
    password; the client of the tests is logged in."""

    def __init__(self, sandbox):
        self.port = free_port()
        super().__init__(sandbox, port=self.port, bind="127.0.0.1")

    def start(self):
        super().start()
        self("ACL", "SETUSER", USER, "on", b">" + PASSWORD, "~*", "&*",
             "+@all")
        self("CONFIG", "SET", "requirepass", PASSWORD)
        return self

    def address(self, user, database):
        raise NotImplementedError


class OnSocket(Guarded):
    def address(self, user, database):
        return (f"unix://{quote(user, safe='')}:{quote(PASSWORD, safe='')}@"
                f"{quote(str(self.path))}?db={database}")


class OnPort(Guarded):
    def address(self, user, database):
        return (f"redis://{quote(user, safe='')}:{quote(PASSWORD, safe='')}@"
                f"127.0.0.1:{self.port}/{database}")


@pytest.mark.parametrize("user", ["", USER], ids=["requirepass", "acl"])
@pytest.mark.parametrize("kind", [OnSocket, OnPort])
def test_all_programs_log_in(sandbox, receiver, kind, user):
    """And use database 3, each as the right user."""
    redis = kind(sandbox).start()
    redis.url = redis.address(user, 3)
    responder = Responder(sandbox, redis).start()
    assert responder.ask(accept(7, receiver.url("/x"))).body == b"ok"
    reporter = Reporter(sandbox, redis).start()
    receiver.wait_count(1, seconds=30.0)
    wait_until(reporter.report, "a window is reported", 30.0)
    redis("SELECT", 3)
    assert redis("EXISTS", "verve:{0}:meta") == 1
    users = {word.split("=")[1] for word in redis("CLIENT", "LIST").split()
             if word.startswith("user=")}
    assert users == {"default", user or "default"}
    redis("RPUSH", DEAD, job("http://a.example/"))
    operator = Operator(sandbox, VERVE_REDIS_URL=redis.url)
    assert len(operator("queue", "list", "--dead")) == 1
    for process in (*responder.processes, reporter.process):
        assert "p\\x01" not in process.output()
        assert quote(PASSWORD, safe="") not in process.output()


@pytest.mark.parametrize("login", ["", ":wrong@", "nobody:wrong@"])
def test_a_wrong_password_is_refused(sandbox, login):
    redis = OnSocket(sandbox).start()
    redis.url = f"unix://{login}{redis.path}"
    operator = Operator(sandbox, VERVE_REDIS_URL=redis.url)
    operator("status", code=111)
    assert "wrong@" not in operator.errors
    for program in (Responder(sandbox, redis), Reporter(sandbox, redis)):
        with pytest.raises(AssertionError):
            program.start()
        assert program.process.wait() == 100
        assert ("NOAUTH" if login == "" else "WRONGPASS") in \
            program.process.output()


@pytest.mark.parametrize("url,words", [
    ("redis://:hunter2@h?db=1", "after a ? nothing has a meaning here; the "
     "database follows the host: redis://"),
    ("redis://:hunter2@h?ssl=true", "after a ? nothing has a meaning"),
    ("redis://:hunter2@h#x", "a # and what follows it have no meaning"),
    ("redis://:hunter2%00@h", "a NUL byte (%00) is not allowed"),
    ("rediss://:hunter2@h?ssl=true", "after a ? nothing has a meaning"),
    ("unix://:hunter2@/s?ssl=true", "after the path only ?db=number has a meaning"),
    ("unix://hunter2@/s", "there is no password before the @"),
])
def test_a_part_without_a_meaning_is_an_error(sandbox, url, words):
    """The file, the line and the key are named; the password is not shown."""
    path = sandbox.folder / "verve.conf"
    path.write_text(f"[redis]\n\nurl = {url}\n")
    for program in (FCGI, REPORTER):
        process = sandbox.start("program", [program, "-t", "-c", path])
        assert process.wait() == 100
        assert f"{path}:3: redis.url: {words}" in process.output()
        assert "hunter2" not in process.output()
    operator = Operator(sandbox)
    operator("-c", str(path), "status", code=100)
    assert words in operator.errors and "hunter2" not in operator.errors


def test_parts_are_printed(sandbox):
    """For scripts, which need no parser of their own."""
    def part(name, code=0):
        process = sandbox.start("program", [REPORTER, "-p", name], {
            "VERVE_REDIS_URL": "unix://m%25e:a%26b@/s?db=07"})
        assert process.wait() == code
        return process.output()

    for name, text in [("socket", "/s"), ("user", "m%e"), ("password", "a&b"),
                       ("database", "7"), ("host", ""), ("port", "")]:
        assert part(f"redis.url.{name}").splitlines()[-1] == text
    assert "no such key" in part("redis.url.path", 100)
    assert "no such key" in part("redis.prefix.x", 100)
