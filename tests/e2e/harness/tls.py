"""TLS servers, some of which abuse the protocol; certificates for them."""

import base64
import ctypes
import random
import socket
import ssl
import subprocess

from .listener import Listener

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("rsa:2048",)
SET_MAX_PROTO_VERSION = 124  # of openssl/ssl.h
DH_BITS = 10000  # the most that OpenSSL takes of a peer


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificate(folder, name, key=EC):
    """A self-signed one for 127.0.0.1; (certificate, key)."""
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    openssl("req", "-x509", "-newkey", *key, "-nodes", "-days", 2, "-subj",
            f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-out", paths[0], "-keyout", paths[1])
    return paths


class Peer:
    """Calls serve(connection) for each; `seen` has the results."""

    def __init__(self, sandbox, serve):
        self.serve = serve
        self.seen = []
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        Listener(sandbox, listener, self.run)

    def run(self, connection):
        with connection:
            connection.settimeout(20)
            self.seen.append(self.serve(connection))


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def answering(context):
    """Answers a request with 200; returns the cipher, or the error."""
    def serve(connection):
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                while b"\r\n\r\n" not in tls.recv(65536):
                    pass
                tls.sendall(ANSWER)
                return tls.cipher()[0]
        except OSError as error:
            return getattr(error, "reason", None) or str(error)
    return serve


def der(tag, content):
    length = len(content).to_bytes(2, "big")
    return bytes([tag, 0x82]) + length + content


def der_integer(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def use_huge_modulus(context, folder):
    """TLS 1.2 with finite-field Diffie-Hellman alone. Its "prime" is any odd
    number, and the exponent of this side a short one: all costs are the
    client's."""
    modulus = random.getrandbits(DH_BITS) | 1 << (DH_BITS - 1) | 1
    parameters = der(0x30, der_integer(modulus) + der_integer(2) +
                     der_integer(225))
    path = folder / "dh.pem"
    path.write_bytes(b"-----BEGIN DH PARAMETERS-----\n" +
                     base64.encodebytes(parameters) +
                     b"-----END DH PARAMETERS-----\n")
    context.load_dh_params(path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DHE:@SECLEVEL=0")


def hello_requests(connection):
    """HelloRequests (RFC 5246, 7.4.1.1) without end in place of a ServerHello,
    which the client has to ignore; returns whether the client hung up."""
    try:
        connection.recv(65536)
        while True:
            connection.sendall(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00" * 1000)
    except TimeoutError:
        return False
    except OSError:
        return True


class OpenSsl:
    """A TLS server by libssl itself, as Python has no call for such abuse."""

    def __init__(self, certificate, most_version=None):
        self.lib = ctypes.CDLL("libssl.so.3")
        for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.context = self.call("SSL_CTX_new", self.call("TLS_server_method"))
        paths = [str(path).encode() for path in certificate]
        assert self.call("SSL_CTX_use_certificate_file", self.context,
                         paths[0], 1) == 1
        assert self.call("SSL_CTX_use_PrivateKey_file", self.context,
                         paths[1], 1) == 1
        if most_version:
            self.call("SSL_CTX_ctrl", self.context,
                      SET_MAX_PROTO_VERSION, most_version, None)

    def call(self, name, *arguments):
        return getattr(self.lib, name)(*(
            ctypes.c_void_p(value) if isinstance(value, int) and value >> 31
            else value for value in arguments))

    def accept(self, connection):
        """Reads the request, too."""
        connection.settimeout(None)
        tls = self.call("SSL_new", self.context)
        self.call("SSL_set_fd", tls, connection.fileno())
        assert self.call("SSL_accept", tls) == 1
        assert self.call("SSL_read", tls, bytes(65536), 65536) > 0
        return tls

    def key_updates(self, connection):
        """KeyUpdates (RFC 8446, 4.6.3) in place of an answer."""
        tls = self.accept(connection)
        while (self.call("SSL_key_update", tls, 0) == 1 and
               self.call("SSL_do_handshake", tls) == 1):
            pass
        self.call("SSL_free", tls)

    def renegotiation(self, connection):
        """Asks for a second handshake in place of an answer; returns whether
        the client began one."""
        tls = self.accept(connection)
        self.call("SSL_renegotiate", tls)
        self.call("SSL_do_handshake", tls)
        begun = connection.recv(1) == b"\x16"  # else it is an alert
        self.call("SSL_free", tls)
        return begun
