"""A server in threads of the test process: one for each connection."""

import socket
import threading


class Listener:
    """Calls serve(connection) for each connection to a listening socket, in a
    thread, until the sandbox closes. serve may leave the connection open."""

    def __init__(self, sandbox, server_socket, serve):
        self.socket = server_socket
        self.serve = serve
        threading.Thread(target=self.run, daemon=True).start()
        sandbox.on_close(self.close)

    def run(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,),
                             daemon=True).start()

    def close(self):
        # close() alone would not end an accept() that waits.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
