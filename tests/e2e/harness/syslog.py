"""A syslog daemon: a socket that is /dev/log for a reporter in a mount
namespace of its own."""

import re
import socket

from .namespace import inside

MESSAGE = re.compile(r"<(?P<priority>\d+)>"
                     r"(?P<time>\w{3} [ 123]\d \d\d:\d\d:\d\d) "
                     r"(?P<tag>[^:]*): (?P<text>.*)", re.DOTALL)
OWN_LOG = 'mount -t tmpfs none /dev && ln -s "$1" /dev/log'


class SystemLog:
    def __init__(self, sandbox):
        self.folder = sandbox.folder / "devlog"
        self.folder.mkdir()
        self.path = self.folder / "log"
        self.socket = None
        self.messages = []
        sandbox.on_close(self.stop)

    @property
    def inside(self):
        """The words before the command of a program that is to use it."""
        return inside(OWN_LOG, self.path)

    def inside_of(self, host):
        """As inside, and the program believes to be on a host of that name."""
        return inside(f'{OWN_LOG} && hostname "$2"', self.path, host,
                      flags=["--uts"])

    def start(self, kind=socket.SOCK_DGRAM, backlog=64):
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        if kind == socket.SOCK_STREAM:
            self.socket.listen(backlog)
        return self

    def stop(self):
        if self.socket:
            self.path.unlink()  # no message can come after the last read
            if self.socket.type == socket.SOCK_DGRAM:
                self.read()
            self.socket.close()
        self.socket = None

    def receive(self):
        """The next messages: a datagram is one, in a stream each ends with a
        NUL."""
        if self.socket.type == socket.SOCK_DGRAM:
            return [self.socket.recv(65536)]
        connection = self.socket.accept()[0]
        with connection:
            connection.settimeout(5.0)
            stream = b""
            while part := connection.recv(65536):
                stream += part
            *messages, rest = stream.split(b"\0")
            assert rest == b""
            return messages

    def read(self):
        """All messages so far, each a match of MESSAGE."""
        try:
            while self.socket:
                for message in self.receive():
                    self.messages.append(MESSAGE.fullmatch(message.decode()))
        except BlockingIOError:
            pass
        return self.messages
