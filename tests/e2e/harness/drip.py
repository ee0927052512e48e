"""A proxy of a unix socket that sends answers byte by byte: a real Redis can't
be made to do that."""

import socket
import threading
import time

from .listener import Listener


class DripProxy:
    def __init__(self, sandbox, target):
        self.target = str(target)
        self.path = sandbox.folder / "drip.sock"
        self.url = f"unix://{self.path}"
        self.url_of = lambda user: self.url
        self.drip_s = 0.0  # pause before each byte of an answer; 0: none
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen()
        Listener(sandbox, listener, self.serve)

    def serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.target)
        threading.Thread(target=self.copy, args=(client, server, False),
                         daemon=True).start()
        self.copy(server, client, True)

    def copy(self, source, sink, drips):
        """Copies bytes until one of the two is closed, then closes both."""
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                self.send(sink, data, drips)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def send(self, sink, data, drips):
        if not drips or not self.drip_s:
            sink.sendall(data)
            return
        for i in range(len(data)):
            time.sleep(self.drip_s)
            sink.sendall(data[i:i + 1])
