"""The programs' own log: lines of logfmt or of JSON, parsed."""

import json
import re

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
# A value of logfmt stands bare, or it is a string of JSON.
PAIR = re.compile(r'([a-z_]+)=([^\s"=\\]+|"(?:[^"\\]|\\.)*")')
HEAD = ["ts", "level", "program", "pid", "msg"]


def parse_pairs(text):
    """{key: value} of a line of logfmt; nothing else is in the line."""
    pairs = PAIR.findall(text)
    assert " ".join(f"{key}={value}" for key, value in pairs) == text, text
    found = {key: json.loads(value) if value[0] == '"' else value
             for key, value in pairs}
    assert len(found) == len(pairs), f"a key twice: {text}"
    return found


def parse(line):
    """{key: value} of a line of either format."""
    if line.startswith("{"):
        found = {key: str(value) for key, value in json.loads(line).items()}
    else:
        found = parse_pairs(line)
    assert list(found)[:len(HEAD)] == HEAD, line
    assert re.fullmatch(TIME, found["ts"]), line
    assert found["level"] in ("error", "warn", "info", "debug"), line
    return found


def is_logged(line):
    """Whether it is a line of a program's log, which is then right."""
    if not line.startswith(("ts=", '{"ts":')) or "program" not in line:
        return False
    parse(line)
    return True


def logged(text):
    """All lines of a program's log in an output that has others, too. A last
    line without an end is not complete yet."""
    return [parse(line) for line in text.split("\n")[:-1] if is_logged(line)]
