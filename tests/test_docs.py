"""The documentation names what the code has, and nothing else."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from django.dispatch import Signal

from oauth_accounts import exceptions, signals
from oauth_accounts.conf import Settings


@pytest.fixture
def docs(project_root: Path) -> Path:
    return project_root / "docs"


def documented(page: Path, pattern: str) -> set[str]:
    return set(re.findall(pattern, page.read_text(), flags=re.MULTILINE))


def test_every_setting_is_documented(docs: Path) -> None:
    names = {name for name in vars(Settings) if name.startswith("OAUTH_ACCOUNTS_")}
    assert documented(docs / "settings.md", r"^`(OAUTH_ACCOUNTS_\w+)`$") == names


def test_every_signal_is_documented(docs: Path) -> None:
    names = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    section = documented(docs / "reference.md", r"^\| `([a-z_]+)` \|")
    assert section == names


def test_every_error_is_documented(docs: Path) -> None:
    names = {
        name
        for name, value in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(value, exceptions.OAuthAccountsError)
    }
    assert documented(docs / "reference.md", r"^\| `([A-Z]\w+)` \|") == names


def test_every_make_target_that_is_named_exists(project_root: Path) -> None:
    makefile = (project_root / "Makefile").read_text()
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in documented(project_root / name, r"^make ([a-z-]+)"):
            assert re.search(rf"^(.* )?{target}( .*)?:", makefile, re.MULTILINE), target


def test_decisions_are_numbered_without_gaps(docs: Path) -> None:
    pages = sorted(page.name for page in (docs / "decisions").glob("0*.md"))
    assert [int(name[:4]) for name in pages] == list(range(1, len(pages) + 1))
