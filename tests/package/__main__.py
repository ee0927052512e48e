"""The life of the Debian package on booted systems: installed, under load
restarted, upgraded and downgraded, with a wrong configuration, removed, purged:

    tests/package RELEASE...     12, 13

REDIS=valkey: valkey-server in place of redis-server. Needs root, debootstrap,
and a mirror of Debian (see tools/in-debian). KEEP=1 leaves the packages of an
earlier call as they are. The exit code is 1 if a step has failed."""

import os
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from life import Life  # noqa: E402
from system import ROOT, System, in_debian, prepare  # noqa: E402

NEXT = "1.0.1~test"


def build(release):
    """Returns the paths of the packages: the version of the checkout, and NEXT.
    They are the same for both servers."""
    out = ROOT / "build" / "package"
    out.mkdir(parents=True, exist_ok=True)
    code = {"12": "bookworm", "13": "trixie"}[release]
    source = ROOT / f"build/debian/{code}-redis/src/build/deb"
    paths = []
    for version in (None, NEXT):
        kept = out / f"{code}{'-next' if version else ''}"
        if not (os.environ.get("KEEP") and kept.exists()):
            in_debian(release, "make", "deb",
                      *([f"VERSION={version}"] if version else []),
                      REDIS="redis")
            kept.mkdir(exist_ok=True)
            for old in kept.iterdir():
                old.unlink()
            package, = source.glob("verve_*.deb")
            (kept / package.name).write_bytes(package.read_bytes())
        paths.append(next(kept.iterdir()))
    return paths


def live(release, redis):
    print(f"== Debian {release}, {redis}", flush=True)
    packages = build(release)
    folder = prepare(release, f"{redis}-package", packages)
    work = ROOT / "build" / "package" / f"{release}-{redis}"
    work.mkdir(exist_ok=True)
    system = System(folder)
    life = Life(system, packages, redis, work)
    try:
        life.live()
        return True
    except Exception:
        traceback.print_exc()
        print(system.run("journalctl", "--no-pager", "-n", "60", check=False))
        return False
    finally:
        life.close()
        system.close()


def main():
    redis = os.environ.get("REDIS", "redis")
    results = [live(release, redis) for release in sys.argv[1:]]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


sys.exit(main())
