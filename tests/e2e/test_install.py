"""What `make install`, `make uninstall` and `make dist` do, and that the version
is the same everywhere. tests/package has the life of the Debian package."""

import hashlib
import os
import re
import shutil
import stat
import subprocess

import pytest
from harness.settings import BUILD, FCGI, REPORTER, ROOT

UNITS = ("verve-fcgi.socket", "verve-fcgi@1.service", "verve-reporter.service",
         "verve.target")
SECURITY = 1.5  # the most that systemd-analyze may say


def run(*command, **options):
    return subprocess.run(command, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60, check=False, **options)


class Installed:
    """An installation in a folder, with PREFIX. `usr` leads to it, so that the
    paths in units exist."""

    def __init__(self, folder):
        self.root = folder / "root"
        self.usr = folder / "usr"
        self.usr.symlink_to(self.root / str(self.usr)[1:])
        self.units = self.usr / "lib" / "systemd" / "system"
        self.env = {"PATH": os.environ["PATH"], "DESTDIR": str(self.root),
                    "PREFIX": str(self.usr), "UNIT_DIR": str(self.units)}
        self("-")

    def __call__(self, option):
        done = run(ROOT / "tools/install-files",
                   *([option] if option != "-" else []), BUILD, cwd=ROOT,
                   env=self.env)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def files(self):
        return [path for path in self.root.rglob("*") if path.is_file()]


@pytest.fixture
def installed(sandbox):
    return Installed(sandbox.folder)


def test_uninstall_removes_all_that_install_has_made(installed):
    assert len(installed.files()) > 20
    assert (installed.usr / "bin/verve-fcgi").read_bytes() == FCGI.read_bytes()
    installed("-r")
    assert installed.files() == []
    assert list(installed.root.rglob("verve")) == []


def test_changed_files_in_etc_stay(installed):
    conf = installed.root / "etc/verve/verve.conf"
    # It may have secrets.
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    conf.write_text("[redis]\n")
    installed("-")
    assert conf.read_text() == "[redis]\n"
    assert str(conf) in installed("-r")
    assert installed.files() == [conf]


def test_uninstall_takes_the_link_along_without_which_lighttpd_starts(installed):
    enabled = installed.root / "etc/lighttpd/conf-enabled"
    enabled.mkdir()
    (enabled / "15-verve.conf").symlink_to("../conf-available/15-verve.conf")
    installed("-r")
    assert list(enabled.iterdir()) == []


def test_systemd_accepts_the_units(installed):
    done = run("systemd-analyze", "verify", "--man=no",
               *(f"./{unit}" for unit in UNITS), cwd=installed.units)
    # Other lines are about units of this machine.
    assert not [line for line in done.stdout.splitlines() if "verve" in line]


@pytest.mark.parametrize("unit", UNITS[1:3])
def test_the_units_are_confined(installed, unit):
    if "@1" in unit:
        shutil.copy(installed.units / unit.replace("@1", "@"),
                    installed.units / unit)
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager",
               f"./{unit}", cwd=installed.units)
    level = re.search(r"level for .*: ([\d.]+)", done.stdout)
    assert level, done.stdout
    assert float(level[1]) <= SECURITY


def test_the_paths_in_units_are_those_of_the_prefix(installed):
    for path in installed.units.glob("verve*.service"):
        for line in path.read_text().splitlines():
            if line.startswith(("ExecStart", "ExecReload")) and "verve" in line:
                assert f"{installed.usr}/bin/verve-" in line, line


def test_the_version_is_the_same_everywhere():
    version = run(REPORTER, "-V").stdout.split()[1]
    assert run(FCGI, "-V").stdout.split()[1] == version
    assert re.match(rf"verve \({version}-\d+\) ",
                    (ROOT / "debian/changelog").read_text())
    headings = re.findall(r"^## \[?([\d.]+)", (ROOT / "CHANGELOG.md").read_text(),
                          re.M)
    assert headings[0] == version
    assert f"User-Agent: verve/{version}\n" in \
        (ROOT / "docs/callbacks.md").read_text()


def commit_of(folder):
    """A repository with what tools/dist needs."""
    for name in ("tools/dist", "common/base/version.h", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example"]
    for command in (["init", "-q"], ["add", "."],
                    ["commit", "-qm", "a", "--date=2026-01-02T03:04:05Z"]):
        done = run(*git, *command, cwd=folder, env={
            **os.environ, "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"})
        assert done.returncode == 0, done.stdout


def test_a_commit_makes_one_tarball(sandbox):
    bytes_of = []
    for name, umask in (("a", 0o022), ("b", 0o077)):
        folder = sandbox.folder / name
        folder.mkdir()
        commit_of(folder)
        done = run("tools/dist", ".", cwd=folder, umask=umask)
        assert done.returncode == 0, done.stdout
        tarball, = folder.glob("verve-*.tar.gz")
        checksum = folder / f"{tarball.name}.sha256"
        digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
        assert checksum.read_text() == f"{digest}  {tarball.name}\n"
        bytes_of.append(tarball.read_bytes())
    assert bytes_of[0] == bytes_of[1]


def test_the_documented_files_are_installed(installed):
    text = (ROOT / "docs/install.md").read_text()
    paths = re.findall(r"^\| `(/etc/[^`]+/[^`]+)`", text, re.M)
    units = re.findall(r"`(verve[\w-]*(?:@\d)?\.(?:service|socket|target))`",
                       text)
    assert len(paths) > 3
    assert len(units) > 4
    for path in paths:
        assert (installed.root / path[1:]).exists() or \
            path == "/etc/default/verve", path
    for unit in units:
        assert (installed.units / re.sub(r"@\d", "@", unit)).exists(), unit
