"""An HTTP receiver for callbacks: records every request, answers by a script.

It runs in a thread of the test process and parses by hand, so that it is no
bottleneck: some 10,000 requests/s on keep-alive connections.
"""

import asyncio
import ssl
import threading
import time
from dataclasses import dataclass, field

from .wait import wait_until

REASONS = {200: "OK", 204: "No Content", 301: "Moved Permanently",
           302: "Found", 400: "Bad Request", 404: "Not Found",
           410: "Gone", 429: "Too Many Requests",
           500: "Internal Server Error", 503: "Service Unavailable"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Received:
    """A request, unchanged."""
    method: str
    target: str
    headers: dict  # names in lower case; doubled ones joined by commas
    doubled: list  # names of headers that came more than once
    body: bytes
    connection: int  # number of the connection
    address: str  # our address that was called
    time: float = field(default_factory=time.time)

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]


@dataclass
class Answer:
    """status None: no answer, and the connection stays open; status 0: the
    connection is closed without an answer."""
    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    excess: bytes = b""  # bytes after the end of the body, written with it

    def head(self):
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Other')}"]
        headers = {"Content-Length": len(self.body), **self.headers}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def pieces(self):
        """Each is a write of its own: with TLS, a record."""
        if self.excess:
            return [self.head(), self.body + self.excess]
        return [self.head() + self.body]


class Connection(asyncio.Protocol):
    def __init__(self, receiver):
        self.receiver = receiver
        self.buffer = b""
        self.transport = None
        self.number = 0
        self.address = None

    def connection_made(self, transport):
        self.transport = transport
        self.number = self.receiver.connected(self)
        self.address = transport.get_extra_info("sockname")[0]

    def connection_lost(self, exc):
        self.receiver.disconnected(self)

    def data_received(self, data):
        self.buffer += data
        while True:
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lines = head.decode("latin-1").split("\r\n")
            headers, doubled = self.headers(lines[1:])
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            method, target, _ = lines[0].split(" ")
            self.answer(self.receiver.record(Received(
                method, target, headers, doubled, rest[:length], self.number,
                self.address)))

    @staticmethod
    def headers(lines):
        """RFC 9110, 5.3: the values of one name are joined in their order."""
        headers, doubled = {}, []
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if name in headers:
                doubled.append(name)
                value = f"{headers[name]},{value}"
            headers[name] = value
        return headers, doubled

    def answer(self, answer):
        if answer is None:
            self.transport.write(OK)
        elif answer.delay_s:
            asyncio.get_running_loop().call_later(
                answer.delay_s, self.send, answer)
        else:
            self.send(answer)

    def send(self, answer):
        if answer.status == 0:
            self.transport.abort()
        elif answer.status is not None and not self.transport.is_closing():
            for piece in answer.pieces():
                self.transport.write(piece)


class Receiver:
    """Answers 200 with an empty body, or as respond() was told; 400 to doubled
    headers, which verve never sends. Listens on all of 127.0.0.0/8: each of its
    addresses is another destination."""

    def __init__(self, port=0, tls=None):
        """tls: certificate and key, for https."""
        self.tls = tls and ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if tls:
            self.tls.load_cert_chain(*tls)
        self.received = []
        self.scripts = {}
        self.open = set()
        self.connections = 0
        self.wanted_port = port  # 0: any
        self.port = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        wait_until(lambda: self.port, "the receiver listens")

    def run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(self.loop.create_server(
            lambda: Connection(self), "0.0.0.0", self.wanted_port,
            backlog=1024, ssl=self.tls))
        self.port = server.sockets[0].getsockname()[1]
        self.loop.run_forever()
        server.close()
        for connection in list(self.open):
            connection.transport.abort()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def connected(self, connection):
        self.open.add(connection)
        self.connections += 1
        return self.connections

    def disconnected(self, connection):
        self.open.discard(connection)

    def record(self, request):
        """Stores a request and returns its answer; None: the default."""
        self.received.append(request)
        if request.doubled:
            return Answer(400, body=f"doubled: {request.doubled}".encode())
        answers = self.scripts.get(request.path)
        if not answers:
            return None
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def respond(self, path, *answers):
        """Requests for path get these answers in order, the last for ever.
        A number stands for an Answer with that status."""
        self.scripts[path] = [
            answer if isinstance(answer, Answer) else Answer(answer)
            for answer in answers]

    def url(self, path="/", host=1):
        """Of 127.0.0.<host>."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.{host}:{self.port}{path}"

    def at(self, path):
        """The requests for path so far, in order."""
        return [request for request in list(self.received)
                if request.path == path]

    def wait_count(self, count, path=None, seconds=10.0):
        """The requests (for path), once there are at least count."""
        def enough():
            if path is None:
                return len(self.received) >= count
            return len(self.at(path)) >= count
        wait_until(enough, f"{count} callbacks are received", seconds)
        return list(self.received) if path is None else self.at(path)

    def interject(self, unasked):
        """Writes bytes on all connections; b"" ends them. Returns once the
        clients can read them."""
        async def write():
            for connection in list(self.open):
                if unasked:
                    connection.transport.write(unasked)
                else:
                    connection.transport.close()
        asyncio.run_coroutine_threadsafe(write(), self.loop).result()
        time.sleep(0.05)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
