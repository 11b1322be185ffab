"""What the steps of the demo share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from example_project.demo import database
from example_project.demo.browser import Browser, Page
from example_project.demo.report import Progress
from example_project.stack import Stack


class StepFailed(Exception):
    """Something that had to hold does not."""


def require(condition: object, message: str) -> None:
    """Raise StepFailed with the message unless the condition holds."""
    if not condition:
        raise StepFailed(message)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class Visit:
    """One run of the demo."""

    stack: Stack
    """Where everything is."""

    user: Browser = field(default_factory=Browser)
    """Of the user at both sites."""

    admin: Browser = field(default_factory=Browser)
    """Of the administrator, with cookies of its own."""

    page: Page | None = None
    """Where the last step ended."""

    first_expiry: datetime | None = None
    """When the token of the connecting expires."""

    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    """The newest ones, by column."""

    every_token: set[str] = field(default_factory=set, repr=False)
    """All that were looked at, for the search."""

    def note_tokens(self, account: Any) -> None:
        """Decrypt the tokens of the account, as only code with the key can."""
        for name in database.SEALED_COLUMNS:
            self.tokens[name] = account.reveal(name).get_value()
        self.every_token |= set(self.tokens.values())

    def call_api(self) -> requests.Response:
        """Ask the API with the newest token that was noted, past oauth_accounts."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(
                f"{self.stack.provider}/api/notes/",
                headers={"Authorization": f"Bearer {self.tokens['access_token']}"},
                timeout=30,
            )

    def log_lines(self, name: str, *words: str) -> int:
        """Count the lines in the log of a process that have all of these words."""
        lines = self.stack.log(name).read_text(errors="replace").splitlines()
        return sum(all(word in line for word in words) for line in lines)


Step = Callable[[Visit, Progress], str]
"""Does one thing and returns the evidence; raises when it does not hold."""
