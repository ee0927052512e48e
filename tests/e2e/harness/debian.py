"""conf/15-verve.conf as an operator uses it: enabled beside Debian's own
lighttpd configuration, whose settings it has to live with."""

import shutil
from pathlib import Path

from .settings import FCGI, ROOT

ETC = Path("/etc/lighttpd")


def enable(sandbox):
    """Debian's conf-enabled in the sandbox; ours has the sandbox's paths."""
    etc = sandbox.folder / "etc"
    shutil.copytree(ETC / "conf-available", etc / "conf-available")
    enabled = etc / "conf-enabled"
    enabled.mkdir()
    (enabled / "10-fastcgi.conf").symlink_to(
        etc / "conf-available/10-fastcgi.conf")
    ours = (ROOT / "conf/15-verve.conf").read_text()
    assert ours.startswith("# -*- depends: fastcgi -*-\n")
    (enabled / "15-verve.conf").write_text(
        ours.replace("/usr/bin/verve-fcgi", str(FCGI))
        .replace("/run/lighttpd/verve.socket", f"{sandbox.folder}/v.sock"))
    return enabled


def site(sandbox, port):
    """The path of Debian's lighttpd.conf, but for paths, user and port."""
    enabled = enable(sandbox)
    text = (ETC / "lighttpd.conf").read_text()
    for old, new in (
            ("/etc/lighttpd/conf-enabled", str(enabled)),
            ("/var/log/lighttpd/error.log", f"{sandbox.folder}/error.log"),
            ("/var/cache/lighttpd/uploads", str(sandbox.folder)),
            ("/run/lighttpd.pid", f"{sandbox.folder}/pid"),
            ("/var/www/html", str(sandbox.folder)),
            ('server.username             = "www-data"', ""),
            ('server.groupname            = "www-data"', ""),
            ("= 80\n", f"= {port}\n")):
        assert old in text, old
        text = text.replace(old, new)
    main = sandbox.folder / "lighttpd.conf"
    main.write_text("\n".join(line for line in text.splitlines()
                              if "use-ipv6" not in line) + "\n")
    return main
