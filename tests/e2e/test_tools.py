"""tools/test: its totals and its exit code, by which CI decides."""

import os
import re
import subprocess

import pytest
from harness.settings import ROOT

TESTS = """
import pytest

def test_a(): pass
def test_b(): pass
def test_c(): pass
"""
FAILING = """
import pytest

@pytest.fixture
def broken():
    yield
    raise OSError("teardown")

def test_passes(): pass
def test_fails(): assert False
def test_fails_twice(broken): assert False
def test_fails_in_its_teardown(broken): pass
def test_fails_in_its_setup(no_such_fixture): pass
"""
SKIPPED = """
import pytest

def test_passes(): pass
def test_skipped(): pytest.skip("no tool")
"""
UNIT = "#!/bin/sh\necho '[  PASSED  ] 2 test(s).'\n"
UNIT_FAILED = UNIT + "echo '[  FAILED  ] 3 test(s), listed below:'\nexit 3\n"
UNIT_CRASHED = "#!/bin/sh\nkill -SEGV $$\n"


@pytest.fixture
def folder(sandbox):
    return sandbox.folder


def run(folder, *texts, **variables):
    """Runs texts as tests, of pytest or as programs; returns the exit code, the
    last line and all of the output."""
    paths = []
    for number, text in enumerate(texts):
        is_program = text.startswith("#!")
        path = folder / f"test_{number}{'' if is_program else '.py'}"
        path.write_text(text)
        path.chmod(0o755)
        paths.append(path)
    env = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        [ROOT / "tools" / "test", *paths], env=env, cwd=folder, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines()[-1], done.stdout


def totals(folder, *texts, **variables):
    code, last, _ = run(folder, *texts, **variables)
    return code, last


@pytest.mark.parametrize("text,line", [
    (TESTS, "3 passed, 0 failed"),
    (UNIT, "2 passed, 0 failed"),
    (SKIPPED, "1 passed, 0 failed, 1 skipped"),
], ids=["pytest", "unit", "skipped"])
def test_success(folder, text, line):
    assert totals(folder, text) == (0, line)


@pytest.mark.parametrize("text,line", [
    (FAILING, "1 passed, 4 failed"),
    (UNIT_FAILED, "2 passed, 3 failed"),
    (UNIT_CRASHED, "0 passed, 1 failed"),
    ("", "0 passed, 1 failed"),  # without tests
    ("import no_such_module\n", "0 passed, 1 failed"),
], ids=["pytest", "unit", "crash", "empty", "import"])
def test_each_failed_test_counts_once(folder, text, line):
    assert totals(folder, text) == (1, line)


def test_a_skipped_test_is_a_failure_in_ci(folder):
    assert totals(folder, SKIPPED, CI="true") == (1, "1 passed, 1 failed")


def test_the_totals_are_those_of_all(folder):
    assert totals(folder, UNIT, TESTS, SKIPPED, FAILING, UNIT_FAILED) == \
        (1, "9 passed, 7 failed, 1 skipped")


@pytest.mark.parametrize("arguments,line", [
    ("-k 'test_a or test_b'", "2 passed, 0 failed"),
    ('-k "not test_a" -k "test_c"', "1 passed, 0 failed"),
    ("-k test_a", "1 passed, 0 failed"),
    ("  ", "3 passed, 0 failed"),
])
def test_pytest_args_may_be_quoted(folder, arguments, line):
    assert totals(folder, TESTS, PYTEST_ARGS=arguments) == (0, line)


@pytest.mark.parametrize("arguments", ["-k 'test_a", "--no-such-option"])
def test_wrong_pytest_args_are_a_failure(folder, arguments):
    code, _, output = run(folder, TESTS, PYTEST_ARGS=arguments)
    assert code != 0
    assert not re.search(r"[1-9]\d* passed", output)


def test_output_is_shown_only_of_a_failure(folder):
    shown = "echo shown\n"
    assert "shown" not in run(folder, UNIT + shown)[2]
    output = run(folder, UNIT_FAILED.replace("exit", shown + "exit"))[2]
    assert "FAILED  test_0 (exit code 3)" in output
    assert "\nshown\n" in output


def test_no_files_are_left(folder):
    temporary = folder / "tmp"
    temporary.mkdir()
    run(folder, UNIT, FAILING, TMPDIR=str(temporary))
    assert not list(temporary.iterdir())
