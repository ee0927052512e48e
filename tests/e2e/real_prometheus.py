"""The metrics as a real Prometheus and its promtool see them; run by `make
test-monitoring`, which installs Debian's package prometheus."""

import json
import subprocess
import urllib.parse

from harness import http
from harness.load import Load, accept
from harness.metrics import Scrape
from harness.queue import put
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.servers import every_server
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600}
REQUESTS = 3000
CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: verve-fcgi
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    def __init__(self, sandbox, port):
        """It scrapes http://127.0.0.1:<port>/metrics."""
        self.port = free_port()
        config = sandbox.folder / "prometheus.yml"
        config.write_text(CONFIG.format(port=port))
        self.process = sandbox.start("prometheus", [
            "prometheus", f"--config.file={config}",
            f"--storage.tsdb.path={sandbox.memory / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.port}"])

    def query(self, text):
        """The value; None: there is none yet, or more than one."""
        target = "/api/v1/query?query=" + urllib.parse.quote(text)
        try:
            body = http.fetch(self.port, target).body
            found = json.loads(body)["data"]["result"]
        except (OSError, ValueError, KeyError, AssertionError):
            return None
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def wait_for(self, query, value):
        wait_until(lambda: self.query(query) == value, f"{query} is {value}",
                   60.0)


def assert_no_complaint(text):
    """promtool, which knows Prometheus's rules for names, has none."""
    done = subprocess.run(["promtool", "check", "metrics"], check=False,
                          input=text, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@every_server
def test_prometheus_has_what_was_sent(sandbox, web):
    prometheus = Prometheus(sandbox, web.port)
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
    prometheus = Prometheus(sandbox, scrape.port)
    prometheus.wait_for("up", 1)
    put(redis, *[receiver.url("/")] * 10)
    prometheus.wait_for('verve_callbacks_settled_total{fate="delivered"}', 10)
    prometheus.wait_for('verve_sink_lag_windows{sink="file"} < bool 2', 1)
    assert prometheus.query("verve_workers") == 3
    assert_no_complaint(scrape.text().encode())
