"""A headless Chromium of our own: a profile in a temporary folder, no host but loopback, gone when closed."""

import json
import os
import tempfile
import time
import urllib.parse

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


class Browser:
    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="homeostat-chromium-", ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", f"--user-data-dir={self._profile.name}", "--disable-gpu", "--disable-dev-shm-usage",
                         "--no-first-run", "--disable-sync", "--disable-background-networking", "--disable-component-update",
                         "--disable-default-apps", "--disable-extensions", "--window-size=1280,1000",
                         "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"):
            options.add_argument(argument)
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(120)
        self.driver.set_script_timeout(60)
        self.requests = []

    def close(self):
        self.driver.quit()
        self._profile.cleanup()

    def open(self, address):
        self.driver.get(f"http://{address}/")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        """The text of the first element there, or an empty string."""
        return self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def find(self, selector):
        return self.driver.find_element("css selector", selector)

    def click(self, selector):
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def type(self, selector, text):
        self.find(selector).send_keys(text)

    def focused(self):
        """The element that has the focus: its id, or its command."""
        return self.run("const e = document.activeElement; return e.id || e.dataset.verb || e.getAttribute('href') || e.tagName")

    def wait(self, condition, what, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {what}\n" + self.run("return document.body.innerText")[:3000])

    def wait_text(self, selector, part, seconds=60):
        return self.wait(lambda: part in self.text(selector), f"'{part}' in {selector}", seconds)

    def emulate(self, width, height, dark=False, scale=1):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def errors(self, expected=()):
        """Errors in the browser's console since the last call, but for failed loads of the given paths."""
        found = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return [m for m in found if not ("Failed to load resource" in m and any(path in m for path in expected))]

    def hosts(self):
        """Every host that the page has asked for anything."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                parameters = message["params"]
                self.requests.append(parameters.get("request", parameters)["url"])
        return {urllib.parse.urlsplit(url).netloc for url in self.requests if not url.startswith(("data:", "chrome:", "about:"))}
