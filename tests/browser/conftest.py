from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.browser import chromium, sites

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 360, "height": 740}
# Milliseconds for whatever a page is asked to do, on a machine that is busy.
TIMEOUT = 20_000


@dataclass
class Tab:
    """A tab of a browser, and what went wrong in it."""

    page: Any
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        # The page itself may answer with an error; its tests know about it.
        # Once in each context the browser asks for an icon, which Django's admin has none of.
        url = message.location.get("url", "")
        if message.type in {"error", "warning"} and not (
            url == self.page.url or url.endswith("/favicon.ico")
        ):
            self.wrong.append(f"console: {message.text} {url}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:")):
            self.wrong.append(f"asks {request.url}")


# Package: in the end the thread has no event loop, and Django works in it again.
@pytest.fixture(scope="package")
def browser():
    if problems := chromium.missing():
        pytest.fail(f"Required, but missing: {', '.join(problems)}")
    with chromium.running() as running:
        yield running


@pytest.fixture(scope="package")
def example(tmp_path_factory):
    with sites.serving(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="package")
def tabs(browser, example):
    """Return a tab for somebody who is logged in, the same one each time."""
    opened, states = {}, {sites.NOBODY: None}

    def tab(who, *, scheme="light", scripts=True, language="en"):
        if who not in states:
            context = browser.new_context()
            sites.log_in(context.new_page(), example, who)
            states[who] = context.storage_state()
            context.close()
        if (who, scheme, scripts, language) not in opened:
            context = browser.new_context(
                storage_state=states[who],
                color_scheme=scheme,
                java_script_enabled=scripts,
                locale=language,
                reduced_motion="reduce",
                viewport=WIDE,
            )
            context.set_default_timeout(TIMEOUT)
            opened[who, scheme, scripts, language] = Tab(context.new_page())
        found = opened[who, scheme, scripts, language]
        found.wrong.clear()
        return found

    return tab
