"""What the programs say of themselves: --help, --version, manual pages,
completion."""

import re
import subprocess

import pytest
from harness.settings import BUILD, FCGI, REPORTER, ROOT

PROGRAMS = {"verve-fcgi": FCGI, "verve-reporter": REPORTER,
            "vervectl": ROOT / "ops" / "vervectl",
            "verve-spawn": ROOT / "ops" / "verve-spawn"}
TOOLS = [ROOT / "tools" / "install-deps", ROOT / "tools" / "test",
         ROOT / "tools" / "run", ROOT / "bench" / "run",
         ROOT / "bench" / "callbacks", ROOT / "bench" / "hostile"]

each_program = pytest.mark.parametrize("name", PROGRAMS)


def run(program, *words):
    """The exit code, stdout and stderr; the scripts find the programs."""
    done = subprocess.run([program, *words], capture_output=True, check=False,
                          text=True, timeout=30, stdin=subprocess.DEVNULL,
                          env={"PATH": f"{BUILD}:/usr/bin:/bin:/usr/sbin"})
    return done.returncode, done.stdout, done.stderr


def help_of(name):
    code, out, errors = run(PROGRAMS[name], "--help")
    assert (code, errors) == (0, "")
    return out


@each_program
def test_help(name):
    text = help_of(name)
    assert text.startswith(f"usage: {name} ")
    assert run(PROGRAMS[name], "-h") == (0, text, "")
    assert re.search(r"^  -h, --help ", text, re.M)
    assert re.search(r"^  -V, --version ", text, re.M)


@each_program
def test_version(name):
    source = (ROOT / "common" / "base" / "version.h").read_text()
    version = re.search(r'VERVE_VERSION "(.*)"', source)[1]
    for word in ("-V", "--version"):
        assert run(PROGRAMS[name], word) == (0, f"{name} {version}\n", "")


@each_program
@pytest.mark.parametrize("word", ["-x", "--nothing"])
def test_an_unknown_option(name, word):
    code, out, errors = run(PROGRAMS[name], word)
    assert (code, out) == (100, "")
    assert f"{name} -h" in errors or "usage: " in errors


@pytest.mark.parametrize("name,words", [
    ("vervectl", ["status", "--help"]), ("vervectl", ["queue", "-h"]),
    ("vervectl", ["queue", "list", "--help"]), ("vervectl", ["block", "-h"]),
    ("vervectl", ["tail", "--help"]), ("verve-spawn", ["start", "--help"])])
def test_commands_take_help(name, words):
    assert run(PROGRAMS[name], *words) == (0, help_of(name), "")


@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.name)
def test_help_of_a_tool(tool):
    for word in ("-h", "--help"):
        code, out, errors = run(tool, word)
        assert (code, errors) == (0, "")
        assert f"{tool.parent.name}/{tool.name} " in out
    code, out, errors = run(tool, "--nothing")
    assert (code, out) == (2, "") and errors


def page_of(name):
    section = 5 if name == "verve.conf" else 8
    return (BUILD / "man" / f"{name}.{section}").read_text()


def words_of_macros(line):
    """`.It Fl c Ar FILE` as {"-c", "FILE"}."""
    return set(re.sub(r"\bFl (\S)", r"-\1", line).split())


@each_program
def test_the_manual_page_has_what_help_lists(name):
    """Options, commands, exit codes."""
    text = help_of(name).partition("\n[")[0]  # without the keys
    items = re.findall(r"^  ([^ ].*?)(?:  .*)?$", text, re.M)
    page = [words_of_macros(line)
            for line in re.findall(r"^\.It (.*)$", page_of(name), re.M)]
    assert len(items) > 7
    for item in items:
        words = set(re.sub(r"[][,]", " ", item).split())
        if not item.startswith("--host"):  # its argument has brackets
            assert any(words <= line for line in page), item


def test_the_manual_page_has_every_key():
    text = help_of("verve-reporter")
    page = page_of("verve.conf")
    section = None
    keys = []
    for line in text.splitlines():
        if head := re.fullmatch(r"\[(\w+)\]", line):
            section = head[1]
        elif section and (row := re.match(r"  ([\w<>]+)(?: = (.*))?$", line)):
            keys.append((f"{section}.{row[1]}", row[2]))
    assert len(keys) > 40
    for key, default in keys:
        entry = page.partition(f".It Cm {key}\n")[2].partition(".It ")[0]
        assert entry, key
        assert default is None or f"Default: {default or 'empty'}" in \
            entry.replace("\n", " ").replace("\\&", ""), key


def complete(name, *words):
    program = PROGRAMS[name]
    script = 'compopt() { echo files; }; . "$1"; shift; COMP_WORDS=("$@"); ' \
             'COMP_CWORD=$(($# - 1)); complete() { :; }; ' \
             '"$FUNCTION" "$1"; echo "${COMPREPLY[*]}"'
    function = re.search(r"^complete -F (\w+) .*\b" + name + r"\b",
                         (ROOT / "completion" / name).read_text(), re.M)[1]
    done = subprocess.run(
        ["bash", "-c", script, "bash", ROOT / "completion" / name, program,
         *words], capture_output=True, check=True, text=True, timeout=30,
        env={"PATH": "/usr/bin:/bin", "FUNCTION": function})
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("name,words,expected", [
    ("verve-fcgi", ["--v"], ["--version"]), ("verve-reporter", ["-t"], ["-t"]),
    ("verve-fcgi", ["-c", ""], ["files"]),
    ("verve-reporter", ["-p", "redis.u"], ["redis.url"]),
    ("verve-fcgi", ["-c", "x", "-p", "callbacks.ca"], ["callbacks.ca_file"]),
    ("verve-spawn", ["sta"], ["start", "status"]),
    ("verve-spawn", ["-s", ""], ["files"]), ("verve-spawn", ["--h"], ["--help"]),
    ("verve-spawn", ["-u", "roo"], ["root"]),
    ("vervectl", ["--"], ["--help", "--version"]),
    ("vervectl", ["s"], ["status", "sinks"]), ("vervectl", ["-c", "x", "qu"], ["queue"]),
    ("vervectl", ["queue", ""], ["list", "show", "retry", "drop"]),
    ("vervectl", ["queue", "list", "--w"], ["--waiting"]),
    ("vervectl", ["queue", "drop", "--all", "-y"], ["-y"]),
    ("vervectl", ["queue", "show", ""], []),
    ("vervectl", ["queue", "retry", "--outcome", "ti"], ["timeout"])])
def test_completion(name, words, expected):
    assert complete(name, *words) == expected


@each_program
def test_completion_knows_every_flag(name):
    flags = set(re.findall(r"^  (-\w)\b", help_of(name), re.M))
    assert flags - {"-y"} <= set(complete(name, ""))
