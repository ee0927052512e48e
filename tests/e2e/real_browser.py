"""The status page in Chromium, at the size of a phone and of a desk, light and
dark; run by `make test-browser`, which installs Debian's packages. Pictures are
in build/screenshots."""

import json
import time
from pathlib import Path

import pytest
from harness.browser import SIZES, Browser
from harness.install import install
from harness.load import accept
from harness.queue import DEAD, job
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.settings import BUILD
from harness.wait import wait_until

ALIKE = {"VERVE_REDIS_TIMEOUT_MS": 250, "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8"}
SETTINGS = ALIKE
BAD = "http://<img src=x onerror=alert(1)>.example/"


@pytest.fixture(scope="session")
def axe():
    return Path(install("axe", "npm")).read_text(encoding="utf-8")


@pytest.fixture
def busy(web, redis, sandbox, receiver):
    """A pool with something to show: windows with gaps, dead jobs, a
    destination that works and one that does not."""
    reporter = Reporter(sandbox, redis, **ALIKE).start()
    redis.wait_for_room(5)  # the reporter records nothing newer meanwhile
    now = int(redis("TIME")[0]) // 60 * 60
    for n in range(70, 1, -1):
        gap, late = int(n in (20, 21, 22)), int(n in (19, 40))
        redis("XADD", "verve:windows", f"{now - 60 * n}-0", "count",
              4000 + n * 7919 % 3000, "late", late, "gap", gap,
              "seconds", 60)
    entry = {**json.loads(job("https://hooks.example/order?token=secret")),
             "attempts": 7, "error": "status-500", "at": now * 1000}
    for more in {}, {"error": "timeout"}, {"url": BAD, "error": BAD}:
        redis("RPUSH", DEAD, json.dumps({**entry, **more}))
    for number in range(40):
        web.get(accept(number, receiver.url("/hook")))
    web.get(accept(41, f"http://127.0.0.1:{free_port()}/"))
    web.get("/api/verve/accept?id=x")
    return reporter


def wait_for(browser, state):
    wait_until(lambda: browser.text("state") == state,
               f"the state is {state}", 20.0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_the_page(web, sandbox, busy, redis, axe, size, scheme):
    browser = Browser(sandbox, size, scheme)
    base = f"http://127.0.0.1:{web.port}/"
    browser.driver.get(base + "status/")
    wait_until(lambda: browser.run(
        "return document.querySelectorAll('#destinations tr').length") == 2,
        "both destinations are shown", 20.0)
    wait_until(lambda: browser.text("rate") != "–", "a second answer")
    assert browser.text("state") in ("OK", "Warning")
    assert browser.run(
        "return document.querySelectorAll('#bars .gap').length") >= 3
    assert browser.run(
        "return document.querySelectorAll('#windows tr').length") == 60
    # What strangers wrote is text, and nothing is wider than the screen.
    assert "<img" in browser.text("dead")
    assert browser.run("return document.querySelector('#dead img')") is None
    assert browser.run("return document.documentElement.scrollWidth <= "
                       "document.documentElement.clientWidth")
    found = browser.axe(axe)
    serious = [one for one in found if one[0] in ("serious", "critical")]
    assert not serious, serious
    browser.picture(BUILD / "screenshots" / f"{size}-{scheme}.png")
    browser.run("document.querySelector('details').open = true")
    assert not [one for one in browser.axe(axe)
                if one[0] in ("serious", "critical")]
    busy.kill()
    wait_for(browser, "Down")
    assert "No reporter" in browser.text("findings")
    browser.picture(BUILD / "screenshots" / f"{size}-{scheme}-down.png")
    assert not [one for one in browser.axe(axe)
                if one[0] in ("serious", "critical")]
    assert browser.console() == []
    asked = browser.requests()
    assert asked and all(url.startswith(base) for url in asked), asked


def test_what_is_lost(web, sandbox, busy, redis):
    """Redis, and then the web server."""
    del busy
    browser = Browser(sandbox, "desktop", "light")
    browser.driver.get(f"http://127.0.0.1:{web.port}/status/")
    wait_until(lambda: browser.text("state") in ("OK", "Warning"),
               "it is shown", 20.0)
    assert browser.text("lost") is None
    redis.freeze()
    wait_for(browser, "Down")
    assert "Redis does not answer" in browser.text("lost")
    assert browser.text("windows").count("gap") >= 3  # the last known
    redis.thaw()
    wait_until(lambda: browser.text("lost") is None, "Redis is back", 20.0)
    web.process.stop()
    wait_until(lambda: "Contact lost" in (browser.text("lost") or ""),
               "contact is lost", 30.0)
    assert "old" in browser.text("lost")
    assert browser.text("state") == "No contact"
    browser.picture(BUILD / "screenshots" / "lost.png")


def test_a_hidden_page_is_silent(web, sandbox):
    browser = Browser(sandbox, "desktop", "light")
    browser.driver.get(f"http://127.0.0.1:{web.port}/status/")
    browser.hide(True)
    time.sleep(1)  # for an answer that is under way
    browser.requests()
    time.sleep(5)  # it asks each 2 s
    assert browser.requests() == []
    browser.hide(False)
    wait_until(browser.requests, "it asks again", 20.0)
