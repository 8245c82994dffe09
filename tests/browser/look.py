"""What a person would complain about who looks at a page: read in a browser, without eyes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .chromium import Browser, Tab

CHECKS = Path(__file__).with_name("faults.js").read_text(encoding="utf-8")
TALLEST = (
    16_000  # pixels of a window; what lies below is seen all the same, with less of its ground
)
SETTLED = "document.fonts.ready.then(() => new Promise(done => setTimeout(done)))"
PRESS = "document.querySelectorAll('button, summary').forEach(part => part.click())"


@dataclass(frozen=True)
class Report:
    """The faults of a page in a window of one width and in one colour scheme, each a sentence."""

    console: list[str]  # errors and warnings, those of scripts too
    requests: list[str]  # addresses other than that of the page itself
    overflowing: list[str]  # what is wider than its box, and cannot be scrolled there
    sticking_out: list[str]  # what leaves the window, or its cell of a notebook
    faint: list[str]  # text on a ground of nearly its colour
    overlapping: list[str]  # text on text

    @property
    def faults(self) -> list[str]:
        return [
            f"{kind.name}: {fault}" for kind in fields(self) for fault in getattr(self, kind.name)
        ]


class View:
    """A page that is open in the browser."""

    def __init__(self, tab: Tab, address: str) -> None:
        self._tab, self._address = tab, address

    def look(self, width: int, scheme: str) -> Report:
        """The faults that are seen with that many pixels, in a scheme, ``light`` or ``dark``."""
        self._show(width, scheme)
        layout = self._tab.evaluate(CHECKS)
        return Report(console=self._console(), requests=self._requests(), **layout)

    def press_all(self) -> None:
        """Click on each button, and on each part that opens."""
        self._tab.evaluate(PRESS)

    def save(self, path: Path, width: int, scheme: str) -> None:
        """A picture of the whole page, as PNG."""
        self._show(width, scheme)
        self._tab.save(path)

    def _show(self, width: int, scheme: str) -> None:
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self._tab.ask("Emulation.setEmulatedMedia", features=[preference])
        self._resize(width, 600)
        # as tall as the page, so that all of it lies in the window
        height = self._tab.evaluate("document.documentElement.scrollHeight")
        self._resize(width, min(height, TALLEST))

    def _resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._tab.ask("Emulation.setDeviceMetricsOverride", **size)

    def _console(self) -> list[str]:
        return [text for event in self._tab.events if (text := complaint(**event))]

    def _requests(self) -> list[str]:
        asked = [
            event["params"].get("request", event["params"])["url"]
            for event in self._tab.events
            if event["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated")
        ]
        own = self._address, "data:", "blob:"
        return [address for address in asked if not address.startswith(own)]


def complaint(method: str, params: dict[str, Any], **_: Any) -> str | None:
    """The text of an event of the console that says that something is wrong."""
    if method == "Runtime.exceptionThrown":
        details = params["exceptionDetails"]
        return details.get("exception", {}).get("description", details["text"])
    if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
        return " ".join(str(part.get("value", part.get("description"))) for part in params["args"])
    # a request that failed is found among the requests
    if method == "Log.entryAdded" and params["entry"]["source"] != "network":
        entry = params["entry"]
        return entry["text"] if entry["level"] in ("error", "warning") else None
    return None


@contextmanager
def opened(browser: Browser, html: str) -> Iterator[View]:
    """The page of this text, opened as a file."""
    with tempfile.TemporaryDirectory() as folder, browser.tab() as tab:
        path = Path(folder, "page.html")
        path.write_text(html, encoding="utf-8")
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.ask(f"{domain}.enable")
        tab.ask("Page.navigate", url=path.as_uri())
        tab.wait_for("Page.loadEventFired")
        tab.evaluate(SETTLED)
        yield View(tab, path.as_uri())


def look(browser: Browser, html: str, width: int = 1280, scheme: str = "light") -> Report:
    """The faults of a page as it is seen first."""
    with opened(browser, html) as view:
        return view.look(width, scheme)
