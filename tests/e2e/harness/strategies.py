"""Marks for tests, or modules of them, that run once for each strategy."""

import pytest


def marks(*names):
    return pytest.mark.parametrize("strategy", names, indirect=True,
                                   scope="session")


every_strategy = marks("setnx", "set", "hll")
exact_strategies = marks("setnx", "set")
