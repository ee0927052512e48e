"""What the web servers answer by themselves: the body is `failed`, whoever
refuses a request. And what nginx hands on."""

import socket
import threading

import pytest
from harness import debian, fastcgi
from harness.http import exchange, parse
from harness.sandbox import free_port
from harness.servers import every_server
from harness.wait import wait_until

TARGET = "/api/verve/accept?id=7"
HEAD = "Host: h\r\nConnection: close\r\n"
ANSWER = b"Status: 200\r\nContent-Length: 2\r\n\r\nok"

# Raw requests, with the status of lighttpd and that of nginx.
REFUSED = {
    "garbage": ("\x16\x03\x01\r\n\r\n", 400, 400),
    "no target": ("GET\r\n\r\n", 400, 400),
    "no Host": (f"GET {TARGET} HTTP/1.1\r\n\r\n", 400, 400),
    "control byte": (f"GET {TARGET}\x01 HTTP/1.1\r\n{HEAD}\r\n", 400, 400),
    "CONNECT": (f"CONNECT h:80 HTTP/1.1\r\n{HEAD}\r\n", 400, 400),
    "another path": (f"GET /x HTTP/1.1\r\n{HEAD}\r\n", 404, 404),
    "path of nginx.conf": (f"GET /verve-failed HTTP/1.1\r\n{HEAD}\r\n", 404,
                           404),
    "TRACE": (f"TRACE {TARGET} HTTP/1.1\r\n{HEAD}\r\n", 405, 405),
    # nginx asks verve-fcgi.
    "no length": (f"POST {TARGET} HTTP/1.1\r\n{HEAD}\r\n", 411, 405),
    "unknown method": (f"BREW {TARGET} HTTP/1.1\r\n{HEAD}"
                       "Content-Length: 0\r\n\r\n", 501, 405),
    "long body": (f"POST {TARGET} HTTP/1.1\r\n{HEAD}"
                  f"Content-Length: 20000\r\n\r\n{'x' * 20000}", 405, 413),
    "long chunked body": (f"POST {TARGET} HTTP/1.1\r\n{HEAD}"
                          "Transfer-Encoding: chunked\r\n\r\n"
                          f"4e20\r\n{'x' * 20000}\r\n0\r\n\r\n", 405, 413),
    "long target": (f"GET {TARGET}&x={'x' * 20000} HTTP/1.1\r\n{HEAD}\r\n",
                    431, 414),
    "long header": (f"GET {TARGET} HTTP/1.1\r\n{HEAD}X: {'x' * 20000}\r\n\r\n",
                    431, 431),
    "transfer coding": (f"POST {TARGET} HTTP/1.1\r\n{HEAD}"
                        "Transfer-Encoding: x\r\n\r\n", 501, 501),
}


def ask(port, request=f"GET {TARGET} HTTP/1.1\r\n{HEAD}\r\n"):
    return parse(exchange(port, request.encode("latin-1")))


def assert_failed(answer, status):
    assert (answer.status, answer.body) == (status, b"failed")
    assert answer.headers["content-type"] == "text/plain"
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD"


@every_server
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(shared_web, server, name):
    request, lighttpd, nginx = REFUSED[name]
    assert_failed(ask(shared_web.port, request),
                  nginx if server == "nginx" else lighttpd)


class Pool:
    """A listener in place of a pool of responders. `serve` is called with each
    connection; without, nothing is accepted."""

    def __init__(self, path, backlog=16, serve=None):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(backlog)
        self.path = path
        self.connections = []
        if serve is not None:
            threading.Thread(target=self.accept, args=[serve],
                             daemon=True).start()

    def accept(self, serve):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            serve(connection)

    def fill(self):
        """Until its backlog is full."""
        while True:
            peer = socket.socket(socket.AF_UNIX)
            self.connections.append(peer)
            peer.setblocking(False)
            try:
                peer.connect(str(self.path))
            except BlockingIOError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for one in (self.listener, *self.connections):
            one.close()


def never_made(path):
    del path


