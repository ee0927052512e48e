"""A Redis with the users of conf/redis.acl: each program has its own, with the
rights that the file gives it. The client of the tests keeps all rights."""

from .redis import Redis
from .sandbox import free_port
from .settings import REDIS_TLS, ROOT

PASSWORD = "secret"


class LimitedRedis(Redis):
    """Over TCP, as the URL of a unix socket names no user."""

    def __init__(self, sandbox, **config):
        acl = sandbox.folder / "redis.acl"
        shipped = (ROOT / "conf" / "redis.acl").read_text()
        acl.write_text(shipped.replace(" on ", f" on >{PASSWORD} "))
        port = free_port()
        super().__init__(sandbox, port=port, bind="127.0.0.1", aclfile=acl,
                         **config)
        self.address = self.url if REDIS_TLS else f"redis://127.0.0.1:{port}"

    def url_of(self, user):
        return self.address.replace("//", f"//{user}:{PASSWORD}@")
