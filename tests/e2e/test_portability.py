"""What the programs ask of the system that they run on."""

import re
import subprocess

import pytest
from harness.settings import FCGI, REPORTER

# Of Ubuntu 22.04. RHEL 9 has 2.34.
GLIBC = (2, 35)


@pytest.mark.parametrize("program", [FCGI, REPORTER], ids=lambda path: path.name)
def test_no_function_is_newer_than_the_oldest_glibc(program):
    """But for those that a newer <stdlib.h> puts in place of strtol and its
    kind: with an older header the old ones are used."""
    symbols = subprocess.run(["nm", "-D", "--with-symbol-versions", program],
                             check=True, text=True, capture_output=True).stdout
    versions = {name: tuple(map(int, version.split("."))) for name, version in
                re.findall(r"(\w+)@GLIBC_([\d.]+)", symbols)}
    assert "__libc_start_main" in versions
    assert {name: version for name, version in versions.items()
            if version > GLIBC and not name.startswith("__isoc23_")} == {}
