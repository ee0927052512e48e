"""Debian's Chromium without a screen, driven by Selenium."""

import json
import os
from base64 import b64decode

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


class Browser:
    """One window. Its profile is in the sandbox."""

    def __init__(self, sandbox, size, scheme):
        """size: of SIZES; scheme: light or dark."""
        options = Options()
        options.binary_location = CHROMIUM
        for argument in ("--headless=new", "--disable-dev-shm-usage",
                         "--disable-gpu", "--no-first-run",
                         "--disable-background-networking",
                         f"--user-data-dir={sandbox.folder}/chromium"):
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs",
                               {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(DRIVER),
                                       options=options)
        sandbox.on_close(self.driver.quit)
        self.driver.set_page_load_timeout(60)
        width, height = SIZES[size]
        self.tell("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=2 if size == "phone" else 1,
                  mobile=size == "phone")
        self.tell("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def tell(self, command, **parameters):
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, name):
        """The text of the element of that id; None: it is hidden."""
        return self.run("const e = document.getElementById(arguments[0]);"
                        "return e.hidden ? null : e.textContent", name)

    def hide(self, hidden):
        """Tells the page that its tab is hidden, or visible: without a screen
        Chromium takes each tab for visible."""
        self.run("const hidden = arguments[0];"
                 "Object.defineProperty(document, 'hidden',"
                 " {configurable: true, get: () => hidden});"
                 "document.dispatchEvent(new Event('visibilitychange'))",
                 hidden)

    def console(self):
        """Lines since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self):
        """The URLs that were asked for since the last call, without those of
        Chromium's own pages."""
        messages = [json.loads(entry["message"])["message"]
                    for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent" and
                not message["params"]["documentURL"].startswith("chrome://")]

    def axe(self, script):
        """What axe-core (its text) finds: [(impact, rule, elements)]."""
        self.run(script)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run().then(done, e => done({violations: [{impact: 'critical',"
            " id: String(e), nodes: []}]}))")
        return [(one["impact"], one["id"],
                 [node["html"] for node in one["nodes"]])
                for one in found["violations"]]

    def picture(self, path):
        """Of the whole page."""
        size = self.tell("Page.getLayoutMetrics")["cssContentSize"]
        shot = self.tell("Page.captureScreenshot", captureBeyondViewport=True,
                         clip={**size, "scale": 1})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b64decode(shot["data"]))
