"""A browser, by WebDriver (W3C): enough to fill in a form."""

import contextlib
import json
import urllib.request

from programs import server

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# As long as an element is waited for, in milliseconds.
PATIENCE = 20_000
CAPABILITIES = {
    "alwaysMatch": {
        "browserName": "chrome",
        "timeouts": {"implicit": PATIENCE},
        "goog:chromeOptions": {
            "binary": "/usr/bin/chromium",
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        },
    }
}


class Browser:
    def __init__(self, session):
        self.session = session

    def open(self, address):
        ask(f"{self.session}/url", {"url": address})

    def find(self, xpath):
        found = ask(f"{self.session}/element", {"using": "xpath", "value": xpath})
        return f"{self.session}/element/{found[ELEMENT]}"

    def type(self, xpath, text):
        element = self.find(xpath)
        ask(f"{element}/clear", {})
        ask(f"{element}/value", {"text": text})

    def click(self, xpath):
        ask(f"{self.find(xpath)}/click", {})


def ask(address, body, method="POST"):
    request = urllib.request.Request(address, json.dumps(body).encode(), method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["value"]


@contextlib.contextmanager
def browser():
    with server("/usr/bin/chromedriver", "--port=PORT", "--log-level=SEVERE") as address:
        session = ask(f"{address}/session", {"capabilities": CAPABILITIES})["sessionId"]
        path = f"{address}/session/{session}"
        try:
            yield Browser(path)
        finally:
            ask(path, {}, "DELETE")
