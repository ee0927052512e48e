"""The alert rules, the dashboard and docs/monitoring.md agree with each other and
with docs/metrics.md. real_prometheus.py and real_alerts.py run them."""

import json
import re

from harness.prometheus import DASHBOARD, RULES
from harness.settings import ROOT

DOCUMENT = ROOT / "docs" / "monitoring.md"
TESTS = ROOT / "tests" / "monitoring" / "rules_test.yml"
COMPOSE = ROOT / "docker-compose.yml"
SUFFIX = r"_(?:bucket|sum|count)$"


def rules():
    """{alert: its part of the file}."""
    parts = RULES.read_text().split("- alert: ")[1:]
    return {part.split("\n")[0]: part for part in parts}


def metrics_of(text):
    return set(re.findall(r"\b(?:verve|process)_[a-z_]+\b", text))


def documented():
    text = (ROOT / "docs" / "metrics.md").read_text()
    return {name for row in re.findall(r"^\| (`.*?) \|", text, re.M)
            for name in re.findall(r"`([a-z_]+)`", row)}


def expressions(panel):
    return [target["expr"] for target in panel.get("targets", [])]


def test_each_alert_has_instructions_and_tests():
    headings = re.findall(r"^### (\w+)$", DOCUMENT.read_text(), re.M)
    assert list(rules()) == headings
    expected = re.findall(r'alertname="(\w+)"', TESTS.read_text())
    assert set(expected) == set(rules())


def test_each_alert_has_its_labels_and_texts():
    for name, part in rules().items():
        assert re.search(r"^ +labels: \{severity: (page|ticket)\}$", part,
                         re.M), name
        for word in "summary", "description", "runbook":
            assert re.search(rf"^ +{word}: \S", part, re.M), (name, word)
        assert f"runbook: docs/monitoring.md#{name.lower()}\n" in part


def test_alerts_and_panels_use_metrics_that_exist():
    found = set()
    for part in rules().values():
        expr = part.partition("expr:")[2].partition("labels:")[0]
        found |= metrics_of(re.sub(r"#.*", "", expr))
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        for expr in expressions(panel):
            found |= metrics_of(expr)
    names = {re.sub(SUFFIX, "", name) for name in found}
    assert names - documented() == set()


def test_each_panel_is_on_the_dashboard_once():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for values in zip(*((panel["id"], panel["title"]) for panel in panels)):
        assert len(set(values)) == len(values), values
    taken = set()
    for panel in panels:
        assert panel["type"] == "row" or (expressions(panel) and
                                          panel["description"].endswith("."))
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_the_files_of_the_containers_exist():
    mounted = re.findall(r"^ +- \./(\S+?):/", COMPOSE.read_text(), re.M)
    assert len(mounted) == 5
    for name in mounted:
        assert (ROOT / name).is_file(), name


def test_the_containers_are_scraped():
    """Each target is a service of the network of Prometheus, by its port."""
    compose = COMPOSE.read_text()
    config = (ROOT / "conf/prometheus/compose.yml").read_text()
    targets = re.findall(r'"(\w+):(\d+)"', config)
    assert dict(targets) == {"web1": "8080", "web2": "8080",
                             "reporter": "9464", "reporter2": "9464"}
    for name, _ in targets:
        assert re.search(rf"^  {name}:", compose, re.M), name
    assert "VERVE_METRICS_LISTEN: 0.0.0.0:9464" in compose
    subnet = re.search(r"subnet: (\S+?)\}", compose)[1]
    assert f"VERVE_METRICS_ALLOW: {subnet}\n" in compose
