"""A receiver of callbacks that never answers."""

import socket

from .listener import Listener


class Hung:
    """A receiver that accepts connections and never answers."""

    def __init__(self, sandbox):
        listener = socket.create_server(("0.0.0.0", 0), backlog=512)
        self.port = listener.getsockname()[1]
        self.connections = []
        Listener(sandbox, listener, self.connections.append)
        sandbox.on_close(self.close)

    def close(self):
        for connection in self.connections:
            connection.close()

    def url(self, host=1):
        return f"http://127.0.0.{host}:{self.port}/"
