"""docs/openapi.yaml against the code, and how verve-fcgi serves it. `make test-api`
compares it with what the service does."""

import json
import re
import subprocess

import pytest
from harness.settings import ROOT

DESCRIPTION = json.loads((ROOT / "docs" / "openapi.json").read_text())


def found(name, node):
    """All values of a member of that name, anywhere."""
    if isinstance(node, list):
        return [value for item in node for value in found(name, item)]
    if not isinstance(node, dict):
        return []
    here = [node[name]] if name in node else []
    return here + [value for item in node.values() for value in found(name, item)]


def resolve(node):
    """The node that a $ref leads to."""
    while "$ref" in node:
        target = DESCRIPTION
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def errors_of(response):
    headers = resolve(response).get("headers", {})
    return set(resolve(headers.get("Verve-Error", {})).get("schema", {}).get(
        "enum", []))


def test_the_json_is_that_of_the_yaml():
    made = subprocess.run(
        [ROOT / "tools" / "openapi-json", ROOT / "docs" / "openapi.yaml"],
        check=True, capture_output=True, text=True).stdout
    assert made == (ROOT / "docs" / "openapi.json").read_text(), \
        "run `make openapi`"


def test_every_reference_leads_somewhere():
    for path in found("$ref", DESCRIPTION):
        assert resolve({"$ref": path})


def test_it_has_all_paths():
    """But those of the page for people."""
    source = (ROOT / "fcgi-app" / "request.c").read_text()
    table = re.search(r"^} paths\[\] = \{$(.*?)^\};", source, re.M | re.S)[1]
    paths = set(re.findall(r'"(/[^"]+)"', table))
    assert {path for path in paths if not path.startswith("/status/")} == \
        set(DESCRIPTION["paths"])


def test_it_has_all_error_codes():
    """Each at its status, as docs/http.md has it."""
    source = (ROOT / "common" / "store" / "error_code.c").read_text()
    codes = set(re.findall(r'\] = "([a-z-]+)"', source))
    document = (ROOT / "docs" / "http.md").read_text()
    statuses = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+)", document, re.M))
    described = set()
    for path in DESCRIPTION["paths"].values():
        for method in ("get", "head"):
            responses = path.get(method, {}).get("responses", {})
            for status, response in responses.items():
                for code in errors_of(response):
                    assert statuses[code] == status
                    described.add(code)
    assert described == codes


def test_the_version():
    version = re.search(r'VERVE_VERSION "(.*)"',
                        (ROOT / "common/base/version.h").read_text())[1]
    assert DESCRIPTION["info"]["version"] == version


@pytest.mark.parametrize("accept", [None, "text/html"])
def test_it_is_served_to_all(web, accept):
    """Also through a proxy, which keeps it from /metrics."""
    headers = {"X-Forwarded-For": "192.0.2.1"}
    if accept:
        headers["Accept"] = accept
    answer = web.get("/api/verve/openapi.json?x", headers=headers)
    assert answer.status == 200
    assert json.loads(answer.body) == DESCRIPTION
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "max-age=300"
    head = web.get("/api/verve/openapi.json", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.body))
    assert web.get("/api/verve/openapi.json", method="DELETE").status == 405
    assert web.get("/api/verve/openapi.yaml").status == 404
