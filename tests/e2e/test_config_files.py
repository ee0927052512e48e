"""The files and variables that a configuration names: what is wrong is refused
at -t and at the start, what may be a mistake is a warning, and secrets may be
in files of their own."""

import os
import re
import subprocess

import pytest
from harness.fastcgi import Responder
from harness.load import accept
from harness.redis import Redis
from harness.reporter import Reporter
from harness.settings import FCGI, REPORTER, ROOT
from test_signature import OLD, SECRET, verify
from test_vervectl import Operator

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, "VERVE_REDIS_TIMEOUT_MS": 4000}
PASSWORD = "p:@/%41 \"x'"

PATHS = """[callbacks]
log = {folder}/missing/callbacks.log
[file]
path = {folder}
"""


def run(sandbox, program, *flags, **settings):
    """Its exit code and output; a program that hangs is an error."""
    done = subprocess.run(
        [program, *flags], env=sandbox.environment(settings), check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def test_paths_that_cannot_be_written_are_refused(sandbox):
    """By the program that writes there, which makes nothing."""
    path = sandbox.folder / "verve.conf"
    path.write_text(PATHS.format(folder=sandbox.folder))
    before = sorted(sandbox.folder.rglob("*"))
    for flags in (["-t"], []):
        code, output = run(sandbox, REPORTER, *flags, "-c", path)
        assert code == 100
        assert output.splitlines() == [
            f"verve-reporter: {path}:2: callbacks.log: there is no folder "
            f"\"{sandbox.folder}/missing\"; make it, with the right to write "
            "for the user of this program",
            f"verve-reporter: {path}:4: file.path: \"{sandbox.folder}\" is a "
            "folder; name a file in it"]
    assert run(sandbox, FCGI, "-t", "-c", path) == (0, f"{path}: ok\n")
    # What the reporter does not use, it does not check.
    code, output = run(sandbox, REPORTER, "-t", "-c", path,
                       VERVE_CALLBACKS_WORKERS=0, VERVE_REPORT_SINKS="none")
    assert (code, output) == (0, f"{path}: ok\n")
    # Printing a key needs no right to write.
    code, output = run(sandbox, REPORTER, "-p", "file.format", "-c", path)
    assert (code, output) == (0, "text\n")
    assert sorted(sandbox.folder.rglob("*")) == before


@pytest.mark.parametrize("program", [FCGI, REPORTER], ids=lambda p: p.name)
def test_a_pipe_is_no_configuration(sandbox, program):
    """Also without a writer, which the program would wait for."""
    fifo = sandbox.folder / "fifo"
    os.mkfifo(fifo)
    words = "can't be read: it is not a regular file\n"
    for flags in (["-t"], [], ["-p", "redis.url"]):
        code, output = run(sandbox, program, *flags, "-c", fifo)
        assert (code, output) == (100, f"{program.name}: {fifo}: {words}")
    code, output = run(sandbox, program, "-t", VERVE_CONF=fifo)
    assert (code, output) == (100, f"{program.name}: {fifo}: {words}")
    assert run(sandbox, program, "-p", "redis.prefix", "-c",
               "/dev/null") == (0, "verve\n")


@pytest.mark.parametrize("key", ["CA_FILE", "CLIENT_CERT", "CLIENT_KEY"])
def test_a_pipe_is_no_certificate(sandbox, key):
    fifo = sandbox.folder / "fifo"
    os.mkfifo(fifo)
    code, output = run(sandbox, REPORTER, "-t", VERVE_FILE_PATH="/dev/stderr",
                       VERVE_CALLBACKS_LOG="/dev/stdout",
                       **{f"VERVE_CALLBACKS_{key}": fifo})
    assert code == 100
    assert f"callbacks.{key.lower()}: cannot be used: it is not a regular " \
        "file" in output


def test_warnings(sandbox, redis):
    """Each once: at -t on stderr, at the start in the log."""
    path = sandbox.folder / "verve.conf"
    path.write_text(f"[callbacks]\nsecret = {SECRET}\n")
    path.chmod(0o644)
    settings = {"VERVE_CONF": path, "VERVE_RDIS_URL": "x"}
    words = ("VERVE_RDIS_URL: it sets no key; is it VERVE_REDIS_URL?",
             f"{path}: every user can read it, and it has a secret, "
             "callbacks.secret: take that right away (chmod o-r)")
    reporter = Reporter(sandbox, redis, **settings).start()
    responder = Responder(sandbox, redis, **settings).start()
    for process in (reporter.process, responder.process):
        for text in words:
            assert process.output().count(text) == 1
        assert sum(line["level"] == "warn" and
                   line["msg"].startswith(("VERVE", "/"))
                   for line in process.logged()) == 2
    code, output = run(sandbox, FCGI, "-t", **settings)
    assert code == 0
    assert sorted(output.splitlines()) == sorted(
        [*(f"verve-fcgi: warning: {text}" for text in words), f"{path}: ok"])
    path.chmod(0o640)
    del settings["VERVE_RDIS_URL"]
    assert run(sandbox, FCGI, "-t", **settings) == (0, f"{path}: ok\n")


def variables_of_scripts():
    """The variables VERVE_* that configurations and scripts use and that set no
    key. VERVE_VERSION is a macro."""
    names = set()
    folders = ("conf", "ops", "tools", "bench", "tests/e2e/harness")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in (*files, *ROOT.glob("*ocker*"), ROOT / "Makefile"):
        if path.is_file() and path.suffix not in (".c", ".h", ".pyc"):
            names.update(re.findall(r"\bVERVE_[A-Z][A-Z_]*[A-Z]\b",
                                    path.read_text(errors="replace")))
    keys = subprocess.run([FCGI, "-h"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    sections = re.findall(r"^\[(\w+)\](.*?)(?=^\[|\Z)", keys, re.M | re.S)
    known = {f"VERVE_{section}_{key}".upper() for section, text in sections
             for key in re.findall(r"^  (\w+) = ", text, re.M)}
    return {name for name in names - known - {"VERVE_VERSION"}
            if not name.startswith("VERVE_KAFKA_")}


def test_variables_of_scripts_are_known(sandbox):
    names = variables_of_scripts()
    assert {"VERVE_CONF", "VERVE_FCGI", "VERVE_PROCS"} <= names
    values = {name: "x" for name in names} | {"VERVE_CONF": "/dev/null"}
    assert run(sandbox, FCGI, "-t", **values) == (0, "/dev/null: ok\n")


def write_secret(sandbox, name, text):
    path = sandbox.folder / name
    path.write_text(text)
    path.chmod(0o400)
    return path


def test_secrets_in_files(sandbox, receiver):
    """Each program reads those that it uses. None is shown."""
    redis = Redis(sandbox).start()
    redis("CONFIG", "SET", "requirepass", PASSWORD)
    path = sandbox.folder / "verve.conf"
    secret = write_secret(sandbox, "secret", f"{SECRET} {OLD}\n")
    path.write_text(
        f"[redis]\nurl = {redis.url}\n"
        f"password_file = {write_secret(sandbox, 'password', PASSWORD)}\n"
        f"[callbacks]\nsecret_file = {secret}\n")
    settings = {"VERVE_CONF": path, "VERVE_REDIS_URL": redis.url}
    reporter = Reporter(sandbox, redis, **settings).start()
    secret.unlink()  # the responder does not need it
    responder = Responder(sandbox, redis, **settings).start()
    assert responder.ask(accept(7, receiver.url("/x"))).body == b"ok"
    got = receiver.wait_count(1, seconds=30.0)[0]
    assert verify(SECRET, got, got.body)
    assert verify(OLD, got, got.body)
    operator = Operator(sandbox, **settings)
    assert operator("status")
    for process in (reporter.process, responder.process):
        assert PASSWORD not in process.output()
        assert SECRET not in process.output()
        assert "level=warn" not in process.output()
    code, output = run(sandbox, REPORTER, "-t", VERVE_FILE_PATH="/dev/stderr",
                       VERVE_CALLBACKS_LOG="/dev/stdout", **settings)
    assert code == 100
    assert output == (
        f"verve-reporter: {path}:5: callbacks.secret_file: \"{secret}\" cannot "
        "be used: No such file or directory\n")


def test_a_missing_secret_of_kafka_is_one_error(sandbox):
    path = sandbox.folder / "verve.conf"
    path.write_text("[report]\nsinks = kafka\n[kafka]\nbrokers = h\n"
                    "sasl.password_file = /no/such\n")
    code, output = run(sandbox, REPORTER, "-t", VERVE_CONF=path,
                       VERVE_CALLBACKS_LOG="/dev/stdout")
    assert (code, output) == (
        100, f"verve-reporter: {path}:5: kafka.sasl.password_file: "
        '"/no/such" cannot be used: No such file or directory\n')
