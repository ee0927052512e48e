"""A relay in front of a server that knows who connects, and can cut some of
them off: what they send, and are sent, waits until they are let through
again."""

import re
import threading

from relay import Relay

# Programs and sentinels name themselves; a replica asks for the data.
REPLICA = "PSYNC"
NAME = re.compile(rb"verve-\w+|sentinel-\w{8}|PSYNC")


class Gate(Relay):
    """Names are those of NAME."""

    def __init__(self, port):
        self.names = {}  # of sockets, both of a connection
        self.changed = threading.Condition()
        self.is_cut = lambda name: False
        super().__init__(port)

    def cut(self, is_cut):
        """From now on; is_cut(name) tells who is cut off."""
        with self.changed:
            self.is_cut = is_cut
            self.changed.notify_all()

    def let_through(self):
        self.cut(lambda name: False)

    def wait(self, source, sink, data):
        with self.changed:
            if source not in self.names:
                found = NAME.search(data)
                if found:
                    name = found[0].decode()
                    self.names[source] = self.names[sink] = name
            self.changed.wait_for(
                lambda: self.ended or source not in self.names or
                not self.is_cut(self.names[source]))

    def forget(self, source, sink):
        with self.changed:
            self.names.pop(source, None)
            self.names.pop(sink, None)

    def has_programs(self):
        with self.changed:
            return any(name.startswith("verve")
                       for name in self.names.values())

    def close(self):
        super().close()
        with self.changed:
            self.changed.notify_all()
