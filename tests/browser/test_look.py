"""The harness itself: each kind of fault is found where it was planted, and nowhere else."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from .chromium import Browser
from .frames import in_jupyter, on_github
from .look import look, opened

WIDE = "<div style='width: 900px'>wide</div>"

PLANTED = {
    "console: at work": "<script>console.error('at', 'work')</script>",
    "console: Error: thrown": "<script>throw new Error('thrown')</script>",
    "console: ReferenceError: nobody": "<button onclick='nobody()'>press</button>",
    "requests: https://example.com/x.png": "<img src='https://example.com/x.png' alt=''>",
    "requests: file://.*/beside.css": "<link rel='stylesheet' href='beside.css'>",
    "requests: https://example.com/late": "<script>fetch('https://example.com/late')</script>",
    'overflowing: div "wide": 300 in 200 pixels': "<div style='width: 200px'>"
    "<div style='width: 300px'>wide</div></div>",
    'overflowing: td.number "1234567890"': "<table style='table-layout: fixed; width: 50px'>"
    "<tr><td class='number'>1234567890</table>",
    'overflowing: "cut off here" is cut off by svg': "<svg width='20' height='20'>"
    "<text x='0' y='15'>cut off here</text></svg>",
    'sticking_out: div "wide": 8 to 908, outside of 0 to 400': WIDE,
    'sticking_out: div "left": -50 to': "<div style='margin-left: -58px'>left</div>",
    'sticking_out: b "out": .* outside of 8 to 108': "<div data-cell style='width: 100px'>"
    "<b style='position: absolute; left: 200px'>out</b></div>",
    'faint: "grey" in p "grey": contrast 2.85, not 4.5': "<p style='color: #999'>grey</p>",
    'faint: "bar" in i "bar"': "<div style='position: relative'><div style='background: navy;"
    "position: absolute; inset: 0'></div><i style='position: relative'>bar</i></div>",
    'faint: "shade" in p': "<p style='background: linear-gradient(white, black)'>shade</p>",
    'faint: "see through" in b': "<p style='opacity: .3'><b>see through</b></p>",
    'faint: "cell" in text': "<svg><rect width='50' height='50' fill='#222'/>"
    "<text x='5' y='25'>cell</text></svg>",
    'overlapping: "12.5" and "mV" by': "<div style='position: relative'>12.5"
    "<b style='position: absolute; left: 5px'>mV</b></div>",
}

SOUND = {
    "scrolls": f"<div style='width: 200px; overflow-x: auto'>{WIDE}</div>",
    "for readers": "<p style='position: absolute; width: 1px; height: 1px; overflow: hidden;"
    "white-space: nowrap'>a sentence for a screen reader</p>",
    "not shown": f"<details><summary>more</summary></details><div hidden>{WIDE}</div>",
    "powers": "<table><tr><th scope='col'>mA/cm<sup>2</sup></th><td>10<sup>-3</sup></td></table>",
    "tight": "<p style='line-height: 1; width: 60px'>many lines of text</p>",
    "large": "<h1 style='color: #888'>large</h1>",
    "dark cell": "<p style='background: #222'><b style='color: white'>light</b></p>",
    "own picture": "<img alt='' src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    "own script": "<button onclick='console.log(1)'>press</button>",
    "svg": "<svg width='200' height='30'><rect width='200' height='30' fill='#eee'/>"
    "<text x='5' y='20'>label</text></svg>",
}


def page(body: str) -> str:
    return f"<!doctype html><meta charset='utf-8'><title>t</title><body>{body}</body>"


def faults(browser: Browser, html: str) -> list[str]:
    with opened(browser, html) as view:
        view.press_all()
        return view.look(400, "light").faults


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(browser: Browser, fault: str) -> None:
    kind = fault.partition(":")[0]
    found = faults(browser, page(PLANTED[fault]))
    assert any(re.match(fault, line) for line in found), found
    # a request that fails may be told in the console as well, what overflows may stick out too
    others = {"requests": {"console"}, "sticking_out": {"overflowing"}}.get(kind, set())
    assert {line.partition(":")[0] for line in found} <= {kind} | others, found


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_has_no_fault(browser: Browser, name: str) -> None:
    assert faults(browser, page(SOUND[name])) == []


@pytest.mark.parametrize("frame", [in_jupyter, on_github])
def test_the_frames_are_sound(browser: Browser, frame: Callable[..., str]) -> None:
    table = (
        "<table><thead><tr><th scope='col'>a</th></tr></thead><tbody><tr><td>1</td></tr></table>"
    )
    themes = [("light",), ("dark",)] if frame is in_jupyter else [()]
    for theme in themes:
        with opened(browser, frame(f"{table}<p>text</p>", *theme)) as view:
            for scheme in ("light", "dark"):
                assert view.look(400, scheme).faults == []


def test_what_runs_out_of_a_cell_is_found(browser: Browser) -> None:
    assert "sticking_out" in " ".join(look(browser, in_jupyter(WIDE, "light"), 400).faults)


def test_black_text_is_seen_in_the_dark_theme_only(browser: Browser) -> None:
    text = "<p style='color: #000'>black</p>"
    assert look(browser, in_jupyter(text, "light")).faint == []
    assert len(look(browser, in_jupyter(text, "dark")).faint) == 1


def test_the_scheme_is_that_of_the_window(browser: Browser) -> None:
    style = "<style>@media (prefers-color-scheme: dark) { p { color: #eee } }</style>"
    html = page(f"{style}<p>pale</p>")
    assert [len(look(browser, html, 400, scheme).faint) for scheme in ("light", "dark")] == [0, 1]
    # and the ground of a page that says that it has both
    assert (
        look(
            browser,
            f"{style}<meta name='color-scheme' content='light dark'><p>pale</p>",
            400,
            "dark",
        ).faint
        == []
    )


def test_a_sheet_is_taken_out_and_what_stands_in_elements_stays() -> None:
    html = on_github(
        "<style>p { color: red }</style><p style='color: blue'>text</p><script>x</script>"
    )
    assert "red" not in html
    assert "<p style='color: blue'>text</p></div>" in html


def test_a_picture_shows_the_whole_page(browser: Browser, tmp_path: Path) -> None:
    with opened(
        browser, "<body style='margin: 0'><div style='height: 2000px; background: red'>"
    ) as view:
        view.save(tmp_path / "page.png", 400, "light")
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.size == (400, 2000)
        assert picture.convert("RGB").getpixel((200, 1990)) == (255, 0, 0)
