"""conf/15-verve.conf as an operator uses it: enabled beside Debian's own
lighttpd configuration, whose settings it has to live with."""

import shutil
from pathlib import Path

import pytest
from harness.http import fetch
from harness.load import accept
from harness.sandbox import free_port
from harness.settings import FCGI, ROOT
from harness.wait import wait_until

DEBIAN = Path("/etc/lighttpd")


@pytest.fixture
def port(sandbox, redis):
    """Debian's files but for paths and port, and ours but for its own."""
    etc = sandbox.folder / "etc"
    shutil.copytree(DEBIAN / "conf-available", etc / "conf-available")
    enabled = etc / "conf-enabled"
    enabled.mkdir()
    (enabled / "10-fastcgi.conf").symlink_to(
        etc / "conf-available/10-fastcgi.conf")
    ours = (ROOT / "conf/15-verve.conf").read_text()
    assert ours.startswith("# -*- depends: fastcgi -*-\n")
    (enabled / "15-verve.conf").write_text(
        ours.replace("/usr/bin/verve-fcgi", str(FCGI))
        .replace("/run/lighttpd/verve.socket", f"{sandbox.folder}/v.sock"))
    port = free_port()
    text = (DEBIAN / "lighttpd.conf").read_text()
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
                              if "use-ipv6" not in line))
    sandbox.start("debian", ["lighttpd", "-D", "-f", main],
                  {"VERVE_REDIS_URL": redis.url})

    def answers():
        try:
            return fetch(port, "/healthz").status == 200
        except OSError:
            return False
    wait_until(answers, "it answers")
    return port


def test_the_contract_holds_beside_debians_settings(redis, port):
    assert fetch(port, accept(7)).body == b"ok"
    # Debian's url-normalize-required takes the last `?` for the query's start.
    answer = fetch(port, "/api/verve/accept?id=1&endpoint=http://h/p?a=b")
    assert answer.body == b"ok"
    assert '"url":"http://h/p?a=b"' in redis("LINDEX", "verve:{0}:callbacks",
                                             0)
    assert fetch(port, "/api/verve/acceptX?id=7").body == b"failed"
    assert fetch(port, "/readyz").body == b"ok"
    # The rest of the site is not ours.
    assert fetch(port, "/other").headers.get("verve-error") is None
    assert b"failed" not in fetch(port, "/other").body
