"""A user's browser: cookies, pages and forms over plain HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup, Tag

TIMEOUT = 30


class PageFailed(Exception):
    """A page was not what a user would expect."""


@dataclass(frozen=True)
class Page:
    """One answer."""

    response: requests.Response

    @property
    def url(self) -> str:
        return self.response.url

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def location(self) -> str:
        """Where the answer sends the browser. Raises PageFailed when it does not."""
        if not self.response.is_redirect:
            raise PageFailed(f"{self.where} answered {self.status}, not a redirect")
        return urljoin(self.url, self.response.headers["Location"])

    @property
    def where(self) -> str:
        """The address without its query, which may hold a code."""
        return f"{self.response.request.method} {self.url.partition('?')[0]}"

    @cached_property
    def soup(self) -> BeautifulSoup:
        return BeautifulSoup(self.response.text, "html.parser")

    @property
    def text(self) -> str:
        """What a user reads in the main part, in one line."""
        part = self.soup.find("main") or self.soup.find(id="content") or self.soup
        return " ".join(part.get_text(" ").split())

    @property
    def gist(self) -> str:
        """Its title, which names the error on Django's own pages, and how it begins."""
        title = self.soup.title.get_text() if self.soup.title else ""
        return f"{' '.join(title.split())}: {self.text[:200]}"

    def form(self, wanted: Callable[[Tag], object] = bool) -> Tag:
        """Return the first form in the main part that is wanted, or raise PageFailed."""
        part = self.soup.find("main") or self.soup.find(id="content") or self.soup
        for form in part.find_all("form"):
            if wanted(form):
                return form
        raise PageFailed(f"{self.where} has no such form: {self.gist}")


class Browser:
    """Follows redirects one by one, so that each can be looked at."""

    def __init__(self) -> None:
        self.http = requests.Session()
        self.http.trust_env = False

    def open(self, url: str, *, status: int = 200) -> Page:
        """Return the page, or raise PageFailed when it has another status."""
        page = Page(self.http.get(url, timeout=TIMEOUT, allow_redirects=False))
        if page.status != status:
            raise PageFailed(
                f"{page.where} answered {page.status}, not {status}: {page.gist}"
            )
        return page

    def submit(self, page: Page, form: Tag, **values: str) -> Page:
        """
        Send a form of the page as it stands, with the values given.

        Raises PageFailed when the answer is an error.
        """
        fields = {
            field["name"]: field.get("value", "")
            for field in form.find_all("input", attrs={"name": True})
            if field.get("type") not in {"checkbox", "radio", "submit"}
        }
        response = self.http.post(
            urljoin(page.url, form.get("action") or ""),
            data=fields | values,
            # What browsers add to a POST, and Django checks.
            headers={"Origin": "/".join(page.url.split("/")[:3])},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        answer = Page(response)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise PageFailed(f"{answer.where} answered {answer.status}: {answer.gist}")
        return answer

    def log_in(self, url: str, username: str, password: str) -> Page:
        """Fill in the log-in page at an address and return what comes of it."""
        page = self.open(url)
        form = page.form(lambda form: form.find("input", attrs={"type": "password"}))
        return self.submit(page, form, username=username, password=password)
