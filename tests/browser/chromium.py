"""A headless Chromium, driven by Chrome's DevTools protocol over a pipe: nothing else to install.

https://chromedevtools.github.io/devtools-protocol: messages are JSON, each ends in a zero byte.
"""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = "chromium", "chromium-browser", "google-chrome"
SECONDS = 30.0  # that an answer may take, on a machine that is busy
FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # which root in a container cannot have
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",  # their widths differ between machines
    "--host-resolver-rules=MAP * ~NOTFOUND",  # what a page asks for is noted, and goes nowhere
)


def installed() -> str | None:
    """The path of a Chromium, or None: UNITJAC_CHROMIUM, else the first on the path."""
    if named := os.environ.get("UNITJAC_CHROMIUM"):
        return named
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page in the browser, and what it has reported so far."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser, self._session = browser, session
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.ask(method, self._session, **parameters)

    def wait_for(self, method: str) -> None:
        while not any(event["method"] == method for event in self.events):
            self._browser.receive()

    def evaluate(self, script: str) -> Any:
        """The value of an expression of JavaScript; a promise is waited for."""
        done = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def save(self, path: Path) -> None:
        """A picture of the whole page, as PNG."""
        done = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(done["data"]))


class Browser:
    """A running Chromium, with a profile of its own that goes with it."""

    def __init__(self, path: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._pipe, theirs = socket.socketpair()
        self._pipe.settimeout(SECONDS)
        profile = f"--user-data-dir={self._profile.name}"
        # Chromium reads from descriptor 3 and writes to 4, which are made by the shell: what Python
        # would run after a fork is unsafe beside the threads of JAX.
        self._process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 3<&0 4>&0', "sh", path, *FLAGS, profile],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        self._rest, self._asked = b"", 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._tabs: dict[str, Tab] = {}

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command, and give back its result."""
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        self._pipe.sendall(json.dumps(message).encode() + b"\0")
        while self._asked not in self._answers:
            self.receive()
        answer = self._answers.pop(self._asked)
        assert "error" not in answer, f"{method}: {answer.get('error')}"
        return answer["result"]

    def receive(self) -> None:
        """Wait for more to come in, and hand the answers and events to where they belong."""
        more = self._pipe.recv(1 << 20)
        assert more, "Chromium ended"
        *messages, self._rest = (self._rest + more).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            elif tab := self._tabs.get(message.get("sessionId")):
                tab.events.append(message)

    @contextlib.contextmanager
    def tab(self) -> Iterator[Tab]:
        """A new, empty page, closed at the end."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._tabs[session] = Tab(self, session)
        try:
            yield self._tabs[session]
        finally:
            del self._tabs[session]
            self.ask("Target.closeTarget", targetId=target)

    def close(self) -> None:
        with contextlib.suppress(OSError, AssertionError):
            self.ask("Browser.close")
        self._pipe.close()
        try:
            self._process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()
