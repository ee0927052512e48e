"""The core of the other tests, with the users of conf/redis.acl: their rights
are enough for all that the programs and vervectl do."""

import subprocess

import pytest
import test_callbacks
import test_delivery
import test_door
import test_report
import test_vervectl
from harness.counts import count
from harness.fastcgi import Responder
from harness.limited import LimitedRedis
from harness.load import accept
from harness.records import epoch
from harness.redis import Redis
from harness.settings import BUILD, PATIENT_MS, ROOT
from harness.strategies import every_strategy
from harness.wait import wait_until
from test_door import vervectl

CORE = {
    test_callbacks: [
        "test_a_post_keeps_the_contract",
        "test_in_a_quiet_window_the_first_are_told_1_2_3",
        "test_a_failure_is_tried_again_with_the_same_bytes",
        "test_a_job_that_is_given_up_is_kept",
        "test_a_killed_reporter_loses_no_job",
        "test_unreadable_jobs_go_to_the_dead_list"],
    test_delivery: ["test_the_dead_are_bounded"],
    test_door: [
        "test_a_blocked_host_is_not_called_until_it_is_unblocked",
        "test_the_jobs_of_a_blocked_host_can_be_dropped"],
    test_report: [
        "test_counts_unique_ids_and_zeros",
        "test_catches_up_after_downtime",
        "test_two_reporters_share_one_file"],
    test_vervectl: [
        "test_status", "test_list_and_its_filters",
        "test_show_finds_it_anywhere",
        "test_retry_moves_the_exact_bytes", "test_retry_of_delayed_ones",
        "test_drop", "test_a_list_that_moves_meanwhile"],
}
for module, names in CORE.items():
    globals().update({name: getattr(module, name) for name in names})

__all__ = ["vervectl"]  # a fixture


@pytest.fixture
def redis(sandbox):
    return LimitedRedis(sandbox).start()


@every_strategy
def test_ids_are_counted_with_replicas(sandbox, redis):
    replica = Redis(sandbox, name="replica", appendonly="no",
                    replicaof=f"127.0.0.1 {redis.config['port']}").start()
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600,
                          VERVE_REDIS_TIMEOUT_MS=PATIENT_MS,
                          VERVE_REDIS_WAIT_REPLICAS=1).start()
    wait_until(lambda: responder.ask("/readyz").status == 200, "a replica", 30)
    for number in (1, 2, 2, 3):
        answer = responder.ask(accept(number, "http://h/"))
        assert answer.body == b"ok"
    assert count(replica, epoch(answer.headers["verve-window"])) == 3


def test_the_file_is_that_of_the_scripts():
    """Else: make acl."""
    made = subprocess.run([ROOT / "tools" / "redis-acl", BUILD],
                          capture_output=True, check=True, text=True).stdout
    assert made == (ROOT / "conf" / "redis.acl").read_text()


def test_responders_of_before_may_go_on():
    """During an upgrade, with the new file: each looks once a minute whether it
    has the rights that it needs, and EXPIREAT was among them."""
    users = (ROOT / "conf" / "redis.acl").read_text().splitlines()
    assert " +expireat " in users[0]
    assert users[0].startswith("user verve-responder ")
