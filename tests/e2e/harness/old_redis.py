"""A relay in front of a real Redis that makes it look like Redis 6: by the version
in its INFO, and by Lua's redis.acl_check_cmd, which only Redis 7 and later have."""

import re
import socket
import threading

# Each text is as long as that in its place, as lengths are part of the protocol.
FUNCTION = b"redis.acl_check_cmd"
NO_FUNCTION = b"redis.acl_check_not"


class OldRedis:
    def __init__(self, sandbox, redis, old=True):
        """Looks old while `old` is true."""
        self.redis = redis
        self.old = old
        path = sandbox.folder / "old.sock"
        self.url = f"unix://{path}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.open = [self.listener]
        sandbox.on_close(self.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def url_of(self, user):
        del user
        return self.url

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self.redis.path))
            self.open += [client, server]
            for pair in ((client, server, self.ask), (server, client, self.say)):
                threading.Thread(target=self.pass_on, args=pair,
                                 daemon=True).start()

    def pass_on(self, source, sink, change):
        try:
            while data := source.recv(1 << 20):
                sink.sendall(change(data) if self.old else data)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def ask(self, data):
        return data.replace(FUNCTION, NO_FUNCTION)

    def say(self, data):
        return re.sub(rb"redis_version:\d", b"redis_version:6", data)

    def close(self):
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
