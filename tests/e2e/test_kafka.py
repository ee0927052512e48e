"""The Kafka sink against librdkafka's mock cluster, which fails on command: a
message for each window, in order, whatever the broker answers."""

import re
import time

import pytest
from harness.kafka import INIT_PRODUCER_ID, PRODUCE, MockKafka
from harness.reporter import Reporter
from harness.settings import PATIENT_MS, REPORTER
from harness.wait import wait_until

WINDOW_S = 1
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S}
SINK = "verve:sink:kafka:unique-request-count"
CURSOR = ("HGET", SINK, "cursor")


@pytest.fixture
def kafka(sandbox):
    return MockKafka(sandbox)


@pytest.fixture
def reporter(sandbox, redis, kafka):
    return Reporter(sandbox, redis, **kafka.settings).start()


def cursor(redis):
    return int(redis(*CURSOR) or 0)


def test_each_window_is_a_message(redis, kafka, expected, reporter):
    last = expected.send(1, 2, 2, 3)
    expected.check(kafka.wait_reported(last))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last))
    (message,) = [m for m in kafka.messages() if m["key"] == stamp]
    assert message["payload"] == (
        '{"unique_request_count":%d,"window_start":"%s","window_seconds":1,'
        '"late":false}' % (expected.count(last), stamp))
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last + WINDOW_S))
    assert message["headers"] == {
        "content-type": "application/json", "ce_specversion": "1.0",
        "ce_id": stamp, "ce_source": "/verve/verve",
        "ce_type": "verve.window.closed", "ce_time": end}
    wait_until(lambda: cursor(redis) >= last, "the cursor follows")


PASSING = [
    (INIT_PRODUCER_ID, 15, 1),  # COORDINATOR_NOT_AVAILABLE
    (PRODUCE, 6, 2),            # NOT_LEADER_OR_FOLLOWER
    (PRODUCE, 7, 1),            # REQUEST_TIMED_OUT
    (PRODUCE, 19, 2),           # NOT_ENOUGH_REPLICAS
    (PRODUCE, 47, 1),           # INVALID_PRODUCER_EPOCH
    (PRODUCE, -195, 2),         # the connection is cut
]


def test_passing_errors_lose_and_double_nothing(sandbox, redis, kafka,
                                                expected):
    """No message is lost or doubled: read_counts checks each."""
    for api, code, count in PASSING:
        kafka.fail(api, code, count)
    Reporter(sandbox, redis, **kafka.settings).start()
    for number in range(6):
        last = expected.send(number, number + 1)
        time.sleep(WINDOW_S)
    expected.check(kafka.wait_reported(last))


def test_a_lasting_error_holds_the_cursor(redis, kafka, expected, reporter):
    """It is logged, and no later message is sent before; the file sink goes
    on."""
    first = expected.send(1)
    kafka.wait_reported(first)
    kafka.fail(PRODUCE, 29, 60)  # TOPIC_AUTHORIZATION_FAILED
    reporter.process.wait_output(
        "kafka:unique-request-count: Broker: Topic auth", 20.0)
    stuck = cursor(redis)
    expected.check(reporter.wait_reported(expected.send(1, 2)))
    time.sleep(2 * WINDOW_S)
    assert cursor(redis) == stuck
    assert reporter.process.output().count("Topic auth") == 1
    kafka.tell("clear", PRODUCE)
    expected.check(kafka.wait_reported(expected.send(5)))
    reporter.process.wait_output("kafka:unique-request-count: works again")


@pytest.mark.parametrize("api,code", [
    (INIT_PRODUCER_ID, 31),  # CLUSTER_AUTHORIZATION_FAILED
    (PRODUCE, 45),           # OUT_OF_ORDER_SEQUENCE_NUMBER
])
def test_a_fatal_producer_is_made_anew(sandbox, redis, kafka, expected, api,
                                       code):
    kafka.fail(api, code, 3)
    reporter = Reporter(sandbox, redis, **kafka.settings,
                        VERVE_LOG_LEVEL="debug",
                        VERVE_KAFKA_FETCH_MIN_BYTES=1).start()
    expected.send(1, 2)
    reporter.process.wait_output("made anew")
    expected.check(kafka.wait_reported(expected.send(3)))
    assert reporter.process.logged_with("made anew")[0]["level"] == "debug"
    # librdkafka warns of that setting with each new producer: logged once.
    assert [line["level"] for line in reporter.process.logged_with(
        "fetch.min.bytes")].count("warn") == 1


