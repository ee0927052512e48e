"""System files that are replaced for a single program, in its own mount
namespace. Root only."""

import os
import shutil
import subprocess

import pytest


def is_possible():
    return (os.geteuid() == 0 and shutil.which("unshare") and subprocess.run(
        ["unshare", "-m", "mount", "--bind", "/etc/hosts", "/etc/hosts"],
        stderr=subprocess.DEVNULL, check=False).returncode == 0)


needs_mounts = pytest.mark.skipif(not is_possible(),
                                  reason="only root may mount")


def wrap(replaced):
    """What to put before a command: the program finds replaced[path] at each
    path."""
    steps = [f"mount --bind '{ours}' '{path}'"
             for path, ours in replaced.items()]
    return ["unshare", "-m", "sh", "-c",
            " && ".join([*steps, 'exec "$@"']), "sh"]
