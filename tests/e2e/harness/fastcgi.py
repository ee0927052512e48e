"""FastCGI by hand (specification 1.0), to the responder's own socket.

A `Responder` is verve-fcgi without a web server: its listening socket is made
here and handed over as fd 0. `Peer` is one connection to it.
"""

import socket
import struct
from dataclasses import dataclass

from .process import times_ready
from .settings import FCGI
from .wait import wait_until

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = \
    range(1, 8)
RESPONDER = 1
KEEP_CONN = 1


def record(kind, content=b"", request_id=1, padding=0, version=1):
    """One record, section 3.3."""
    return struct.pack("!BBHHBx", version, kind, request_id, len(content),
                       padding) + content + bytes(padding)


def begin(flags=0, role=RESPONDER, request_id=1):
    return record(BEGIN_REQUEST, struct.pack("!HB5x", role, flags), request_id)


def length(n):
    """A length of a name or value, section 3.4."""
    return struct.pack("!B", n) if n < 128 else struct.pack("!I", n | 1 << 31)


def pair(name, value):
    name, value = name.encode(), value.encode("latin-1")
    return length(len(name)) + length(len(value)) + name + value


def params(variables, request_id=1):
    """The parameters as a stream, with the empty record that ends it."""
    content = b"".join(pair(*item) for item in variables.items())
    return record(PARAMS, content, request_id) + record(PARAMS, b"", request_id)


def variables(target, method="GET", **more):
    """The parameters of a request that a responder reads."""
    return {"REQUEST_METHOD": method, "REQUEST_URI": target,
            "SCRIPT_NAME": target.partition("?")[0],
            "QUERY_STRING": target.partition("?")[2],
            "SERVER_PROTOCOL": "HTTP/1.1", **more}


def request(target, method="GET", flags=0, request_id=1, **more):
    """A whole request."""
    return (begin(flags, request_id=request_id) +
            params(variables(target, method, **more), request_id) +
            record(STDIN, b"", request_id))


@dataclass
class Response:
    status: int
    headers: dict  # names in lower case
    body: bytes
    stderr: bytes
    ended: bool  # an END_REQUEST came


def parse_response(data):
    """The response in all of the bytes that a connection gave, or None."""
    streams = {STDOUT: b"", STDERR: b""}
    ended = False
    while len(data) >= 8:
        _, kind, _, size, padding = struct.unpack("!BBHHBx", data[:8])
        if kind in streams:
            streams[kind] += data[8:8 + size]
        ended = ended or kind == END_REQUEST
        data = data[8 + size + padding:]
    if not streams[STDOUT]:
        return None
    head, _, body = streams[STDOUT].partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    status = int(headers.pop("status", "200").split()[0])
    return Response(status, headers, body, streams[STDERR], ended)


class Peer:
    """One connection to a FastCGI socket."""

    def __init__(self, path, seconds=10.0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_to_end(self):
        """All bytes until the responder closes; a reset ends them, too."""
        data = b""
        while True:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return data
            data += more

    def read_response(self):
        """The next Response of a kept connection; None: it was closed."""
        data = b""
        while True:
            head = self.read_exactly(8)
            if head is None:
                return None
            _, kind, _, size, padding = struct.unpack("!BBHHBx", head)
            data += head + self.read_exactly(size + padding)
            if kind == END_REQUEST:
                return parse_response(data)

    def read_exactly(self, count):
        """None if the responder closes before."""
        data = b""
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            data += more
        return data

    def ask_kept(self, target, **kwargs):
        """Sends a request that keeps the connection; returns its Response."""
        self.send(request(target, flags=KEEP_CONN, **kwargs))
        return self.read_response()

    def ask(self, target, **kwargs):
        """Sends a whole request and returns its Response (None: none)."""
        self.send(request(target, **kwargs))
        return parse_response(self.read_to_end())

    def close(self):
        self.socket.close()


class Responder:
    """verve-fcgi processes that share one listening socket."""

    def __init__(self, sandbox, redis, name="fcgi", backlog=1024,
                 program=FCGI, **settings):
        self.sandbox = sandbox
        self.command = [program]
        self.settings = {
            "VERVE_REDIS_URL": redis.url_of("verve-responder"), **settings}
        self.name = name
        self.path = sandbox.folder / f"{name}.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(backlog)
        sandbox.on_close(self.listener.close)
        self.processes = []

    def start(self, count=1):
        for _ in range(count):
            name = f"{self.name}-{len(self.processes)}"
            self.processes.append(self.sandbox.start(
                name, self.command, self.settings, stdin=self.listener))
        for process in self.processes[-count:]:
            wait_until(lambda p=process: self.is_ready(p), "fcgi is ready")
        return self

    @staticmethod
    def is_ready(process):
        assert process.running(), process.output()
        return times_ready(process) > 0

    @property
    def process(self):
        return self.processes[0]

    def peer(self, seconds=10.0):
        return Peer(self.path, seconds)

    def ask(self, target, seconds=10.0, **kwargs):
        """One request on a connection of its own."""
        with self.peer(seconds) as peer:
            return peer.ask(target, **kwargs)
