"""An HTTP server that notes which callbacks it gets: one webhook-id a line.

    receiver.py PORT FILE
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        notes.write(self.headers["webhook-id"] + "\n")
        notes.flush()
        self.send_response(204)
        self.end_headers()

    def log_message(self, format, *args):
        pass


with open(sys.argv[2], "w", encoding="ascii") as notes:
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])),
                        Receiver).serve_forever()
