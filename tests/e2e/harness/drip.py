"""A proxy in front of a unix socket that lets answers through drop by drop:
the one fault that a real Redis can't be made to show."""

import socket
import threading
import time


class DripProxy:
    def __init__(self, sandbox, target):
        self.target = str(target)
        self.path = sandbox.folder / "drip.sock"
        self.url = f"unix://{self.path}"
        self.drip_s = 0.0  # pause before each byte of an answer; 0: none
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        sandbox.on_close(self.listener.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            for source, sink, drips in ((client, server, False),
                                        (server, client, True)):
                threading.Thread(target=self.pump, args=(source, sink, drips),
                                 daemon=True).start()

    def pump(self, source, sink, drips):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                self.pass_on(sink, data, drips)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def pass_on(self, sink, data, drips):
        if not drips or not self.drip_s:
            sink.sendall(data)
            return
        for i in range(len(data)):
            time.sleep(self.drip_s)
            sink.sendall(data[i:i + 1])
