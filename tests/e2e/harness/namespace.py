"""Programs in namespaces of their own: with a private /dev, disk or network.
Needs no root if the kernel allows user namespaces."""

import functools
import subprocess

import pytest

UNSHARE = ["unshare", "--map-root-user", "--mount"]
WITHOUT_IPV6 = ("ip link set lo up && "
                "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && "
                'mount --bind "$1" /etc/hosts')


def inside(script, *arguments, flags=()):
    """What to put before a command, to run script (of sh, with arguments as
    $1, $2, ...) in a new namespace first. The pid is the command's."""
    count = len(arguments)
    script = f'{script} && shift {count} && exec "$@"'
    return [*UNSHARE, *flags, "sh", "-c", script, "sh", *map(str, arguments)]


def without_ipv6(hosts):
    """As inside: in a network that is a loopback of IPv4 alone, with hosts as
    its /etc/hosts."""
    return inside(WITHOUT_IPV6, hosts, flags=["--net"])


@functools.lru_cache
def can_mount():
    command = inside("mount -t tmpfs none /mnt") + ["true"]
    return subprocess.run(command, capture_output=True,
                          check=False).returncode == 0


@functools.lru_cache
def can_do_without_ipv6():
    return subprocess.run([*without_ipv6("/etc/hosts"), "true"],
                          capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(
    not can_mount(), reason="this machine lets nobody mount in a namespace")
needs_network = pytest.mark.skipif(
    not can_do_without_ipv6(),
    reason="this machine lets nobody have a network in a namespace")
