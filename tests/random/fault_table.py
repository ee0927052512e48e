"""The faults by name. A fault is a function of the world and of its own random
numbers, and returns when it is over and mended."""

import time

APPLIED = {}


def fault(function):
    APPLIED[function.__name__.replace("_", "-")] = function
    return function


def nap(rng, least, most):
    seconds = rng.uniform(least, most)
    time.sleep(seconds)
    return seconds
