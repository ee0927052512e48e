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
# Fails at the first try only.
ONCE = """
from pathlib import Path

def once(name):
    seen = Path("seen-" + name)
    if not seen.exists():
        seen.touch()
        raise OSError("at first")
"""
FLAKY = ONCE + """
import pytest

def test_passes(): pass
@pytest.mark.parametrize("letter", ["a b"])
def test_fails_once(letter): once("x")
"""
FLAKY_OR_WRONG = FLAKY + "def test_fails(): assert False\n"
SEVEN_FLAKY = ONCE + "".join(
    f"def test_{name}(): once('{name}')\n" for name in "abcdefg")
UNIT_FLAKY = "#!/bin/sh\n[ -e seen ] || { touch seen; kill -SEGV $$; }\n" + UNIT


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


@pytest.mark.parametrize("text,line,name", [
    (FLAKY, "2 passed, 0 failed, 1 of the passed at the second try",
     "test_0.py::test_fails_once[a b]"),
    (UNIT_FLAKY, "2 passed, 0 failed, 1 of the passed at the second try",
     "test_0"),
], ids=["pytest", "unit"])
def test_a_second_try_in_ci(folder, text, line, name):
    """Its first failure is told, and so is its name."""
    code, last, output = run(folder, text, CI="true")
    assert (code, last) == (0, line)
    assert f"\npassed only when run alone: {name}\n" in output
    assert "OSError: at first" in output or "FAILED  test_0 (exit" in output


def test_a_second_try_of_a_folder(folder):
    """Its tests run at the same time at first."""
    suite = folder / "suite"
    suite.mkdir()
    for number in range(3):
        (suite / f"test_{number}.py").write_text(FLAKY.replace(
            '"x"', f'"{number}"'))
    done = subprocess.run(
        [ROOT / "tools" / "test", suite], cwd=folder, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "CI": "true"}, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(
        "\n6 passed, 0 failed, 3 of the passed at the second try\n")


def test_a_second_try_of_some(folder):
    """Those that fail always have failed."""
    code, last, output = run(folder, FLAKY_OR_WRONG, UNIT_FLAKY, UNIT_FAILED,
                             CI="true")
    assert (code, last) == (
        1, "6 passed, 4 failed, 2 of the passed at the second try")
    assert "passed only when run alone: test_0.py::test_fails_once[a b]\n" \
        in output
    assert "passed only when run alone: test_1\n" in output
    assert output.count("passed only when run alone") == 2


@pytest.mark.parametrize("text,line,variables", [
    (SEVEN_FLAKY, "0 passed, 7 failed", {"CI": "true"}),
    (FLAKY, "1 passed, 1 failed", {}),
    (UNIT_FLAKY, "0 passed, 1 failed", {}),
    (FLAKY, "1 passed, 1 failed", {"CI": "true", "VERVE_TRIES": "1"}),
    (FLAKY, "1 passed, 1 failed", {"VERVE_TRIES": "2"}),
    (FAILING, "1 passed, 4 failed", {"CI": "true"}),
    ("import no_such_module\n", "0 passed, 1 failed", {"CI": "true"}),
    (UNIT_CRASHED, "0 passed, 1 failed", {"CI": "true"}),
], ids=["many", "no-ci", "no-ci-unit", "nightly", "no-ci-tries", "always",
        "import", "crash"])
def test_no_second_try(folder, text, line, variables):
    assert totals(folder, text, **variables) == (1, line)


def test_many_programs_have_no_second_try(folder):
    assert totals(folder, *[UNIT_CRASHED] * 6, UNIT_FLAKY, CI="true") == \
        (1, "0 passed, 7 failed")


def test_a_nightly_has_no_second_try():
    makefile = (ROOT / "Makefile").read_text()
    assert "\nnightly: export VERVE_TRIES := 1\n" in makefile


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
