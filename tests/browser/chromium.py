"""Finds the browser that is installed here; none is ever downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

VARIABLE = "TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",  # as root, where CI runs
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Should a page ask for a host of the internet, it is not found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def path() -> str | None:
    """Return the browser's path, None when there is none."""
    named = os.environ.get(VARIABLE)
    found = (shutil.which(name) for name in ([named] if named else NAMES))
    return next(filter(None, found), None)


def missing() -> list[str]:
    """Return what keeps a browser from being driven, as text for people."""
    problems = []
    if sync_playwright is None:
        problems.append("Playwright (make .venv/.installed-services)")
    if path() is None:
        problems.append(f"Chromium ({VARIABLE}, or {', '.join(NAMES)} in PATH)")
    return problems


@contextmanager
def running() -> Iterator[Any]:
    """
    Start the browser, and end it.

    Meanwhile this thread counts as one with a running event loop: Django refuses to use
    its database here.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path(), args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()
