"""Debian's own configurations of lighttpd and nginx, with the shipped includes
enabled as an operator does it: our settings have to live with theirs."""

import re
import shutil
from pathlib import Path

from .settings import FCGI, ROOT

LIGHTTPD = Path("/etc/lighttpd")
NGINX = Path("/etc/nginx")
CONF = ROOT / "conf"
SPAWN = ROOT / "ops" / "verve-spawn"


def replace_all(text, pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, str(new))
    return text


def enable(sandbox, program):
    """lighttpd's conf-enabled in the sandbox; ours has the sandbox's paths."""
    etc = sandbox.folder / "etc"
    shutil.copytree(LIGHTTPD / "conf-available", etc / "conf-available")
    enabled = etc / "conf-enabled"
    enabled.mkdir()
    (enabled / "10-fastcgi.conf").symlink_to(
        etc / "conf-available/10-fastcgi.conf")
    ours = (CONF / "15-verve.conf").read_text()
    assert ours.startswith("# -*- depends: fastcgi -*-\n")
    (enabled / "15-verve.conf").write_text(replace_all(ours, (
        ('verve_program = ""', f'verve_program = "{program}"'),
        ("/usr/bin/verve-spawn -u www-data", f"{SPAWN} -u ''"),  # see site()
        ("/run/verve/fcgi.socket", sandbox.folder / "v.sock"),
        ("/usr/share/verve/errors/", f"{CONF}/errors/"))))
    return enabled


def site(sandbox, port, program=FCGI):
    """The path of Debian's lighttpd.conf, but for paths, user and port. With
    an empty program the pool is somebody else's, on v.sock."""
    enabled = enable(sandbox, program)
    text = replace_all((LIGHTTPD / "lighttpd.conf").read_text(), (
        ("/etc/lighttpd/conf-enabled", enabled),
        ("/var/log/lighttpd/error.log", sandbox.folder / "error.log"),
        ("/var/cache/lighttpd/uploads", sandbox.folder),
        ("/run/lighttpd.pid", sandbox.folder / "pid"),
        ("/var/www/html", sandbox.folder),
        ('server.username             = "www-data"', ""),
        ('server.groupname            = "www-data"', ""),
        ("= 80\n", f"= {port}\n")))
    main = sandbox.folder / "lighttpd.conf"
    main.write_text("\n".join(line for line in text.splitlines()
                              if "use-ipv6" not in line) + "\n")
    return main


def documented_nginx_site(port):
    """The file of sites-available that conf/nginx.conf shows."""
    text = (CONF / "nginx.conf").read_text()
    lines = re.search(r"^#   include snippets/.*?^#   }$", text, re.M | re.S)
    return replace_all(lines[0].replace("#   ", ""),
                       [("listen 80;", f"listen 127.0.0.1:{port};")])


def nginx_site(sandbox, port):
    """The folder of Debian's nginx.conf, but for paths, user and port; the
    pool is on v.sock."""
    etc = sandbox.folder / "nginx"
    shutil.copytree(CONF / "nginx", etc / "snippets")
    upstream = etc / "snippets" / "verve-upstream.conf"
    upstream.write_text(replace_all(upstream.read_text(), [
        ("/run/verve/fcgi.socket", sandbox.folder / "v.sock")]))
    (etc / "sites-enabled").mkdir()
    (etc / "sites-enabled" / "verve").write_text(documented_nginx_site(port))
    temporary = "".join(f"{kind}_temp_path {etc}/{kind};" for kind in (
        "client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
    (etc / "nginx.conf").write_text(replace_all(
        (NGINX / "nginx.conf").read_text(), (
            ("user www-data;", "user root;"),
            ("/run/nginx.pid", etc / "pid"),
            ("/var/log/nginx", etc),
            ("include /etc/nginx/conf.d", f"include {etc}/conf.d"),
            ("include /etc/nginx/sites-enabled", f"include {etc}/sites-enabled"),
            ("http {", f"http {{ {temporary}"))))
    return etc


def start_lighttpd(sandbox, port, program=FCGI, **settings):
    """settings are those of the pool."""
    return sandbox.start("debian", ["lighttpd", "-D", "-f",
                                    site(sandbox, port, program)], settings)


def nginx_command(sandbox, port):
    """Without -p, as Debian's modules are found by the default."""
    return ["nginx", "-e", "stderr", "-g", "daemon off;", "-c",
            nginx_site(sandbox, port) / "nginx.conf"]


def start_nginx(sandbox, port):
    return sandbox.start("debian", nginx_command(sandbox, port))
