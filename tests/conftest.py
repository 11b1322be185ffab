"""
Which tests run where, and the fixtures that more than one test module uses.

Every test that uses the database is marked `database` by itself and runs on each
TEST_DATABASE. A test that is marked sqlite, postgres or mariadb runs on that one only, and
one that is marked faces, about what a page shows, on SQLite.

Coverage is measured where it grows. Being watched doubles the time of a test, so what attacks
and repeats, and what other databases only confirm, is not watched (see `_is_measured`).
Whatever is left out is counted at the end of the run, with what would run it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest
from django.core.management.commands import flush
from django.db import connection
from django.test import TransactionTestCase

from oauth_accounts.checks.security import TALKATIVE
from oauth_accounts.models import Provider
from oauth_accounts.testing.server import FakeProvider
from tests import services
from tests.browser import chromium
from tests.configured import EXAMPLE
from tests.settings import TEST_DATABASE

ROOT = Path(__file__).resolve().parent.parent
VENDORS = {"sqlite", "postgres", "mariadb"}
NEEDED = {"redis", "rabbitmq", "browser"}
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}
# They try what the tests of the rooms have tried, many times over and from outside.
UNMEASURED = set("browser example faults fuzz leaks migrations security".split())
UNMEASURED |= {"test_docs_quickstart.py", "test_languages.py", "test_simulation.py"}
# Python 3.11 fails now and then to watch threads that start all at once, by the dozen.
UNMEASURED |= {"test_lookups.py"}
MADE_BY_MIGRATIONS = {"auth_permission", "django_content_type"}
LEFT_OUT = pytest.StashKey[Counter[str]]()

hypothesis.settings.register_profile("suite", deadline=None, database=None)
hypothesis.settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    # A job in the background is started with Ctrl-C ignored, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[LEFT_OUT] = Counter()
    sys.addaudithook(_refuse_the_network)
    _empty_tables_quickly(type(connection.ops))


def _empty_tables_quickly(operations: Any) -> None:
    """
    Remove a test's rows, and nothing that migrations made.

    Django would remove permissions and content types too, and make them anew after each
    test, which takes as long as the test. TRUNCATE, on PostgreSQL, makes new files.
    """
    flush.emit_post_migrate_signal = lambda *args, **kwargs: None
    statements_for = operations.sql_flush

    def sql_flush(
        self: Any,
        style: Any,
        tables: Any,
        *,
        reset_sequences: bool = False,
        **more: Any,
    ) -> list[str]:
        emptied = [table for table in tables if table not in MADE_BY_MIGRATIONS]
        if connection.vendor == "postgresql" and not reset_sequences:
            # Foreign keys are looked at when all of it is committed.
            return [f"DELETE FROM {self.quote_name(table)}" for table in emptied]  # noqa: S608
        statements: list[str] = statements_for(
            self, style, emptied, reset_sequences=reset_sequences, **more
        )
        return statements

    operations.sql_flush = sql_flush


def pytest_sessionstart() -> None:
    if services.REQUIRED and (absent := [*services.missing(), *_missing_browser()]):
        pytest.exit(f"Required, but missing: {', '.join(absent)}", returncode=3)


def _missing_browser() -> list[str]:
    # Its tests run on SQLite, as all that are about pages.
    return chromium.missing() if TEST_DATABASE == "sqlite" else []


def pytest_report_header() -> str:
    needed = "required" if services.REQUIRED else f"left out; {services.HINT}"
    return f"database: {TEST_DATABASE}; tests of redis, rabbitmq, browser: {needed}"


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    deselected = []
    for item in items[:]:
        if _uses_database(item):
            item.add_marker("database")
        if reason := _why_left_out(item):
            config.stash[LEFT_OUT][reason] += 1
            deselected.append(item)
            items.remove(item)
    if deselected:
        config.hook.pytest_deselected(items=deselected)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    measuring = coverage.Coverage.current()
    if measuring is None or _is_measured(item):
        return (yield)
    # Child processes are told to measure by the environment.
    told = {name: os.environ.pop(name) for name in [*os.environ] if "COVERAGE_" in name}
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()
        os.environ.update(told)


def _is_measured(item: pytest.Item) -> bool:
    if TEST_DATABASE != "sqlite":
        return item.get_closest_marker(TEST_DATABASE) is not None
    return not UNMEASURED & {_room(item), item.path.name}


def _haste(item: pytest.Item) -> int:
    if item.get_closest_marker("browser"):
        return 0
    return 1 if _room(item) in UNMEASURED else 2


def _room(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_begin_with_what_takes_longest(items: list[pytest.Item]) -> None:
    """Sort, after all has been shuffled, so that nobody is left alone with it in the end."""
    items.sort(key=_haste)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for reason, count in sorted(config.stash[LEFT_OUT].items()):
        terminalreporter.write_line(f"LEFT OUT {count} tests: {reason}")


def _uses_database(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    cls = getattr(item, "cls", None)
    return (
        item.get_closest_marker("django_db") is not None
        or bool(names & DATABASE_FIXTURES)
        or (cls is not None and issubclass(cls, TransactionTestCase))
    )


def _why_left_out(item: pytest.Item) -> str | None:
    marks = {mark.name for mark in item.iter_markers()}
    vendors = marks & VENDORS
    if vendors and TEST_DATABASE not in vendors:
        return f"about another database; set TEST_DATABASE={'|'.join(sorted(vendors))}"
    if "faces" in marks and TEST_DATABASE != "sqlite":
        return "about pages, the same on every database; set TEST_DATABASE=sqlite"
    if marks & NEEDED and not services.REQUIRED:
        return f"need {' and '.join(sorted(marks & NEEDED))}; {services.HINT}"
    return None


def _refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:
    # An audit hook sees every connect() of every library in this process, and a failed
    # test (unlike an OSError) cannot be taken for a provider that does not answer.
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0]).partition("%")[0]
        if host not in _known_hosts() and not _is_loopback(host):
            pytest.fail(f"A test tried to connect to {host}: loopback only.")


def _known_hosts() -> set[str]:
    return {service.host for service in services.ALL} | {"localhost"}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def levels_stay_as_they_are() -> Iterator[None]:
    """Fail the test that leaves a logger more talkative, not the next that notices."""
    before = _levels()
    yield
    assert _levels() == before


def _levels() -> dict[str, int]:
    root = logging.getLogger()
    loggers = [
        item for item in root.manager.loggerDict.values() if hasattr(item, "level")
    ]
    watched = [item for item in loggers if item.name.partition(".")[0] in TALKATIVE]
    return {item.name: item.level for item in [root, *watched] if item.level}


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout: setup.cfg, docs and example_project lie here."""
    return ROOT


