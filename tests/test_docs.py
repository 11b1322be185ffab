"""The documentation names what the code has, and nothing else."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from django.dispatch import Signal

from oauth_accounts import (
    callback,
    exceptions,
    outages,
    pages,
    reasons,
    signals,
    tasks,
    urls,
)
from oauth_accounts.beat import BEAT_SCHEDULE
from oauth_accounts.conf import Settings
from oauth_accounts.management.arguments import django_options
from oauth_accounts.management.commands.oauth_accounts import Command
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.models.sync import NOT_CONFIGURABLE, sync_providers
from oauth_accounts.protocol import answers, dialects
from oauth_accounts.testing import fixtures
from tests import markdown

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "oauth_accounts"
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*_project/*.md")]
)
PYTHON = [
    pytest.param(block, id=f"{block.page}-{number}")
    for page in PAGES
    if "_build" not in page.parts
    for number, block in enumerate(markdown.blocks(page))
    if block.language == "python"
]


@pytest.fixture
def docs(project_root: Path) -> Path:
    return project_root / "docs"


def documented(page: Path, pattern: str) -> set[str]:
    return set(re.findall(pattern, page.read_text(), flags=re.MULTILINE))


def in_source(pattern: str) -> set[str]:
    texts = (path.read_text() for path in PACKAGE.rglob("*.py"))
    return {found for text in texts for found in re.findall(pattern, text)}


class TestSettings:
    def test_every_setting_is_documented(self, docs: Path) -> None:
        names = {name for name in vars(Settings) if name.startswith("OAUTH_ACCOUNTS_")}
        page = documented(docs / "settings.md", r"^`(OAUTH_ACCOUNTS_\w+)`$")
        assert page == names

    def test_every_setting_that_the_code_names_is_documented(self, docs: Path) -> None:
        named = in_source(r"\"((?:OAUTH_ACCOUNTS|FERNET)_[A-Z_]+)\"")
        assert named <= documented(docs / "settings.md", r"^`([A-Z_]+)`$")

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_no_page_names_a_setting_that_does_not_exist(self, page: Path) -> None:
        named = documented(page, r"\b(OAUTH_ACCOUNTS_[A-Z_]*[A-Z])\b")
        known = {name for name in vars(Settings) if name.startswith("OAUTH_ACCOUNTS_")}
        assert named <= known | {"OAUTH_ACCOUNTS_TEST_SERVICES"}

    def test_every_check_is_documented(self, docs: Path) -> None:
        ids = in_source(r"id=\"(oauth_accounts\.[EW]\d{3})\"")
        assert set(markdown.first_column((docs / "checks.md").read_text())) == ids


class TestReference:
    def test_every_signal_is_documented(self, docs: Path) -> None:
        names = {name for name, value in vars(signals).items() if type(value) is Signal}
        section = markdown.section(docs / "reference.md", "Signals")
        assert set(markdown.first_column(section)) == names

    def test_every_error_is_documented(self, docs: Path) -> None:
        names = {
            name
            for name, value in inspect.getmembers(exceptions, inspect.isclass)
            if issubclass(value, exceptions.OAuthAccountsError)
        }
        assert documented(docs / "reference.md", r"^\| `([A-Z]\w+)` \|") == names

    def test_every_state_is_documented_with_its_reasons(self, docs: Path) -> None:
        section = markdown.section(docs / "reference.md", "States")
        rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)? ?\|", section, re.MULTILINE)
        assert {status for status, _ in rows} == set(ConnectedAccount.Status.values)
        assert {reason for _, reason in rows if reason} == set(reasons.ACCOUNT)

    def test_every_code_of_an_error_is_documented(self, docs: Path) -> None:
        section = markdown.section(docs / "reference.md", "Errors")
        known = set(re.findall(r"`([a-z_]+)`", section))
        assert codes() - known == set()

    def test_every_code_that_is_described_to_people_is_documented(
        self, docs: Path
    ) -> None:
        page = documented(docs / "reference.md", r"`([a-z_]+)`")
        described = {*reasons.TOKEN, *reasons.AUTHORIZATION, *pages.STATUS_BY_CODE}
        assert described - page == set()


class TestFailures:
    def test_every_word_of_a_provider_is_documented(self, docs: Path) -> None:
        text = markdown.section(docs / "failures.md", "A provider's own words")
        words = {word.lower() for word in re.findall(r"`(\w+)[:`]", text)}
        own = {value for said in dialects.OTHER_MEMBERS.values() for value in said}
        assert {*dialects.CODES, *own} - words == set()
        for code, sentence in dialects.SENTENCES:
            assert f"`{code}`" in text
            assert sentence in text.lower()

    def test_every_reason_of_a_pause_is_documented(self, docs: Path) -> None:
        text = markdown.section(docs / "failures.md", "The circuit breaker")
        described = {*outages.CLIENT_REFUSED, "rate_limited", "unavailable"}
        assert {code for code in described if f"`{code}`" not in text} == set()
        assert described - {*reasons.ACCOUNT, *reasons.TOKEN} == set()


def codes() -> set[str]:
    """Return every code that the package raises an error with."""
    classes = {
        name: value
        for module in (exceptions, pages)
        for name, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, exceptions.OAuthAccountsError)
    }
    raised = {
        node.args[0].value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in classes
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    by_default = {value.code for value in classes.values()}
    answered = {*answers._DECISIVE, *answers._TEMPORARY, "rate_limited"}
    return raised | by_default | answered | callback.DENIALS


class TestCommands:
    @pytest.fixture
    def commands(self) -> dict[str, argparse.ArgumentParser]:
        parser = Command().create_parser("manage.py", "oauth_accounts")
        (actions,) = (
            action
            for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
        )
        return dict(actions.choices)

    def test_every_command_is_documented(
        self, docs: Path, commands: dict[str, argparse.ArgumentParser]
    ) -> None:
        assert documented(docs / "commands.md", r"^## (.+)$") == set(commands)

    def test_every_option_is_documented(
        self, docs: Path, commands: dict[str, argparse.ArgumentParser]
    ) -> None:
        common = set(django_options()._option_string_actions) | {"-h", "--help"}
        for name, parser in commands.items():
            options = {o for action in parser._actions for o in action.option_strings}
            section = markdown.section(docs / "commands.md", name)
            assert set(markdown.first_column(section)) == options - common


class TestProviders:
    def test_every_field_is_documented(self, docs: Path) -> None:
        names = {field.name for field in Provider._meta.concrete_fields}
        section = markdown.section(docs / "providers.md", "Fields")
        without_effect = section.partition("no effect yet:")[2].partition(".\n")[0]
        table = set(markdown.first_column(section))
        reserved = set(re.findall(r"`(\w+)`", without_effect))
        assert table.isdisjoint(reserved)
        assert table | reserved == names - NOT_CONFIGURABLE

    @pytest.mark.django_db
    @pytest.mark.parametrize("page", ["README.md", "docs/providers.md"])
    def test_examples_can_be_synced(
        self, page: str, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("TRACKER", "GITHUB"):
            monkeypatch.setenv(f"{name}_CLIENT_ID", "an-id")
            monkeypatch.setenv(f"{name}_CLIENT_SECRET", "a-secret")
        (example,) = (
            block.text
            for block in markdown.blocks(ROOT / page)
            if "OAUTH_ACCOUNTS_PROVIDERS = " in block.text and "environ" in block.text
        )
        names: dict[str, Any] = {}
        exec(f"import os\n{example}", names)  # noqa: S102  # a page of this project
        settings.OAUTH_ACCOUNTS_PROVIDERS = names["OAUTH_ACCOUNTS_PROVIDERS"]
        (change,) = sync_providers(dry_run=True)
        assert change.action == "created"


class TestPages:
    def test_every_task_is_documented(self, docs: Path) -> None:
        names = {
            f"{tasks.__name__}.{name}" for name in tasks.__all__ if name.islower()
        } - {f"{tasks.__name__}.enqueue"}
        assert {entry["task"] for entry in BEAT_SCHEDULE.values()} < names
        section = markdown.section(docs / "background.md", "Celery")
        assert set(markdown.first_column(section)) == names

    def test_every_template_and_url_is_documented(self, docs: Path) -> None:
        folder = PACKAGE / "templates" / "oauth_accounts"
        names = {f"oauth_accounts/{path.name}" for path in folder.glob("*.html")}
        section = markdown.section(docs / "templates.md", "Templates")
        assert set(markdown.first_column(section)) == names
        text = (docs / "templates.md").read_text()
        for pattern in urls.urlpatterns:
            assert re.search(rf"`(oauth_accounts:)?{pattern.name}`", text)

    def test_every_fixture_and_permission_is_documented(self, docs: Path) -> None:
        section = markdown.section(docs / "testing.md", "With pytest")
        assert set(markdown.first_column(section)) == set(fixtures.__all__)
        for codename, _name in ConnectedAccount._meta.permissions:
            assert f"`oauth_accounts.{codename}`" in (docs / "admin.md").read_text()

    def test_every_make_target_that_is_named_exists(self, project_root: Path) -> None:
        makefile = (project_root / "Makefile").read_text()
        for name in ("README.md", "CONTRIBUTING.md"):
            for target in documented(project_root / name, r"^make ([a-z-]+)"):
                assert re.search(rf"^(.* )?{target}( .*)?:", makefile, re.MULTILINE), (
                    target
                )

    def test_decisions_are_numbered_without_gaps(self, docs: Path) -> None:
        numbers = [int(p.name[:4]) for p in sorted(docs.glob("decisions/0*.md"))]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("block", PYTHON)
class TestPythonBlocks:
    def test_compiles(self, block: markdown.Block) -> None:
        # Examples may await, as a notebook may.
        flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compile(block.text, block.page, "exec", flags)

    def test_imports_what_there_is(self, block: markdown.Block) -> None:
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                if not node.module.startswith("oauth_accounts"):
                    continue
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), alias.name