def test_windows_are_sent_after_the_broker_was_away(redis, kafka, expected,
                                                    reporter):
    kafka.wait_reported(expected.send(1))
    kafka.tell("down")
    wait_until(lambda: re.search("kafka:unique-request-count: .*; trying again",
                                 reporter.process.output()) and
               expected.send(5) > min(expected.ids) + 7,
               "some windows later", 20.0, pause_s=0.4)
    assert cursor(redis) < max(expected.ids) - 3
    reporter.wait_reported(max(expected.ids) - 2)
    kafka.tell("up")
    expected.check(kafka.wait_reported(expected.send(7)))


def test_a_message_is_dropped_with_the_lease(redis, kafka, expected, reporter):
    """A message that waits for the broker is dropped with the lease."""
    kafka.wait_reported(expected.send(1))
    kafka.tell("down")
    wait_until(lambda: expected.send(2) > cursor(redis) + 3, "one is under way",
               pause_s=0.3)
    redis("HSET", SINK, "owner", "another", "lease_end_ms",
          redis.now_ms() + 60000)  # at most a lease's length counts
    reporter.process.wait_output("no longer ours")
    held = cursor(redis)
    kafka.tell("up")
    time.sleep(2)  # far more than it takes to connect again
    assert max(kafka.counts()) == cursor(redis) == held
    expected.check(kafka.wait_reported(expected.send(3)))


def test_a_restart_doubles_nothing(sandbox, redis, kafka, expected):
    """The next reporter gets the lease at once, and no message comes twice."""
    reporter = Reporter(sandbox, redis, **kafka.settings,
                        VERVE_REDIS_TIMEOUT_MS=PATIENT_MS).start()
    for number in range(3):
        kafka.wait_reported(expected.send(number))
        assert reporter.term() == 0
        reporter.start()
    expected.check(kafka.wait_reported(expected.send(9)))


@pytest.mark.parametrize("name,value,words", [
    ("FOO", "bar", 'kafka.foo: No such configuration property: "foo"'),
    ("LINGER_MS", "-1", "kafka.linger.ms: Configuration property"),
    ("BOOTSTRAP_SERVERS", "h:1", "kafka.bootstrap.servers: set kafka.brokers"),
    ("ENABLE_IDEMPOTENCE", "false", "kafka.enable.idempotence: it is always"),
    ("DELIVERY_REPORT_ONLY_ERROR", "true",
     "kafka.delivery.report.only.error: it is always false"),
    ("TRANSACTIONAL_ID", "x", "kafka.transactional.id: this sink has no use"),
    ("TEST_MOCK_NUM_BROKERS", "3", "kafka.test.mock.num.brokers: this sink"),
    ("ACKS", "1", "kafka.*: `acks` must be set to `all`"),
    ("SECURITY_PROTOCOL", "sslx", "kafka.security.protocol: Invalid value"),
    ("TOPIC", "a b", "VERVE_KAFKA_TOPIC"),
])
@pytest.mark.parametrize("flags", [["-t"], []])
def test_bad_properties_are_refused(sandbox, name, value, words, flags):
    process = sandbox.start("reporter", [REPORTER, *flags], {
        "VERVE_REPORT_SINKS": "kafka", f"VERVE_KAFKA_{name}": value})
    assert process.wait() == 100
    assert words in process.output()
    assert f"verve-reporter: VERVE_KAFKA_{name}: " in process.output() \
        or "kafka.*" in words


def test_bad_properties_of_the_file_are_refused(sandbox):
    """A property with an underscore in its name has no variable."""
    path = sandbox.folder / "verve.conf"
    path.write_text("[report]\nsinks = kafka\n[kafka]\nenabled_events = 255\n")
    process = sandbox.start("reporter", [REPORTER, "-t", "-c", path], {})
    assert process.wait() == 100
    assert f"{path}:4: kafka.enabled_events: this sink has no use" \
        in process.output()


LOGS = {"VERVE_FILE_PATH": "/dev/stderr", "VERVE_CALLBACKS_LOG": "/dev/stdout"}


def test_good_properties_are_accepted(sandbox):
    process = sandbox.start("reporter", [REPORTER, "-t"], {
        **LOGS, "VERVE_REPORT_SINKS": "kafka", "VERVE_KAFKA_SECURITY_PROTOCOL": "ssl",
        "VERVE_KAFKA_ENABLE_IDEMPOTENCE": "true",
        "VERVE_KAFKA_COMPRESSION_CODEC": "zstd"})
    assert process.wait() == 0, process.output()


def test_properties_are_not_checked_without_the_sink(sandbox):
    """Kafka's settings are not checked without its sink."""
    process = sandbox.start("reporter", [REPORTER, "-t"], {
        **LOGS, "VERVE_KAFKA_FOO": "bar"})
    assert process.wait() == 0, process.output()
