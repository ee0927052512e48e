"""What the systems of the benchmark are put together from: web servers, pools
of responders, and services in Go. Each has pids of all its processes."""

import os
import shutil
import socket
from pathlib import Path

from harness import http
from harness.process import children
from harness.sandbox import free_port
from harness.settings import ROOT
from harness.wait import wait_until

ACCEPT = "/api/verve/accept?id=1"
BENCH = ROOT / "bench"
NGINX = BENCH / "nginx"
# What all systems behind nginx have in common, and the paths of ours.
NGINX_MAIN = ROOT / "conf" / "nginx.conf"
NGINX_UPSTREAM = ROOT / "conf" / "nginx" / "verve-upstream.conf"
NGINX_OURS = ROOT / "conf" / "nginx" / "verve.conf"
# Debian's. nginx would look for them in the folder that it is given.
NGINX_MODULES = Path("/usr/lib/nginx/modules")
LUA_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
BACKLOG = 4096  # of a pool, as lighttpd makes it


def answers(process, port):
    """Whether an id is accepted there."""
    assert process.running(), process.output()
    try:
        return http.fetch(port, ACCEPT).status == 200
    except OSError:
        return False


class Pool:
    """Responders that share one listener, for a web server that starts none."""

    def __init__(self, sandbox, program, count, settings):
        self.path = sandbox.folder / "pool.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen(BACKLOG)
            self.processes = [
                sandbox.start(f"pool{number}", [program], settings,
                              stdin=listener)
                for number in range(count)]

    def pids(self):
        return [process.pid for process in self.processes]


class Peer:
    """A service in Go, on a port as is usual, or on a unix socket."""

    def __init__(self, sandbox, redis, program, on_socket=False):
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.path = sandbox.folder / "peer.sock" if on_socket else None
        settings = {"VERVE_REDIS_URL": redis.url, "PORT": self.port}
        if on_socket:
            settings["SOCKET"] = self.path
        self.process = sandbox.start("peer", [program], settings)
        wait_until(self.is_up, "the peer answers")

    def is_up(self):
        if self.path:
            return self.path.exists()
        return answers(self.process, self.port)

    def pids(self):
        return [self.process.pid]


class Front:
    """A web server; returns once the service behind it answers."""

    def __init__(self, sandbox, argv, settings, port):
        self.host = f"127.0.0.1:{port}"
        self.process = sandbox.start("web", argv, settings)
        wait_until(lambda: answers(self.process, port), "the service answers")

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]


def lighttpd_proxy(sandbox, peer):
    """lighttpd before a Peer."""
    port = free_port()
    settings = {"BIND": "127.0.0.1", "PORT": port, "CONF": ROOT / "conf",
                "PEER": peer.path or "127.0.0.1",
                "PEER_PORT": 0 if peer.path else peer.port}
    return Front(sandbox, ["lighttpd", "-D", "-f", BENCH / "proxy.conf"],
                 settings, port)


def nginx(sandbox, paths, address="unix:/nowhere", redis=None):
    """nginx before the service at address. paths is the file with its
    locations; redis is for Lua."""
    port = free_port()
    folder = sandbox.folder / "nginx"
    (folder / "nginx").mkdir(parents=True)
    # The workers of root's nginx would be `nobody`, without access to sockets.
    head = "user root;\n" if os.getuid() == 0 else ""
    main = NGINX_MAIN.read_text().replace(
        "listen 127.0.0.1:8080", f"listen 127.0.0.1:{port}")
    upstream = NGINX_UPSTREAM.read_text().replace(
        "unix:/run/verve/fcgi.socket", address)
    rules = paths.read_text()
    if redis:
        head += "".join(f"load_module {NGINX_MODULES / module};\n"
                        for module in LUA_MODULES)
        # All cores, as the services in Go take: nginx is the service here.
        main = main.replace("worker_processes 1;", "worker_processes auto;")
        main = main.replace(
            "http {", f'http {{\n    lua_package_path "{NGINX}/?.lua;;";')
        rules = rules.replace("@REDIS@", f"unix:{redis.path}")
    (folder / "nginx.conf").write_text(head + main)
    (folder / "nginx" / "verve-upstream.conf").write_text(upstream)
    (folder / "nginx" / "verve.conf").write_text(rules)
    return Front(sandbox, ["nginx", "-e", "stderr", "-p", folder,
                           "-c", "nginx.conf"], {}, port)


def nginx_before(sandbox, peer):
    """nginx before a Peer."""
    return nginx(sandbox, NGINX / "peer.conf",
                 f"unix:{peer.path}" if peer.path else peer.host)


def nginx_ours(sandbox, pool):
    """nginx before a Pool."""
    return nginx(sandbox, NGINX_OURS, f"unix:{pool.path}")


def nginx_lua(sandbox, redis):
    """The service in nginx itself."""
    return nginx(sandbox, NGINX / "lua.conf", redis=redis)


def nginx_limit(sandbox):
    """nginx that answers by itself."""
    return nginx(sandbox, NGINX / "limit.conf")


def nginx_is_missing():
    return None if shutil.which("nginx") else "there is no nginx"


def lua_is_missing():
    if all((NGINX_MODULES / module).exists() for module in LUA_MODULES):
        return nginx_is_missing()
    return "there is no Lua for nginx"
