"""A headless Chromium, driven over its own debugging protocol: no other machine can be reached from it."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)


class Browser:
    """One tab.

    Attributes:
        requests: Addresses of everything that the page asked for.
        problems: What the browser complained of: refused by the policy, failed to load, threw.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.number = socket, 0
        self.requests: list[str] = []
        self.problems: list[str] = []
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get("id") == self.number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        name, told = event.get("method"), event.get("params", {})
        if name == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif name == "Runtime.exceptionThrown":
            self.problems.append(str(told["exceptionDetails"].get("exception", {}).get("description", told)))
        elif name == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    def value(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """The first value of an expression that is true."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if value := self.value(expression):
                return value
            time.sleep(0.1)
        raise AssertionError(f"never true: {expression}; {self.problems}; {self.value('document.body.innerText')}")

    def upload(self, path: Path, within: str, accept: str = "") -> None:
        root = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=f"{within} input[type=file]{accept}")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def click(self, selector: str, at: tuple[float, float] = (0.5, 0.5)) -> None:
        """Clicks on a place of an element, in shares of its size, once it has come to rest."""
        self.wait(f"!!document.querySelector({selector!r})")
        before, box = [0.0], [1.0]
        while box != before or not box[2]:
            before = box
            box = self.value(
                f"(() => {{ const one = document.querySelector({selector!r});"
                " one.scrollIntoView({block: 'center', behavior: 'instant'}); const r = one.getBoundingClientRect();"
                " return [r.x, r.y, r.width, r.height]; })()"
            )
            time.sleep(0.3)
        x, y = box[0] + at[0] * box[2], box[1] + at[1] * box[3]
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, selector: str, start: tuple[float, float], end: tuple[float, float], touch: bool = False) -> None:
        """Drags from one place of an element to another, in shares of its size, by mouse or finger."""
        x, y, width, height = self.value(
            f"(() => {{ const one = document.querySelector({selector!r});"
            " one.scrollIntoView({block: 'center', behavior: 'instant'}); const r = one.getBoundingClientRect();"
            " return [r.x, r.y, r.width, r.height]; })()"
        )
        places = [[a + (b - a) * share for a, b in zip(start, end, strict=True)] for share in (0, 0.3, 0.7, 1)]
        at = [{"x": x + across * width, "y": y + down * height} for across, down in places]
        kinds = ["Start", *["Move"] * (len(at) - 1)] if touch else ["Pressed", *["Moved"] * (len(at) - 1)]
        for kind, place in zip(kinds, at, strict=True):
            if touch:
                self.call("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=[place])
            else:
                self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", button="left", clickCount=1, **place)
        if touch:
            self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            self.call("Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1, **at[-1])

    def be_phone(self, width: int, height: int) -> None:
        """A screen of that size, in CSS pixels, that is touched."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True)
        self.call("Emulation.setTouchEmulationEnabled", enabled=True)

    def write(self, selector: str, text: str) -> None:
        self.click(selector)
        self.call("Input.insertText", text=text)

    def download(self, selector: str, folder: Path, seconds: float = 60) -> Path:
        """Clicks on a link, and returns the file that the browser then saves in an empty folder."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(selector)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            saved = list(folder.iterdir()) if folder.is_dir() else []
            if saved and not saved[0].name.endswith(".crdownload"):
                return saved[0]
            time.sleep(0.1)
        raise AssertionError(f"nothing was saved; {self.problems}")

    def screenshot(self, path: Path) -> None:
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(picture))


@contextmanager
def open_browser(address: str, folder: Path, size: tuple[int, int] = (1280, 1100)) -> Iterator[Browser]:
    """Yields a browser that has opened an address; `folder` keeps its profile."""
    arguments = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
        "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}",
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "about:blank",
    ]  # fmt: skip
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_tab(folder), max_size=None, origin=None, ping_interval=None) as socket:
            browser = Browser(socket)
            browser.call("Page.navigate", url=address)
            yield browser
    finally:
        process.terminate()
        process.wait(timeout=20)


def _tab(folder: Path) -> str:
    """The debugging address of the only tab."""
    import httpx

    port_file = folder / "DevToolsActivePort"
    for _ in range(600):
        if port_file.is_file() and (lines := port_file.read_text().split()):
            tabs = httpx.get(f"http://127.0.0.1:{lines[0]}/json/list", trust_env=False).json()
            pages = [tab for tab in tabs if tab["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    raise AssertionError("the browser did not start")
