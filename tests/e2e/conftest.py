"""Fixtures: a sandbox for each test, another for the whole session, and in them
Redis, a web server with the pool, a responder, the reporter and a receiver of
callbacks. A module sets options for all its tests by SETTINGS (environment
variables of the programs) and REDIS (options of harness.redis.Redis). A test
that needs other options, or two of a kind, makes them with harness."""

import sys

import pytest
from harness.any_redis import AnyRedis, is_possible
from harness.expected import Expected
from harness.fastcgi import Responder
from harness.receiver import Receiver
from harness.operator import Operator
from harness.reporter import Reporter
from harness.sandbox import Sandbox
from harness.settings import PATIENT_MS, SANITIZED
from harness.wait import avoid_end_of_hour
from harness.web import SERVERS

# A sanitizer has its own allocator, whose calls can't be counted.
collect_ignore = ["test_heap.py", "test_portability.py"] if SANITIZED else []


@pytest.fixture(scope="session")
def strategy(request):
    """The dedup.strategy of all programs. Tests that are marked with
    harness.strategies run once for each of several."""
    return getattr(request, "param", "setnx")


@pytest.fixture(scope="session")
def server(request):
    """The name of the web server. Tests that are marked with harness.servers
    run once for each server."""
    return getattr(request, "param", "lighttpd")


@pytest.fixture(scope="session")
def make_web(server):
    """The class of that server, Web or Nginx of harness.web."""
    return SERVERS[server]


@pytest.fixture
def sandbox(request, strategy):
    """All that is started in it ends with the test. Its programs have the
    settings of SETTINGS of the module that the test was written in, if there
    are any."""
    module = sys.modules[request.function.__module__]
    avoid_end_of_hour()
    box = Sandbox(**{"VERVE_DEDUP_STRATEGY": strategy,
                     "VERVE_REDIS_TIMEOUT_MS": PATIENT_MS,
                     **getattr(module, "SETTINGS", {})})
    yield box
    box.close()


@pytest.fixture(scope="session")
def shared_sandbox(strategy):
    box = Sandbox(VERVE_DEDUP_STRATEGY=strategy,
                  VERVE_REDIS_TIMEOUT_MS=PATIENT_MS)
    yield box
    box.close()


@pytest.fixture(scope="session")
def shared_redis(shared_sandbox):
    """For tests that empty it by themselves and never stop it."""
    return AnyRedis(shared_sandbox).start()


@pytest.fixture(scope="session")
def shared_web(shared_sandbox, shared_redis, server, make_web):
    """On shared_redis with windows of an hour, for tests that empty Redis by
    themselves. The id cache is off, as it would remember what was in Redis."""
    return make_web(shared_sandbox, shared_redis, f"shared-{server}",
                    VERVE_WINDOW_SECONDS=3600,
                    VERVE_DEDUP_LOCAL_CACHE_IDS=0).start()


@pytest.fixture
def redis(request, sandbox):
    """Has the options of the module's REDIS, if there are any."""
    return AnyRedis(sandbox, **getattr(request.module, "REDIS", {})).start()


@pytest.fixture
def web(sandbox, redis, make_web):
    """A web server with its pool."""
    return make_web(sandbox, redis).start()


@pytest.fixture
def responder(sandbox, redis):
    """verve-fcgi without a web server."""
    return Responder(sandbox, redis).start()


@pytest.fixture
def operator(sandbox, redis):
    return Operator(sandbox, VERVE_REDIS_URL=redis.url_of("vervectl"))


@pytest.fixture
def expected(sandbox, responder):
    """Sends ids to the responder, and knows the report that must follow."""
    return Expected(responder, sandbox.settings["VERVE_WINDOW_SECONDS"])


@pytest.fixture
def reporter(sandbox, redis):
    return Reporter(sandbox, redis).start()


@pytest.fixture
def receiver(sandbox):
    receiver = Receiver()
    sandbox.on_close(receiver.close)
    return receiver


def pytest_configure(config):
    config.addinivalue_line("markers", "one_server: see harness.any_redis")


def pytest_collection_modifyitems(config, items):
    """The marathon is the longest test. It begins first, and the others run
    beside it."""
    config.hook.pytest_deselected(
        items=[item for item in items if not is_possible(item)])
    items[:] = filter(is_possible, items)
    items.sort(key=lambda item: "test_marathon.py" not in item.nodeid)


def sandboxes(item):
    for value in item.funcargs.values():
        if isinstance(value, Sandbox):
            yield value


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the output of its servers."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for sandbox in sandboxes(item):
            report.sections += [(f"output: {name}", text[-20000:])
                                for name, text in sandbox.outputs() if text]
