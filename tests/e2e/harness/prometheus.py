"""A real Prometheus (Debian's package) that scrapes the programs of a test."""

import json
import urllib.parse
import urllib.request

from .sandbox import free_port
from .settings import ROOT
from .wait import wait_until

RULES = ROOT / "conf" / "prometheus" / "verve.rules.yml"
DASHBOARD = ROOT / "conf" / "grafana" / "verve.json"
CONFIG = """
global: {{scrape_interval: {interval_s}s}}
rule_files: [{rules}]
scrape_configs:
"""
JOB = """
  - job_name: {name}
    static_configs: [{{targets: [{targets}]}}]
"""


class Prometheus:
    def __init__(self, sandbox, ports, interval_s=1, rules=""):
        """ports: {job: ports of 127.0.0.1}; rules: the path of a file."""
        self.port = free_port()
        config = sandbox.folder / "prometheus.yml"
        config.write_text(
            CONFIG.format(interval_s=interval_s, rules=rules) + "".join(
                JOB.format(name=name, targets=", ".join(
                    f'"127.0.0.1:{port}"' for port in found))
                for name, found in ports.items()))
        self.process = sandbox.start("prometheus", [
            "prometheus", f"--config.file={config}",
            f"--storage.tsdb.path={sandbox.memory / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.port}"])

    def ask(self, path, **parameters):
        """`data` of the answer of its API."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}",
                timeout=60.0) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def series(self, query):
        """The series that a query finds, each a dict of metric and value."""
        return self.ask("query", query=query)["result"]

    def query(self, text):
        """The value; None: there is none yet, or more than one."""
        try:
            found = self.series(text)
        except (OSError, ValueError, AssertionError):
            return None  # it starts
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def wait_for(self, query, value):
        wait_until(lambda: self.query(query) == value, f"{query} is {value}",
                   60.0)

    def firing(self):
        """The alerts that fire, each with labels and annotations."""
        return [alert for alert in self.ask("alerts")["alerts"]
                if alert["state"] == "firing"]
