"""A name server. A reporter is led to it by callbacks.resolvers; any program by
a resolv.conf and a hosts file that are mounted over the system's."""

import ipaddress
import random
import socket
import struct
import threading

A, AAAA = 1, 28


def decode_name(data, offset):
    """The name in a question, in small letters, and the offset behind it."""
    labels = []
    while data[offset]:
        length = data[offset]
        labels.append(data[offset + 1:offset + 1 + length].decode())
        offset += 1 + length
    return ".".join(labels).lower(), offset + 1


class Resolver:
    """Answers from `names` (name: list of addresses); a name that is None
    gets no answer at all, nor do names that end with `silent`; an unknown one
    gets NXDOMAIN. Has port 53, as a resolv.conf needs it, or with port=0 any
    port, for `settings`."""

    def __init__(self, sandbox, names, port=53, silent=None, ttl_s=0):
        self.names = names
        self.silent = silent
        self.ttl_s = ttl_s
        self.asked = []  # names, in order
        self.socket = self.bind(port)
        self.address, self.port = self.socket.getsockname()
        self.resolv = sandbox.folder / "resolv.conf"
        self.resolv.write_text(f"nameserver {self.address}\n")
        self.hosts = sandbox.folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n::1 ip6-localhost\n")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        sandbox.on_close(self.close)

    @property
    def settings(self):
        return {"VERVE_CALLBACKS_RESOLVERS": f"{self.address}:{self.port}"}

    @staticmethod
    def bind(port):
        """At an address of the loopback network whose port is free."""
        while True:
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                server.bind((f"127.{random.randint(64, 127)}."
                             f"{random.randint(0, 255)}."
                             f"{random.randint(1, 254)}", port))
                return server
            except OSError:
                server.close()

    def mounts(self):
        """For mounts.wrap."""
        return {"/etc/resolv.conf": self.resolv, "/etc/hosts": self.hosts}

    def run(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            answer = self.answer(query)
            if answer:
                self.socket.sendto(answer, peer)

    def answer(self, query):
        """RFC 1035, 4.1."""
        name, end = decode_name(query, 12)
        kind = struct.unpack("!H", query[end:end + 2])[0]
        self.asked.append(name)
        known = name in self.names
        if (self.names[name] is None if known else
                self.silent and name.endswith(self.silent)):
            return None
        records = []
        for text in self.names.get(name, []):
            address = ipaddress.ip_address(text)
            if kind == (A if address.version == 4 else AAAA):
                records.append(b"\xc0\x0c" + struct.pack(
                    "!HHIH", kind, 1, self.ttl_s, len(address.packed)) + address.packed)
        flags = 0x8180 | (0 if known else 3)
        return query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) \
            + query[12:end + 4] + b"".join(records)

    def close(self):
        """An empty datagram ends the thread."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"", (self.address, self.port))
        self.thread.join()
        self.socket.close()
