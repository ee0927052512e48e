"""tools/install-deps: which server it takes. dpkg and apt are stand-ins, which
write down what would be installed."""

import os
import subprocess

import pytest
from harness.settings import ROOT

DPKG_QUERY = """#!/bin/sh
for name; do :; done
case " $INSTALLED lighttpd curl " in
*" $name "*) printf installed ;;
*) exit 1 ;;
esac
"""
APT_CACHE = """#!/bin/sh
case " $AVAILABLE " in
*" $2 "*) printf '%s:\\n  Installed: (none)\\n  Candidate: 5:7.0\\n' "$2"
    yes | head -n 100000 ;;
*" virtual-$2 "*) printf '%s:\\n  Candidate: (none)\\n' "$2" ;;
esac
"""
APT_GET = """#!/bin/sh
[ "$2" = update ] || printf '%s\\n' "$@" >"$SEEN"
"""
SUDO = "#!/bin/sh\nexec \"$@\"\n"


@pytest.mark.parametrize("installed,available,taken", [
    ("", "redis-server valkey-server", ["redis-server"]),
    ("", "redis-server", ["redis-server"]),
    ("", "virtual-redis-server valkey-server", ["valkey-server"]),
    ("", "valkey-server", ["valkey-server"]),
    ("", "", ["redis-server"]),
    ("valkey-server", "redis-server valkey-server", []),
    ("redis-server valkey-server", "redis-server valkey-server", []),
    ("redis-server", "valkey-server", []),
])
def test_the_server(sandbox, installed, available, taken):
    programs = {"dpkg-query": DPKG_QUERY, "apt-cache": APT_CACHE,
                "apt-get": APT_GET, "sudo": SUDO}
    for name, text in programs.items():
        path = sandbox.folder / name
        path.write_text(text)
        path.chmod(0o755)
    seen = sandbox.folder / "seen"
    subprocess.run(
        [ROOT / "tools" / "install-deps", "run"], check=True, timeout=30,
        env={"PATH": f"{sandbox.folder}:{os.environ['PATH']}", "SEEN": seen,
             "INSTALLED": installed, "AVAILABLE": available})
    packages = seen.read_text().split() if seen.exists() else []
    assert [word for word in packages if "-server" in word] == taken
