"""Programs that see mounts of their own: a /dev or a small disk that nobody
else has. Needs no root where the kernel lets users have namespaces."""

import functools
import subprocess

import pytest

UNSHARE = ["unshare", "--map-root-user", "--mount"]


def inside(script, *arguments):
    """What to put before a command, to run script (of sh, with arguments as
    $1, $2, ...) in a new namespace first. The pid is the command's."""
    count = len(arguments)
    script = f'{script} && shift {count} && exec "$@"'
    return [*UNSHARE, "sh", "-c", script, "sh", *map(str, arguments)]


@functools.lru_cache
def can_mount():
    command = inside("mount -t tmpfs none /mnt") + ["true"]
    return subprocess.run(command, capture_output=True,
                          check=False).returncode == 0


needs_mounts = pytest.mark.skipif(
    not can_mount(), reason="this machine lets nobody mount in a namespace")
