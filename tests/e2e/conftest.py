"""Fixtures: a sandbox for each test, one for the whole session, and in them
Redis, lighttpd with the pool, the reporter and a receiver of callbacks. Tests
that need more than one of a kind make them out of harness by themselves."""

import pytest
from harness.receiver import Receiver
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import Sandbox
from harness.web import Web


@pytest.fixture
def sandbox():
    """What is started in it ends with the test."""
    box = Sandbox()
    yield box
    box.close()


@pytest.fixture(scope="session")
def shared_sandbox():
    box = Sandbox()
    yield box
    box.close()


@pytest.fixture(scope="session")
def shared_redis(shared_sandbox):
    """A Redis for tests that clean it by themselves and never stop it."""
    return Redis(shared_sandbox).start()


@pytest.fixture(scope="session")
def shared_web(shared_sandbox, shared_redis):
    """lighttpd on shared_redis with windows of an hour."""
    return Web(shared_sandbox, shared_redis, VERVE_WINDOW_SECONDS=3600).start()


@pytest.fixture
def redis(sandbox):
    return Redis(sandbox).start()


@pytest.fixture
def web(sandbox, redis):
    """lighttpd with its pool; windows of 2 s."""
    return Web(sandbox, redis, VERVE_WINDOW_SECONDS=2).start()


@pytest.fixture
def reporter(sandbox, redis):
    """A reporter that is running; windows of 2 s."""
    return Reporter(sandbox, redis, VERVE_WINDOW_SECONDS=2).start()


@pytest.fixture
def receiver(sandbox):
    receiver = Receiver()
    sandbox.on_close(receiver.close)
    return receiver


def sandboxes(item):
    for value in item.funcargs.values():
        if isinstance(value, Sandbox):
            yield value


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its servers said."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for sandbox in sandboxes(item):
            report.sections += [(f"output: {name}", text[-20000:])
                                for name, text in sandbox.outputs() if text]
