"""A headless chromium, by the WebDriver protocol, for the tests of pages."""

import base64
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import pytest
from others import wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name of an element
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]


class Browser:
    def __init__(self):
        driver = shutil.which("chromedriver")
        binary = shutil.which("chromium") or shutil.which("google-chrome")
        if driver is None or binary is None:
            pytest.skip("no chromium and chromedriver here: apt-get install chromium-driver")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen([driver, f"--port={port}", "--silent"])
        self.address = f"http://127.0.0.1:{port}"
        self.wait(self.ready, "chromedriver")
        options = {"binary": binary, "args": ARGUMENTS}
        request = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.session = self.call("POST", "/session", request)["sessionId"]

    def ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def do(self, path, **body):
        return self.call("POST", f"/session/{self.session}{path}", body)

    def open(self, path):
        self.do("/url", url=path.absolute().as_uri())

    def run(self, script, *args):
        return self.do("/execute/sync", script=script, args=list(args))

    def find(self, selector):
        return self.do("/element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        into_view = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
        element = self.find(selector)
        self.run(into_view, {ELEMENT: element})  # the page scrolls smoothly, a click does not wait
        self.do(f"/element/{element}/click")

    def press(self, selector, keys):
        self.do(f"/element/{self.find(selector)}/value", text=keys)

    def wait(self, condition, what, seconds=30):
        wait_until(condition, seconds, what)

    def appear(self, width, height, scheme):
        """A window of that size, and "light" or "dark"."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.do("/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.do(
            "/goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": [feature]}
        )

    def picture(self):
        picture = self.do("/goog/cdp/execute", cmd="Page.captureScreenshot", params={})
        return base64.b64decode(picture["data"])

    def close(self):
        self.call("DELETE", f"/session/{self.session}")
        self.process.terminate()
        self.process.wait()
