"""A receiver of OTLP over HTTP with JSON, written by the specification alone:
https://opentelemetry.io/docs/specs/otlp/#otlphttp. It refuses all that the
protocol does not have."""

import http.server
import json
import re
import threading

from .sandbox import free_port
from .wait import wait_until

PATH = "/v1/traces"
# The messages of opentelemetry/proto/{common,resource,trace}/v1: each field
# with what may stand there. A list is of the one thing in it.
HEX32, HEX16 = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{16}")
UINT64 = re.compile("[0-9]{1,20}")
ANY_VALUE = {"stringValue": str, "intValue": re.compile("-?[0-9]{1,19}"),
             "boolValue": bool}
KEY_VALUE = {"key": str, "value": ANY_VALUE}
SPAN = {"traceId": HEX32, "spanId": HEX16, "parentSpanId": HEX16,
        "traceState": str, "name": str, "kind": int,
        "startTimeUnixNano": UINT64, "endTimeUnixNano": UINT64,
        "attributes": [KEY_VALUE], "status": {"code": int, "message": str}}
REQUEST = {"resourceSpans": [{
    "resource": {"attributes": [KEY_VALUE]},
    "scopeSpans": [{"scope": {"name": str, "version": str,
                              "attributes": [KEY_VALUE]},
                    "spans": [SPAN]}]}]}


def check(value, schema, where="request"):
    """Fails if value has a field that schema has not, or one of another
    kind."""
    if isinstance(schema, dict):
        assert isinstance(value, dict), (where, value)
        for name, part in value.items():
            assert name in schema, (where, name)
            check(part, schema[name], f"{where}.{name}")
    elif isinstance(schema, list):
        assert isinstance(value, list), (where, value)
        for part in value:
            check(part, schema[0], f"{where}[]")
    elif isinstance(schema, re.Pattern):
        assert isinstance(value, str) and schema.fullmatch(value), (where, value)
    else:
        assert type(value) is schema, (where, value)


def attributes(pairs):
    """{key: value} of a list of KeyValue."""
    found = {}
    for pair in pairs:
        ((kind, value),) = pair["value"].items()
        assert pair["key"] not in found, "keys are unique"
        found[pair["key"]] = int(value) if kind == "intValue" else value
    return found


class Otlp:
    """Answers 200 with `{}`, or as `answers` has it, the last for ever: each a
    status, or (status, headers, body), or a function of the handler."""

    def __init__(self, port=None):
        self.requests = []  # the parsed bodies of all that came
        self.problems = []
        self.answers = [200]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.note(self, body)
                outer.answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the client has gone away

        self.server = Server(("127.0.0.1", port or 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def note(self, handler, body):
        try:
            assert handler.path == PATH, handler.path
            assert handler.headers["Content-Type"] == "application/json"
            assert "Expect" not in handler.headers
            request = json.loads(body)
            check(request, REQUEST)
            self.requests.append(request)
        except (AssertionError, ValueError) as problem:
            self.problems.append(problem)
            self.requests.append(None)

    def answer(self, handler):
        answer = self.answers.pop(0) if len(self.answers) > 1 else \
            self.answers[0]
        if callable(answer):
            answer(handler)
            return
        status, headers, body = answer if isinstance(answer, tuple) else \
            (answer, {}, b"{}")
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json",
                            "Content-Length": len(body), **headers}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(body)

    def spans(self):
        """Of all requests, in order. Each has `attributes` as a dict, and the
        resource's as `resource`."""
        assert not self.problems, self.problems
        found = []
        for request in list(self.requests):
            for resource in request["resourceSpans"]:
                about = attributes(resource["resource"]["attributes"])
                for scope in resource["scopeSpans"]:
                    found += [{**span, "resource": about,
                               "attributes": attributes(span["attributes"])}
                              for span in scope["spans"]]
        return found

    def wait_spans(self, count, seconds=30.0):
        wait_until(lambda: len(self.spans()) >= count,
                   f"{count} spans are exported", seconds)
        return self.spans()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def unused_url():
    return f"http://127.0.0.1:{free_port()}"
