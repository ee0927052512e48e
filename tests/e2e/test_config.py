"""Errors in a configuration that only the reporter can find: -t and the start
name the line or the variable that has the value."""

import pytest
from harness.settings import REPORTER


AWS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}


def check(sandbox, text, flags=("-t",), **settings):
    """The output for a file with that text, which must be refused."""
    path = sandbox.folder / "verve.conf"
    path.write_text(text)
    process = sandbox.start("reporter", [REPORTER, *flags, "-c", path],
                            {**AWS, **settings})
    assert process.wait() == 100
    return process.output().replace(str(path), "FILE")


@pytest.mark.parametrize("flags", [[], ["-t"]])
@pytest.mark.parametrize("text,words", [
    ("[callbacks]\n\nallow = 10.0.0.1/8\n",
     "FILE:3: callbacks.allow: \"10.0.0.1/8\" has bits set"),
    ("[callbacks]\nsecret = topsecret\n",
     "FILE:2: callbacks.secret: number 1"),
    ("[report]\nsinks = kinesis\n[kinesis]\nendpoint = ftp://h/\n",
     "FILE:4: kinesis.endpoint: \"ftp://h/\" is no"),
    ("[report]\nsinks = kafka\n[kafka]\nlinger.ms = 1\nfoo.bar = 1\n",
     "FILE:5: kafka.foo.bar: No such configuration property"),
    ("[file]\npath = /tmp/x\n[callbacks]\nlog = /tmp/x\n",
     "FILE:2: file.path: it must not be the same as callbacks.log"),
    ("[callbacks]\nlog = /var/log/verve/unique.log\n",
     "FILE:2: callbacks.log: it must not be the same as file.path"),
])
def test_the_line_with_an_error_is_named(sandbox, text, words, flags):
    output = check(sandbox, text, flags)
    assert f"verve-reporter: {words}" in output
    assert "topsecret" not in output


@pytest.mark.parametrize("name,value,words", [
    ("VERVE_CALLBACKS_ALLOW", "nonsense",
     "callbacks.allow: \"nonsense\" is no address"),
    ("VERVE_CALLBACKS_SECRET", "topsecret", "callbacks.secret: number 1"),
    ("VERVE_FILE_PATH", "/tmp/log", "file.path: it must not be the same"),
])
def test_the_variable_with_an_error_is_named(sandbox, name, value, words):
    """The variable overrides a line of the file that is right."""
    text = ("[callbacks]\nallow = 10.0.0.0/8\nlog = /tmp/log\n"
            "[file]\npath = /tmp/other\n")
    assert f"verve-reporter: {name}: {words}" in check(sandbox, text,
                                                       **{name: value})
