"""Three shards on three masters of a Redis Cluster: no report is ever that of a
part, one clock is for all, and what callbacks are told."""

import time

import pytest
from harness.answers import assert_unavailable
from harness.fastcgi import Responder
from harness.load import accept
from harness.records import complete_lines, epoch
from harness.reporter import Reporter
from harness.shards import TAGS, ids_of, shard_of
from harness.three_masters import ThreeMasters
from harness.wait import wait_until

WINDOW_S = 2
SHARDS = 3
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S, "VERVE_REDIS_SHARDS": SHARDS,
            "VERVE_DEDUP_LOCAL_CACHE_IDS": 0}
TIMEOUT_MS = 1000


@pytest.fixture
def redis(sandbox):
    # A master that hangs is not counted as down: it has no replica.
    return ThreeMasters(sandbox, cluster_node_timeout=60000).start()


@pytest.fixture
def responder(sandbox, redis):
    program = Responder(sandbox, redis,
                        VERVE_REDIS_TIMEOUT_MS=TIMEOUT_MS).start()
    for shard in range(SHARDS):  # connected, and it knows the time
        (number,) = ids_of(shard, SHARDS, 1)
        wait_until(lambda n=number: program.ask(accept(n)).status == 200,
                   f"shard {shard} accepts")
    return program


def node_of(redis, shard):
    return redis.owner(TAGS[SHARDS][shard])


def counted(answers):
    """{window: ids} of what was ok."""
    found = {}
    for number, answer in answers:
        if answer.status == 200:
            window = epoch(answer.headers["verve-window"])
            found.setdefault(window, set()).add(number)
    return found


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_record_waits_for_all_shards(sandbox, redis, responder, shard):
    """And then it has all that was counted."""
    reporter = Reporter(sandbox, redis).start()
    reporter.wait_reported(int(time.time()) // WINDOW_S * WINDOW_S)
    numbers = [n for each in range(SHARDS) for n in ids_of(each, SHARDS, 7, 1000)]
    answers = [(n, responder.ask(accept(n))) for n in numbers]
    ids = counted(answers)
    assert sum(map(len, ids.values())) == len(numbers)
    node = node_of(redis, shard)
    node.freeze()
    frozen = time.time()
    time.sleep(2.5 * WINDOW_S)
    last = max(reporter.report())
    assert last + WINDOW_S <= frozen
    node.thaw()
    report = reporter.wait_reported(max(ids) + WINDOW_S, seconds=20.0)
    for window, known in ids.items():
        assert report[window] == len(known), window
    assert None not in report.values()
    assert any(line.endswith(" late")
               for line in complete_lines(reporter.report_path))


def test_who_never_heard_of_the_clock_says_503(sandbox, redis, responder):
    """Shard 0 has it. Who has heard of it goes on."""
    node = node_of(redis, 0)
    node.freeze()
    newcomer = Responder(sandbox, redis, name="newcomer",
                         VERVE_REDIS_TIMEOUT_MS=TIMEOUT_MS).start()
    (number,) = ids_of(1, SHARDS, 1, 5000)
    answer = newcomer.ask(accept(number))
    assert_unavailable(answer)
    assert responder.ask(accept(number)).body == b"ok"
    node.thaw()
    wait_until(lambda: newcomer.ask(accept(number)).status == 200,
               "it has heard")


def test_the_count_of_a_callback(sandbox, redis, responder, receiver):
    """Never more than the window had in the end, and never less than before by
    the shard's own ids."""
    reporter = Reporter(sandbox, redis).start()
    windows = {}
    for number in range(1, 200):
        answer = responder.ask(accept(number, receiver.url(f"/{number}")))
        assert answer.status == 200
        windows[number] = epoch(answer.headers["verve-window"])
    receiver.wait_count(199, seconds=30.0)
    report = reporter.wait_reported(max(windows.values()))
    own = {}
    for number, window in windows.items():
        (got,) = receiver.at(f"/{number}")
        count = int(got.body.split(b": ")[1].rstrip(b"}"))
        key = window, shard_of(number, SHARDS)
        own[key] = own.get(key, 0) + 1
        assert own[key] <= count <= report[window]
