"""lighttpd with the shipped configuration and its own pool of responders."""

from . import http
from .process import children
from .sandbox import free_port
from .settings import FCGI, ROOT
from .wait import wait_until

CONFIGURATION = ROOT / "conf" / "lighttpd.conf"


def wait_until_healthy(port):
    """Until a responder behind the port answers."""
    def answers():
        try:
            return http.fetch(port, "/healthz").status == 200
        except OSError:
            return False
    wait_until(answers, f"port {port} answers")


class Web:
    def __init__(self, sandbox, redis, name="web", procs=2, program=FCGI,
                 probe="/healthz", **settings):
        self.sandbox = sandbox
        self.probe = probe  # the target that tells that it is up
        self.name = name
        self.port = free_port()
        self.settings = {
            "VERVE_REDIS_URL": redis.url,
            "BIND": "127.0.0.1", "PORT": self.port,
            "VERVE_FCGI": program, "VERVE_PROCS": procs,
            "VERVE_SOCKET": sandbox.folder / f"{name}.sock",
            **settings}
        self.process = None

    @property
    def host(self):
        """As the load generator wants it."""
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Returns once a responder answers."""
        self.process = self.sandbox.start(
            self.name, ["lighttpd", "-D", "-f", CONFIGURATION], self.settings)
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

    def responders(self):
        """The pids of the pool."""
        return children(self.process.pid)

    def stop(self, seconds=10.0):
        return self.process.stop(seconds)