@pytest.fixture
def redis_url() -> str:
    """A Redis database for this suite alone; mark the test `redis`."""
    return services.REDIS_URL


@pytest.fixture
def rabbitmq_url() -> str:
    """A RabbitMQ virtual host; mark the test `rabbitmq`."""
    return services.RABBITMQ_URL


@pytest.fixture
def child_environment(transactional_db: None) -> dict[str, str]:
    """Environment in which a child Python process uses this test's database."""
    return environment_of_children()


def environment_of_children() -> dict[str, str]:
    """Return the same for one that outlives a test; the test database exists."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        # In the same order, so that a tested wheel is not shadowed by the checkout.
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "TEST_DATABASE": TEST_DATABASE,
        "TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
    }


@pytest.fixture
def server() -> Iterator[FakeProvider]:
    """An authorization server on loopback; it rotates refresh tokens and sees replays."""
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def provider(transactional_db: None, server: FakeProvider) -> Provider:
    """The row for that server; committed, because threads and callbacks look at it."""
    return Provider.objects.create(slug="fake", **server.as_provider_fields())


@pytest.fixture
def configured(settings: Any) -> Callable[..., None]:
    """Settings with one provider, `configured(name=value)` changes it."""

    def configure(**values: Any) -> None:
        settings.OAUTH_ACCOUNTS_PROVIDERS = {"example-com": {**EXAMPLE, **values}}

    configure()
    return configure
