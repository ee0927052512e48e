"""Kafka: a mock cluster that fails on command, and kcat to read the messages of
a topic."""

import json
import re
import subprocess

from .records import epoch, wait_reported
from .settings import BUILD
from .wait import wait_until

MOCK = BUILD / "tests" / "mock" / "kafka"
PRODUCE, INIT_PRODUCER_ID = 0, 22  # API keys


def read_topic(brokers, topic):
    """All messages by kcat: dicts with key, payload, headers."""
    result = subprocess.run(
        ["kcat", "-C", "-b", brokers, "-t", topic, "-o", "beginning", "-e",
         "-q", "-J"], capture_output=True, check=False, timeout=30)
    if b"Unknown topic or partition" in result.stderr:
        return []  # nobody has written to it yet
    result.check_returncode()
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    for message in messages:
        words = iter(message["headers"])
        message["headers"] = dict(zip(words, words))
    return messages


def read_counts(messages):
    """{window: count} of messages that are in order, each window once."""
    report = {}
    for message in messages:
        value = json.loads(message["payload"])
        window = epoch(value["window_start"])
        assert message["key"] == value["window_start"]
        assert window not in report, f"a second message: {message}"
        assert not report or window > max(report), f"out of order: {message}"
        report[window] = value["unique_request_count"]
    return report


class Topic:
    """A topic of a cluster."""

    def __init__(self, brokers, topic):
        self.brokers = brokers
        self.topic = topic

    @property
    def settings(self):
        return {"VERVE_REPORT_SINKS": "kafka,file",
                "VERVE_KAFKA_BROKERS": self.brokers,
                "VERVE_KAFKA_TOPIC": self.topic}

    def messages(self):
        return read_topic(self.brokers, self.topic)

    def counts(self):
        return read_counts(self.messages())

    def wait_reported(self, window, seconds=15.0):
        return wait_reported(self.counts, window, seconds, pause_s=0.2)


class MockKafka(Topic):
    def __init__(self, sandbox, topic="unique-request-count"):
        self.process = sandbox.start("kafka", [MOCK, topic],
                                     stdin=subprocess.PIPE)
        self.done = 0
        super().__init__(wait_until(self.ready, "the mock cluster is ready"),
                         topic)

    def ready(self):
        match = re.search(r"^ready (\S+)$", self.process.output(), re.M)
        return match and match[1]

    def tell(self, *words):
        pipe = self.process.child.stdin
        pipe.write((" ".join(map(str, words)) + "\n").encode())
        pipe.flush()
        self.done += 1
        wait_until(lambda: self.process.output().count("done\n") == self.done,
                   f"the mock cluster has done {words}")

    def fail(self, api, code, count=1):
        self.tell("error", api, code, count)
