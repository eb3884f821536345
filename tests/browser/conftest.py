"""What the tests in a browser share: a page of headless Chromium that watches what it asks for."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass
class Watched:
    """A page, what it asked for, and what its console said."""

    page: Page
    requests: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, as installed on this machine; CI must have it."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None and not os.environ.get("CI"):
        pytest.skip("no Chromium here: install the package chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A new page."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    found = Watched(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on(
        "console",
        lambda message: found.errors.append(message.text) if message.type == "error" else None,
    )
    yield found
    page.close()
