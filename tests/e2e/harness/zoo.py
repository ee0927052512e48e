"""A zoo of HTTP receivers, on a port each, which misbehave in different ways.

An animal is a function of the zoo and the connection. It is called for each
request and returns true if the connection is kept.
"""

import functools
import gzip
import socket
import ssl
import struct
import threading
import time
import warnings
from email.utils import formatdate

from .listener import Listener
from .tls import make_certificate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
RETRY_AFTER_S = 3
BOMB = gzip.compress(bytes(100 << 20), 9)
CHUNK = b"10000\r\n" + bytes(65536) + b"\r\n"


def status(code, *headers):
    lines = [f"HTTP/1.1 {code} Whatever", "Content-Length: 0", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def simple(code, *headers):
    def answer(zoo, connection):
        connection.sendall(status(code, *headers))
        return True
    return answer


def retry_after_date(zoo, connection):
    when = formatdate(time.time() + RETRY_AFTER_S, usegmt=True)
    connection.sendall(status(429, f"Retry-After: {when}"))
    return True


def redirect(zoo, connection):
    connection.sendall(status(302, f"Location: {zoo.url('ok')}"))
    return True


def hang(zoo, connection):
    zoo.closing.wait()


def drip(zoo, connection):
    """One byte a second, and no end of the headers."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n":
        connection.sendall(bytes([byte]))
        if zoo.closing.wait(1.0):
            return


def slow_body(zoo, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not zoo.closing.wait(0.2):
        connection.sendall(b"x")


def flood(zoo, connection):
    """A gigabyte, chunked, as long as the client reads."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(16384):
        connection.sendall(CHUNK)
        zoo.flooded += len(CHUNK)


def chunked(zoo, connection):
    """The last chunk ends the body: the connection is kept."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"2\r\nok\r\n0\r\n\r\n")
    return True


def bomb(zoo, connection):
    """Some 100 KB that would be 100 MB."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(BOMB) + BOMB)
    return True


def coded(zoo, connection):
    """A transfer coding that is announced and not applied: the body is not
    read."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n"
                       b"Connection: close\r\n\r\nno gzip at all")


def odd(line, code=200):
    """A header that says nothing of use about the body, or is none."""
    def answer(zoo, connection):
        connection.sendall(b"HTTP/1.1 %d Whatever\r\n%b\r\nX-Filler: 1\r\n\r\n"
                           b"no body of use" % (code, line))
    return answer


MANY_CODINGS = b"Transfer-Encoding: " + b",".join([b"gzip"] * 20)
# libcurl ends a transfer at some of these headers; its versions differ. With 200
# all of them are a delivery.
ODD = {
    "unknown-coding": odd(b"Transfer-Encoding: bogus"),
    "coded-chunks": odd(b"Transfer-Encoding: gzip, chunked"),
    "chunks-first": odd(b"Transfer-Encoding: chunked, gzip"),
    "chunked-twice": odd(b"Transfer-Encoding: chunked\r\n"
                         b"Transfer-Encoding: chunked"),
    "no-chunks": odd(b"Transfer-Encoding: chunked"),
    "many-codings": odd(MANY_CODINGS),
    "unknown-content": odd(b"Content-Encoding: bogus"),
    "many-contents": odd(b"Content-Encoding: " + b",".join([b"gzip"] * 20)),
    "length-word": odd(b"Content-Length: some"),
    "length-minus": odd(b"Content-Length: -1"),
    "length-vast": odd(b"Content-Length: " + b"9" * 30),
    "two-lengths": odd(b"Content-Length: 1\r\nContent-Length: 2"),
    "short-body": odd(b"Content-Length: 1000"),
    "long-body": odd(b"Content-Length: 1"),
    "no-colon": odd(b"hello"),
    "nul": odd(b"X: \0"),
    "folded": odd(b"X: 1\r\n 2"),
}


def big_head(zoo, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n" +
                       b"X-Filler: 0123456789abcdef\r\n" * (1 << 20 >> 5) +
                       b"Content-Length: 0\r\n\r\n")
    return True


def long_line(zoo, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * (1 << 20) +
                       b"\r\nContent-Length: 0\r\n\r\n")
    return True


def reset(zoo, connection):
    """Closed with a RST in place of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))


def http09(zoo, connection):
    connection.sendall(b"hello\r\n")


ANIMALS = {
    "ok": simple(200), "500": simple(500), "404": simple(404),
    "408": simple(408), "425": simple(425), "410": simple(410),
    "seconds": simple(429, f"Retry-After: {RETRY_AFTER_S}"),
    "date": retry_after_date,
    "garbage": simple(429, "Retry-After: soon"),
    "huge": simple(429, "Retry-After: 1000000000"),
    "redirect": redirect, "hang": hang, "drip": drip, "slow-body": slow_body,
    "flood": flood, "chunked": chunked, "bomb": bomb, "coded": coded,
    "big-head": big_head, "long-line": long_line, "reset": reset,
    "http09": http09,
    **ODD, "odd-500": odd(MANY_CODINGS, 500), "odd-410": odd(b"no colon", 410),
    "odd-103": odd(b"no colon", 103),
    "bad-tls": simple(200), "good-tls": simple(200), "old-tls": simple(200),
}
TLS = {"bad-tls", "good-tls", "old-tls"}


class Zoo:
    """All animals."""

    def __init__(self, sandbox):
        self.closing = threading.Event()
        self.requests = {name: [] for name in ANIMALS}  # their times
        self.flooded = 0  # bytes that flood has sent
        # Some tests have the reporter trust the good one.
        self.good = make_certificate(sandbox.folder, "good")
        self.bad = make_certificate(sandbox.folder, "bad")
        self.ports = {}
        for name in ANIMALS:
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.ports[name] = listener.getsockname()[1]
            Listener(sandbox, listener,
                     functools.partial(self.serve, name, self.context(name)))
        sandbox.on_close(self.closing.set)

    def url(self, name):
        scheme = "https" if name in TLS else "http"
        return f"{scheme}://127.0.0.1:{self.ports[name]}/{name}"

    def context(self, name):
        """For TLS; None: plain HTTP."""
        if name not in TLS:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(self.bad if name == "bad-tls"
                                  else self.good))
        if name == "old-tls":
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    def serve(self, name, context, connection):
        """Serves a connection until its end, whatever the peer does."""
        connection.settimeout(30)
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            while self.read_request(connection):
                self.requests[name].append(time.time())
                if not ANIMALS[name](self, connection):
                    break
        except OSError:
            pass
        finally:
            connection.close()

    @staticmethod
    def read_request(connection):
        """Reads head and body; False at the end of the connection."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return False
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(rest) < length:
            rest += connection.recv(65536)
        return True
