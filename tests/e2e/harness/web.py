"""The web servers with the shipped configuration, and their pools of
responders: lighttpd starts its own, and nginx's is started here."""

import subprocess

from . import http
from .fastcgi import Responder
from .process import children
from .sandbox import free_port
from .settings import FCGI, ROOT
from .wait import wait_until

CONFIGURATION = ROOT / "conf" / "lighttpd.conf"
NGINX_CONF = ROOT / "tools" / "nginx-conf"
BACKLOG = 4096  # of the pool, as in 15-verve.conf and verve-spawn


def wait_until_healthy(port):
    """Until a responder behind the port answers."""
    def answers():
        try:
            return http.fetch(port, "/healthz").status == 200
        except OSError:
            return False
    wait_until(answers, f"port {port} answers")


class Server:
    """What the web servers have in common."""

    def __init__(self, sandbox, name, probe):
        self.sandbox = sandbox
        self.name = name
        self.probe = probe  # the target that tells that it is up
        self.port = free_port()
        self.process = None

    @property
    def host(self):
        """As the load generator wants it."""
        return f"127.0.0.1:{self.port}"

    def wait(self):
        """Returns once a responder answers."""
        wait_until(self.answers, f"{self.name} answers")
        return self

    def answers(self):
        assert self.process.running(), self.process.output()
        try:
            return self.get(self.probe).status == 200
        except OSError:
            return False

    def get(self, target, **kwargs):
        return http.fetch(self.port, target, **kwargs)


class Web(Server):
    """lighttpd."""

    def __init__(self, sandbox, redis, name="web", procs=2, program=FCGI,
                 probe="/healthz", **settings):
        super().__init__(sandbox, name, probe)
        self.settings = {
            "VERVE_REDIS_URL": redis.url_of("verve-responder"),
            "BIND": "127.0.0.1", "PORT": self.port,
            "VERVE_FCGI": program, "VERVE_PROCS": procs,
            "VERVE_SOCKET": sandbox.folder / f"{name}.sock",
            **settings}

    def start(self):
        """Returns once a responder answers."""
        return self.start_server().wait()

    def start_server(self):
        """Does not wait."""
        self.process = self.sandbox.start(
            self.name, ["lighttpd", "-D", "-f", CONFIGURATION], self.settings)
        return self

    def output(self):
        """Of the server and its pool."""
        return self.process.output()

    def responders(self):
        """The pids of the pool."""
        return children(self.process.pid)

    def stop(self, seconds=10.0):
        return self.process.stop(seconds)


class Nginx(Server):
    """nginx."""

    # After how many requests nginx closes a kept connection to the pool; None:
    # its default (1000).
    keepalive_requests = None

    def __init__(self, sandbox, redis, name="web", procs=2, program=FCGI,
                 probe="/healthz", **settings):
        """With VERVE_SOCKET among the settings the pool is somebody else's."""
        super().__init__(sandbox, name, probe)
        self.procs = procs
        self.pool = None
        self.socket = settings.pop("VERVE_SOCKET", None)
        if self.socket is None:
            self.pool = Responder(sandbox, redis, f"{name}-pool", BACKLOG,
                                  program, **settings)
            self.socket = self.pool.path

    def start(self):
        """Returns once a responder answers."""
        if self.pool is not None:
            self.pool.start(self.procs)
        return self.start_server().wait()

    def start_server(self):
        """nginx alone; does not wait."""
        folder = self.sandbox.folder / self.name
        subprocess.run([NGINX_CONF, folder], check=True,
                       env=self.sandbox.environment({
                           "BIND": "127.0.0.1", "PORT": self.port,
                           "VERVE_SOCKET": self.socket}))
        if self.keepalive_requests is not None:
            upstream = folder / "nginx" / "verve-upstream.conf"
            upstream.write_text(upstream.read_text().replace(
                "keepalive 128;", "keepalive 128;\n    keepalive_requests "
                f"{self.keepalive_requests};"))
        self.process = self.sandbox.start(
            self.name, ["nginx", "-e", "stderr", "-p", folder, "-c",
                        "nginx.conf"])
        return self

    def processes(self):
        return [self.process, *(self.pool.processes if self.pool else [])]

    def output(self):
        """Of the server and its pool."""
        return "".join(process.output() for process in self.processes())

    def responders(self):
        """The pids of the pool."""
        return [process.pid for process in self.processes()[1:]]

    def stop(self, seconds=10.0):
        code, *_ = [process.stop(seconds) for process in self.processes()]
        return code


SERVERS = {"lighttpd": Web, "nginx": Nginx}
