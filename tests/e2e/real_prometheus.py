"""The metrics as a real Prometheus and its promtool see them; run by `make
test-monitoring`, which installs Debian's package prometheus."""

import json
import re
import subprocess

from harness.load import Load, accept
from harness.metrics import Scrape
from harness.prometheus import DASHBOARD, Prometheus
from harness.queue import put
from harness.reporter import Reporter
from harness.servers import every_server
from harness.settings import ROOT
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600}
REQUESTS = 3000


def assert_no_complaint(text):
    """promtool, which knows Prometheus's rules for names, has none."""
    done = subprocess.run(["promtool", "check", "metrics"], check=False,
                          input=text, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@every_server
def test_prometheus_has_what_was_sent(sandbox, web):
    prometheus = Prometheus(sandbox, {"verve-fcgi": [web.port]})
    prometheus.wait_for("up", 1)
    load = Load(sandbox, [web.host], [accept(n) for n in range(REQUESTS)])
    assert load.finish().summary["failed"] == {}
    prometheus.wait_for('verve_requests_total{handler="accept",code="200"}',
                        REQUESTS)
    assert prometheus.query('verve_ids_total{result="new"}') == REQUESTS
    assert prometheus.query("verve_request_duration_seconds_count") == REQUESTS
    assert prometheus.query("verve_responders") == 2
    assert prometheus.query("sum(verve_redis_up)") == 2

    assert_no_complaint(web.get("/metrics").body)


def test_prometheus_has_what_a_reporter_did(sandbox, redis, receiver):
    scrape = Scrape()
    Reporter(sandbox, redis, VERVE_WINDOW_SECONDS=1, **scrape.settings).start()
    prometheus = Prometheus(sandbox, {"verve-reporter": [scrape.port]})
    prometheus.wait_for("up", 1)
    put(redis, *[receiver.url("/")] * 10)
    prometheus.wait_for('verve_callbacks_settled_total{fate="delivered"}', 10)
    prometheus.wait_for('verve_sink_lag_windows{sink="file"} < bool 2', 1)
    assert prometheus.query("verve_workers") == 3
    assert_no_complaint(scrape.text().encode())


def promtool(*words):
    done = subprocess.run(["promtool", *map(str, words)], check=False,
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_shipped_files_are_right():
    """promtool says SUCCESS for each file, and nothing else."""
    for kind, name in ("rules", "verve.rules.yml"), ("config", "prometheus.yml"):
        found = promtool("check", kind, "--lint=all", "--lint-fatal",
                         f"conf/prometheus/{name}")
        lines = [line for line in found.splitlines() if line.strip()]
        assert all(re.match(r"Checking| *SUCCESS", line) for line in lines), found


def test_each_alert_fires_if_it_should_and_only_then():
    promtool("test", "rules", "tests/monitoring/rules_test.yml")


def queries():
    """{title of the panel: its queries} of the dashboard."""
    dashboard = json.loads(DASHBOARD.read_text())
    return {panel["title"]: [target["expr"].replace("$__rate_interval", "30s")
                             for target in panel["targets"]]
            for panel in dashboard["panels"] if panel["type"] != "row"}


@every_server
def test_the_dashboard_shows_something_everywhere(sandbox, redis, receiver,
                                                  make_web):
    """No query fails or finds nothing, after ids, callbacks and windows."""
    sandbox.settings["VERVE_WINDOW_SECONDS"] = 2
    web = make_web(sandbox, redis).start()
    scrape = Scrape()
    Reporter(sandbox, redis, **scrape.settings).start()
    prometheus = Prometheus(sandbox, {"verve-fcgi": [web.port],
                                      "verve-reporter": [scrape.port]})
    prometheus.wait_for("sum(up)", 2)
    Load(sandbox, [web.host], [
        accept(n, receiver.url() if n % 10 == 0 else None)
        for n in range(REQUESTS)], rate=REQUESTS // 8).finish()

    def missing():
        """What finds nothing, or no number (0 / 0), with the panel's title."""
        return {(title, query) for title, found in queries().items()
                for query in found
                if all(series["value"][1] == "NaN"
                       for series in prometheus.series(query))}
    wait_until(lambda: not missing(), "each query finds a number", 20.0, 1.0)