def ended(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def full(path):
    pool = Pool(path, 0)
    pool.fill()
    return pool


def closing(path):
    return Pool(path, serve=lambda connection: connection.close())


def garbled(path):
    def serve(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nok")
        connection.close()
    return Pool(path, serve=serve)


def silent(path):
    return Pool(path, serve=lambda connection: None)


# Makes of pools, with the status of lighttpd and that of nginx.
AWAY = [(never_made, 503, 502), (ended, 503, 502), (full, 500, 502),
        (closing, 500, 502), (garbled, 500, 502), (silent, 504, 504)]




@pytest.fixture(params=["own", "debian"])
def port(sandbox, redis, server, make_web, request):
    """Of a web server whose pool is somebody else's, v.sock: with the shipped
    configuration, and with Debian's."""
    if request.param == "own":
        web = make_web(sandbox, redis, VERVE_FCGI="",
                       VERVE_SOCKET=sandbox.folder / "v.sock")
        web.start_server()
        return web.port
    port = free_port()
    if server == "lighttpd":
        debian.start_lighttpd(sandbox, port, program="")
    else:
        debian.start_nginx(sandbox, port)
    return port


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@every_server
@pytest.mark.parametrize("make_pool, lighttpd, nginx", AWAY)
def test_while_the_pool_is_away(sandbox, port, server, make_pool, lighttpd,
                                nginx):
    pool = make_pool(sandbox.folder / "v.sock")
    if pool is not None:
        sandbox.on_close(pool.close)
    wait_until(lambda: listens(port), "the web server listens")
    status = nginx if server == "nginx" else lighttpd
    assert_failed(ask(port), status)
    if make_pool is silent:
        return  # that takes long enough
    # Another location of nginx.
    assert_failed(ask(port, f"GET /readyz HTTP/1.1\r\n{HEAD}\r\n"), status)


@pytest.mark.parametrize("server", ["nginx"], indirect=True)
def test_nginx_hands_on_only_what_verve_reads(sandbox, port):
    """And asks for a kept connection: flag 1 of BEGIN_REQUEST, section 5.1."""
    received = []

    def serve(connection):
        received.append(connection.recv(65536))
        connection.close()
    sandbox.on_close(Pool(sandbox.folder / "v.sock", serve=serve).close)
    wait_until(lambda: listens(port), "nginx listens")
    head = "".join(f"{name}: a-{name}\r\n" for name in (
        "Accept", "Cookie", "Authorization", "Traceparent", "Tracestate",
        "Verve-Callback", "X-Forwarded-For", "X-Request-Id", "User-Agent"))
    ask(port, f"POST {TARGET} HTTP/1.1\r\n{HEAD}{head}"
              "Content-Length: 4\r\n\r\nbody")
    data = received[0]
    assert data[10] == fastcgi.KEEP_CONN
    assert parameters(data) == {
        "REQUEST_METHOD": "POST", "REQUEST_URI": TARGET,
        "HTTP_VERVE_CALLBACK": "a-Verve-Callback",
        "HTTP_TRACEPARENT": "a-Traceparent",
        "HTTP_TRACESTATE": "a-Tracestate",
        "HTTP_X_REQUEST_ID": "a-X-Request-Id",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_X_FORWARDED_FOR": "a-X-Forwarded-For"}
    assert data.endswith(fastcgi.record(fastcgi.STDIN))


def parameters(data):
    """Of the first PARAMS record, all names and values shorter than 128."""
    start = 16 + 8  # after BEGIN_REQUEST and the record's own header
    content = data[start:start + int.from_bytes(data[20:22], "big")]
    found = {}
    while content:
        name, value = content[0], content[1]
        pair = content[2:2 + name + value].decode()
        found[pair[:name]] = pair[name:]
        content = content[2 + name + value:]
    return found


@pytest.mark.parametrize("server", ["nginx"], indirect=True)
@pytest.mark.parametrize("port", ["own"], indirect=True)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nginx_sends_again_what_met_the_end_of_a_kept_connection(
        sandbox, port, method):
    """Not with Debian's configuration: connections are kept by each worker,
    and it has several."""
    used = []

    def answer(connection):
        assert connection.recv(65536)
        used.append(connection)
        connection.sendall(
            fastcgi.record(fastcgi.STDOUT, ANSWER) +
            fastcgi.record(fastcgi.END_REQUEST, bytes(8)))

    def serve(connection):
        answer(connection)
        if len(used) == 1:
            connection.recv(65536)
            connection.close()
    sandbox.on_close(Pool(sandbox.folder / "v.sock", serve=serve).close)
    wait_until(lambda: listens(port), "nginx listens")
    assert ask(port).body == b"ok"
    assert ask(port, f"{method} {TARGET} HTTP/1.1\r\n{HEAD}"
                     "Content-Length: 0\r\n\r\n").body == b"ok"
    assert len(used) == 2


@every_server
def test_a_client_that_has_shut_down_its_side_is_answered(shared_web):
    with socket.create_connection(("127.0.0.1", shared_web.port), 10) as client:
        client.sendall(f"GET {TARGET} HTTP/1.1\r\n{HEAD}\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        assert parse(client.makefile("rb").read()).body == b"ok"
