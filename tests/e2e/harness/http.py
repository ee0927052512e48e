"""One HTTP request over a plain socket: any bytes may be sent."""

import socket
from dataclasses import dataclass


@dataclass
class Response:
    status: int
    headers: dict  # names in lower case
    body: bytes


def exchange(port, data, seconds=10.0):
    """Sends data and returns all that comes until the server closes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.sendall(data)
        while True:
            more = connection.recv(65536)
            if not more:
                return answer
            answer += more


def parse(answer):
    head, separator, body = answer.partition(b"\r\n\r\n")
    assert separator, f"not an HTTP response: {answer!r}"
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Response(int(lines[0].split()[1]), headers, body)


def fetch(port, target, method="GET", headers=None, seconds=10.0):
    """target is str (as latin-1) or bytes, and sent as it is."""
    if isinstance(target, str):
        target = target.encode("latin-1")
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target),
             b"Host: 127.0.0.1", b"Connection: close"]
    for name, value in (headers or {}).items():
        lines.append(f"{name}: {value}".encode("latin-1"))
    return parse(exchange(port, b"\r\n".join(lines) + b"\r\n\r\n", seconds))


def fetch_kept(port, target, count, pipelined=100):
    """Sends count requests over one connection; each answer is `ok`."""
    request = f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode("latin-1")
    done = 0
    with socket.create_connection(("127.0.0.1", port), 10.0) as connection:
        answers = connection.makefile("rb")
        while done < count:
            connection.sendall(request * pipelined)
            for _ in range(pipelined):
                line = answers.readline()
                assert line.startswith(b"HTTP/1.1 200 "), f"{done}: {line!r}"
                while line.strip():
                    line = answers.readline()
                assert answers.read(2) == b"ok", done
                done += 1
