"""The Kafka sink against a real broker: `make test-kafka`. Not among the
test_*.py, as it takes Java, Maven and 50 MB of jars."""

import time

import pytest
from harness.kafka_broker import PASSWORD, USER, KafkaBroker
from harness.reporter import Reporter
from harness.sandbox import Sandbox

WINDOW_S = 1
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S}


@pytest.fixture(scope="module")
def box():
    box = Sandbox()
    yield box
    box.close()


@pytest.fixture(scope="module")
def broker(box):
    return KafkaBroker(box).start()


def test_stopped_for_ten_windows(sandbox, redis, broker, expected):
    """A message for each window, in order: read_counts checks all."""
    reporter = Reporter(sandbox, redis, **broker.settings).start()
    expected.check(broker.wait_reported(expected.send(1, 2), 30.0))
    broker.stop()
    first = expected.send(1)
    while expected.send(1, 2, 3) < first + 10 * WINDOW_S:
        time.sleep(0.3)
    assert reporter.report()[max(expected.ids) - 2 * WINDOW_S] >= 0
    broker.start()
    expected.check(broker.wait_reported(expected.send(4), 30.0))
    headers = broker.messages()[-1]["headers"]
    assert headers["ce_type"] == "verve.window.closed"
    assert headers["content-type"] == "application/json"


def test_sasl(sandbox, redis, broker, expected):
    """Properties are passed to librdkafka; a wrong password is logged."""
    broker.topic = "sasl"
    reporter = Reporter(sandbox, redis, **{
        **broker.settings, "VERVE_KAFKA_BROKERS": broker.sasl,
        "VERVE_KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
        "VERVE_KAFKA_SASL_MECHANISM": "PLAIN",
        "VERVE_KAFKA_SASL_USERNAME": USER,
        "VERVE_KAFKA_SASL_PASSWORD": "wrong"}).start()
    expected.send(1, 2)
    reporter.process.wait_output("Authentication failed", 20.0)
    assert reporter.term() == 0
    reporter.settings["VERVE_KAFKA_SASL_PASSWORD"] = PASSWORD
    reporter.start()
    expected.check(broker.wait_reported(expected.send(3), 30.0))
