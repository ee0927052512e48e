"""A TCP relay between a replica and its master, which can hold back what the
master sends without closing anything."""

import socket
import threading


def end_all(sockets):
    """Closes them. A thread that waits at one of them is woken up: close alone
    would leave the connection open for as long as it waits."""
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()


class Relay:
    def __init__(self, port):
        """To that port of 127.0.0.1; its own is `port`."""
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.flows = threading.Event()
        self.flows.set()
        self.ended = False
        self.open = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.ended:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            try:
                other = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                one.close()
                continue
            self.open += [one, other]
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self.pass_on, args=pair,
                                 daemon=True).start()

    def pass_on(self, source, sink):
        try:
            while data := source.recv(65536):
                self.wait(source, sink, data)
                if self.ended:
                    break
                sink.sendall(data)
        except OSError:
            pass
        self.forget(source, sink)
        end_all((source, sink))

    def wait(self, source, sink, data):
        """Until data may go on."""
        if self.holds(source, sink, data):
            self.flows.wait()

    def forget(self, source, sink):
        """They are going to be closed."""

    def holds(self, source, sink, data):
        """Whether data waits during hold()."""
        del source, sink, data
        return True

    def hold(self):
        """What comes from now on waits."""
        self.flows.clear()

    def close(self):
        """What waits is lost."""
        self.ended = True
        end_all(self.open)
        self.flows.set()
