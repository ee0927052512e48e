"""The receivers of docs/callbacks.md, in Python and in Go, and tools/receiver,
called by a reporter."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from harness import http
from harness.sandbox import free_port
from harness.settings import ROOT
from harness.wait import wait_until
from test_signature import OLD, SECRET, sign

TOOL = ROOT / "tools" / "receiver"


def example(language):
    text = (ROOT / "docs" / "callbacks.md").read_text()
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    return code


def python_command(sandbox):
    path = sandbox.folder / "receiver.py"
    path.write_text(example("python"))
    return [sys.executable, path]


def go_command(sandbox):
    if not shutil.which("go"):
        pytest.skip("there is no go (tools/install-deps go)")
    path = sandbox.folder / "receiver.go"
    path.write_text(example("go"))
    subprocess.run(["go", "vet", path], check=True, timeout=900,
                   env=go_environment(sandbox))
    program = sandbox.folder / "receiver"
    subprocess.run(["go", "build", "-o", program, path], check=True,
                   timeout=900, env=go_environment(sandbox))
    return [program]


def go_environment(sandbox):
    """Nothing is fetched."""
    return {**os.environ, "GOCACHE": str(sandbox.folder / "go"),
            "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


@pytest.fixture
def caller(operator):
    operator.env.update(VERVE_CALLBACKS_ALLOW="127.0.0.0/8",
                        VERVE_CALLBACKS_SECRET=SECRET)
    return operator


@pytest.mark.parametrize("command", [python_command, go_command])
def test_a_receiver_that_checks(sandbox, caller, command):
    port = free_port()
    process = sandbox.start("example", command(sandbox),
                            {"SECRET": SECRET, "PORT": port})
    process.expected_to_die = True
    wait_until(lambda: is_open(port), "it listens")
    url = f"http://127.0.0.1:{port}/hook?a=%20b"
    for method in ("POST", "GET"):
        caller.env["VERVE_CALLBACKS_METHOD"] = method
        assert "status=204" in caller("call", url)[-1]
        caller.env["VERVE_CALLBACKS_SECRET"] = f"{OLD} {SECRET}"
        assert "status=204" in caller("call", url)[-1]
        caller.env["VERVE_CALLBACKS_SECRET"] = OLD
        assert "status=401" in caller("call", url, code=1)[-1]
        del caller.env["VERVE_CALLBACKS_SECRET"]
        assert "status=401" in caller("call", url, code=1)[-1]
        caller.env["VERVE_CALLBACKS_SECRET"] = SECRET

    def status(stamp, signature=None, target="/x"):
        return http.fetch(port, target, headers={
            "webhook-id": "a", "webhook-timestamp": stamp,
            "webhook-signature": signature or sign(
                SECRET, "a", stamp, b"/x")}).status
    now = int(time.time())
    assert status(str(now)) == 204
    assert status(str(now - 290)) == 204
    for stamp in (now - 310, now + 310, f"{now}.5", "", "x", "9" * 5000):
        assert status(str(stamp)) == 401
    assert status(str(now), target="/y") == 401
    assert status(str(now), signature="v1,\xe9 v2,x v1") == 401
    assert status(str(now)) == 204
    process.stop()


class Tool:
    def __init__(self, sandbox, *words):
        self.port = free_port()
        self.process = sandbox.start("receiver", [TOOL, *words, self.port])
        self.process.expected_to_die = True
        self.process.wait_output("prints what it gets")
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def output(self):
        return self.process.output()


def test_the_tool_prints_callbacks(sandbox, caller):
    tool = Tool(sandbox, "-s", f"{OLD} {SECRET}")
    (line,) = [line for line in caller("call", tool.url)
               if line.startswith("> webhook-id")]
    assert "POST /hook HTTP/1.1\n" in tool.output()
    assert f"  {line[2:]}\n" in tool.output()
    assert '  {"unique_request_count": 0}\n  signature: right\n' in \
        tool.output()
    caller.env["VERVE_CALLBACKS_METHOD"] = "GET"
    caller("call", tool.url)
    assert "GET /hook?unique_requests=0 HTTP/1.1\n" in tool.output()
    assert tool.output().count("signature: right\n") == 2
    caller.env["VERVE_CALLBACKS_SECRET"] = \
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    caller("call", tool.url)
    assert tool.output().endswith("signature: wrong\n")
    del caller.env["VERVE_CALLBACKS_SECRET"]
    caller("call", tool.url)
    assert tool.output().endswith("signature: none\n")
    http.fetch(tool.port, "/x", headers={
        "webhook-id": "a", "webhook-timestamp": "1767323040",
        "webhook-signature": sign(SECRET, "a", "1767323040", b"/x")})
    assert tool.output().endswith("signature: right, but the time is not\n")
    tool.process.signal(signal.SIGINT)
    assert tool.process.wait() == 0


def test_the_tool_answers_as_told(sandbox, caller):
    tool = Tool(sandbox, "-a", "503")
    assert "status=503" in caller("call", tool.url, code=1)[-1]
    assert tool.output().endswith("signature: not checked: there is no -s\n")


def test_the_tool_and_hostile_clients(sandbox):
    tool = Tool(sandbox, "-s", SECRET)
    silent = socket.create_connection(("127.0.0.1", tool.port))
    http.fetch(tool.port, "/\x1b[2Jx\xff", headers={"webhook-id": "\x1b]0;a"})
    assert re.search(r"^GET /\\x1b\[2Jx\\xff ", tool.output(), re.M)
    assert "  webhook-id: \\x1b]0;a\n" in tool.output()
    for length in ("-1", "x", "99999999999"):
        answer = http.exchange(tool.port, (
            f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n").encode())
        assert b" 413 " in answer.splitlines()[0]
    assert re.fullmatch(r"[\n -~]*", tool.output())
    silent.close()


@pytest.mark.parametrize("words", [[], ["0"], ["70000"], ["x"], ["-x", "9000"],
                                   ["-a", "1", "9000"]])
def test_wrong_usage_of_the_tool(words):
    done = subprocess.run([TOOL, *words], capture_output=True, text=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "tools/receiver [-s SECRET]" in done.stderr


def test_what_the_tool_cannot_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for words in ([str(taken.getsockname()[1])],
                      ["-s", "whsec_%%", str(free_port())]):
            done = subprocess.run([TOOL, *words], capture_output=True,
                                  text=True, timeout=60, check=False)
            assert done.returncode == 1
            assert re.fullmatch("receiver: .*\n", done.stderr)
