"""A real browser without network, to look at pages as they are opened from a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SOFTWARE_WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
OWN = ("file:", "data:", "blob:")
PATIENCE_MS = 120_000  # of machines that are busy with other tests


@contextmanager
def chromium() -> Iterator[Callable[..., Browser]]:
    """Give a function that starts the machine's Chromium with the flags it is given.

    scripts/test.sh installs Chromium where it is missing.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, f"none of {', '.join(PROGRAMS)} is installed"
    with sync_playwright() as playwright:

        def launch(*flags: str) -> Browser:
            return playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", *flags], timeout=PATIENCE_MS
            )

        yield launch


@dataclass
class Visit:
    """An open page, and what went wrong on it: errors of scripts, requests to somewhere else."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def broken_pictures(self) -> list[str]:
        """Pictures that cannot be loaded."""
        found: list[str] = self.page.evaluate(
            """async () => {
              const broken = [];
              for (const image of document.images) {
                image.loading = "eager";
                await image.decode().catch(() => broken.push(image.src));
              }
              return broken;
            }"""
        )
        return found


def visit(browser: Browser, path: Path, width: int = 1280) -> Visit:
    """Open a file without network, and note what goes wrong from then on."""
    page = browser.new_context(viewport={"width": width, "height": 900}, offline=True).new_page()
    page.set_default_timeout(PATIENCE_MS)
    opened = Visit(page)
    page.on("pageerror", lambda error: opened.wrong.append(str(error)))
    page.on("console", lambda m: opened.wrong.append(m.text) if m.type == "error" else None)
    page.on("requestfailed", lambda request: opened.wrong.append(request.url))
    page.on("request", lambda r: None if r.url.startswith(OWN) else opened.wrong.append(r.url))
    page.goto(path.as_uri())
    return opened
