"""An operator, who runs vervectl."""

import json
import re
import subprocess

from .settings import REPORTER, ROOT

VERVECTL = ROOT / "ops" / "vervectl"


class Operator:
    """Runs vervectl with the settings of a Redis."""

    def __init__(self, sandbox, script=VERVECTL, **settings):
        self.sandbox = sandbox
        self.script = script
        self.errors = ""
        self.env = sandbox.environment(
            {"VERVE_CALLBACKS_LOG": sandbox.folder / "callbacks.txt",
             "VERVE_FILE_PATH": sandbox.memory / "reporter-unique.txt",
             **settings})

    def argv(self, *words):
        return [str(self.script), "-f", str(REPORTER), *words]

    def __call__(self, *words, code=0):
        """Its stdout as lines; the errors are in .errors."""
        done = subprocess.run(
            self.argv(*words), env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=60, cwd=self.sandbox.folder,
            check=False)
        self.errors = done.stderr.decode()
        assert code in (None, done.returncode), (done, self.errors)
        assert re.fullmatch(rb"[\n\x20-\x7e]*", done.stdout), done.stdout
        return done.stdout.decode().splitlines()

    def facts(self, name, **kwargs):
        """The lines of status about a subject, without it."""
        return [line.split(None, 1)[1] for line in self("status", **kwargs)
                if line.split()[0] == name]

    def findings(self):
        """{name: [(severity, what, change)]} of doctor."""
        found = {}
        for one in json.loads("\n".join(self("doctor", "--json", code=None))):
            found.setdefault(one["name"], []).append(
                (one["severity"], one["what"], one["change"] or ""))
        return found

    def impatient(self):
        """The same, with a time limit of 1 s for Redis."""
        folder = self.sandbox.folder / "impatient"
        if not folder.exists():
            folder.mkdir()
            for path in (ROOT / "ops").glob("vervectl*"):
                copy = folder / path.name
                copy.write_text(path.read_text().replace("LIMIT_S=10",
                                                         "LIMIT_S=1"))
                copy.chmod(path.stat().st_mode)
        other = Operator(self.sandbox, folder / "vervectl")
        other.env = self.env
        return other


def words_of(line):
    """The key=value words of a line as a dict."""
    return dict(word.split("=", 1) for word in line.split() if "=" in word)
