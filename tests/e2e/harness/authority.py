"""A CA of the tests' own, and the certificates that it issues."""

import atexit
import functools
import shutil
from pathlib import Path
from tempfile import mkdtemp

from .tls import EC, openssl

NAMES = "IP:127.0.0.1,DNS:localhost"  # of a server
PAST = "20200101000000Z", "20200102000000Z"
CONFIG = """[ca]
default_ca = it
[it]
database = {folder}/index.txt
new_certs_dir = {folder}
certificate = {ca}
private_key = {key}
rand_serial = yes
default_md = sha256
unique_subject = no
policy = any
[any]
commonName = supplied
[names]
subjectAltName = {names}
"""


class Authority:
    def __init__(self, folder, name="ca"):
        self.folder = Path(folder) / name
        self.folder.mkdir()
        self.path = self.folder / "ca.crt"
        self.key = self.folder / "ca.key"
        (self.folder / "index.txt").touch()
        openssl("req", "-x509", "-newkey", *EC, "-nodes", "-days", 2, "-subj",
                f"/CN={name}", "-out", self.path, "-keyout", self.key)

    def issue(self, name, names=NAMES, times=None, days=2):
        """(certificate, key), valid from now on, or within times."""
        paths = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        request = self.folder / f"{name}.csr"
        config = self.folder / f"{name}.conf"
        config.write_text(CONFIG.format(folder=self.folder, ca=self.path,
                                        key=self.key, names=names))
        openssl("req", "-newkey", *EC, "-nodes", "-subj", f"/CN={name}",
                "-keyout", paths[1], "-out", request)
        until = ("-startdate", times[0], "-enddate", times[1]) if times else \
            ("-days", days)
        openssl("ca", "-batch", "-notext", "-config", config, "-extensions",
                "names", "-in", request, "-out", paths[0], *until)
        return paths


@functools.cache
def shared():
    """The CA, and a server's certificate, of all tests."""
    folder = mkdtemp(prefix="verve-ca-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = Authority(folder)
    return authority, authority.issue("server")


def tls_config(port, authority, certificate, clients="no"):
    """What makes a redis-server listen on that port with TLS alone. clients:
    whether they need a certificate."""
    return {"port": 0, "tls_port": port, "bind": "127.0.0.1",
            "tls_cert_file": certificate[0], "tls_key_file": certificate[1],
            "tls_ca_cert_file": authority.path, "tls_auth_clients": clients}
