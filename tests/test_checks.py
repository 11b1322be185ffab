from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections

from oauth_accounts import checks
from oauth_accounts.models import ConnectedAccount
from tests.test_keyring import MALFORMED, NEW, OLD

PRODUCTION = {
    "DEBUG": False,
    "FERNET_KEYS": [NEW, OLD],
    "OAUTH_ACCOUNTS_BASE_URL": "https://www.example.com",
    # What `check --deploy` asks of any site.
    "SECRET_KEY": "Zq3v-9xkTfWm2LrYd7Bs8Ne4Hc6Jp1Ga5Uo0_iXyKlMnRtVwAz",
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 3600,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
}


def set_all(settings, values):
    for name, value in values.items():
        setattr(settings, name, value)


def own(messages):
    return [m for m in messages if (m.id or "").startswith("oauth_accounts.")]


def ids(messages) -> list[str]:
    """Return the ids of this app's messages, each once."""
    return sorted({m.id.removeprefix("oauth_accounts.") for m in own(messages)})


@pytest.fixture
def production(settings, monkeypatch):
    set_all(settings, PRODUCTION)
    for name in checks.FORBIDDEN_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return settings


TRIGGERS = {
    "E001 keys unset": ({"FERNET_KEYS": None}, ["E001"]),
    "E003 transport": ({}, ["E003"], "OAUTHLIB_INSECURE_TRANSPORT"),
    "E003 scope": ({}, ["E003"], "OAUTHLIB_RELAX_TOKEN_SCOPE"),
    "E004 plain http": (
        {"OAUTH_ACCOUNTS_BASE_URL": "http://www.example.com"},
        ["E004"],
    ),
    "E004 no scheme": ({"OAUTH_ACCOUNTS_BASE_URL": "www.example.com"}, ["E004"]),
    "E004 no host": ({"OAUTH_ACCOUNTS_BASE_URL": "https://"}, ["E004"]),
    "E004 user": ({"OAUTH_ACCOUNTS_BASE_URL": "https://me@example.com"}, ["E004"]),
    "E004 query": ({"OAUTH_ACCOUNTS_BASE_URL": "https://a.example/?x=1"}, ["E004"]),
    "E004 fragment": ({"OAUTH_ACCOUNTS_BASE_URL": "https://a.example/#x"}, ["E004"]),
    "E004 port": ({"OAUTH_ACCOUNTS_BASE_URL": "https://a.example:x"}, ["E004"]),
    "E004 bracket": ({"OAUTH_ACCOUNTS_BASE_URL": "https://[a"}, ["E004"]),
    "E004 empty": ({"OAUTH_ACCOUNTS_BASE_URL": ""}, ["E004"]),
    "E005 margin": ({"OAUTH_ACCOUNTS_REFRESH_MARGIN": -1}, ["E005"]),
    "E005 margin is no number": ({"OAUTH_ACCOUNTS_REFRESH_MARGIN": "soon"}, ["E005"]),
    "E005 margin is endless": (
        {"OAUTH_ACCOUNTS_REFRESH_MARGIN": float("inf")},
        ["E005"],
    ),
    "E005 attempt": ({"OAUTH_ACCOUNTS_ATTEMPT_TTL": 601}, ["E005"]),
    "E005 timeout": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": 0}, ["E005"]),
    "E005 timeout and lease": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": 31}, ["E005"]),
    "E005 nan": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": float("nan")}, ["E005"]),
    "E005 none": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": None}, ["E005"]),
    "E006 no app": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "shop.Shop"}, ["E006"]),
    "E006 no model": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "auth.Shop"}, ["E006"]),
    "E006 no label": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "Shop"}, ["E006"]),
    "E007 unset": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "auth.Group"}, ["E007"]),
    "E007 no callable": ({"OAUTH_ACCOUNTS_GET_OWNER": 7}, ["E007"]),
    "E007 no such path": (
        {"OAUTH_ACCOUNTS_GET_OWNER": "tests.nowhere.owner"},
        ["E007"],
    ),
    "E007 no path": ({"OAUTH_ACCOUNTS_GET_OWNER": "owner"}, ["E007"]),
    "E008 pickle": ({"CELERY_ACCEPT_CONTENT": ["json", "pickle"]}, ["E008"]),
    "E008 pickle of results": ({"CELERY_RESULT_ACCEPT_CONTENT": ["pickle"]}, ["E008"]),
    "E008 its type": (
        {"CELERY_ACCEPT_CONTENT": ["application/x-python-serialize"]},
        ["E008"],
    ),
    "W003 no base URL": ({"OAUTH_ACCOUNTS_BASE_URL": None}, ["W003"]),
}
NO_HINT = {"E005", "E007"}


class TestTriggers:
    @pytest.mark.parametrize("case", TRIGGERS)
    def test_each_is_reported(self, case, production, monkeypatch):
        values, expected, *environment = TRIGGERS[case]
        set_all(production, values)
        for name in environment:
            monkeypatch.setenv(name, "1")

        messages = run_checks()

        assert ids(messages) == expected
        for message in own(messages):
            assert message.hint or expected[0] in NO_HINT

    @pytest.mark.parametrize("keys", MALFORMED)
    def test_each_malformed_key_is_reported(self, keys, production):
        value, problem = MALFORMED[keys]
        production.SECRET_KEY = "signing-key-made-up-for-this-test-5a81c0de77"
        production.FERNET_KEYS = value

        messages = run_checks()

        assert ids(messages) == ["E002"]
        assert problem in own(messages)[0].msg
        assert "token_urlsafe" in own(messages)[0].hint

    def test_w002_keys_used_as_they_are(self, production):
        production.FERNET_USE_HKDF = False
        production.FERNET_KEYS = ["a" * 16 + "bcdefgh-_x0123456789012345w="]

        assert ids(run_checks()) == ["W002"]

    def test_both_variables_are_named(self, production, monkeypatch):
        for name in checks.FORBIDDEN_ENVIRONMENT:
            monkeypatch.setenv(name, "1")

        assert [m.msg.split()[3] for m in checks.check_environment()] == list(
            checks.FORBIDDEN_ENVIRONMENT
        )

    def test_every_id_has_a_trigger(self):
        source = Path(checks.__file__).read_text(encoding="utf-8")
        tested = {case[:4] for case in TRIGGERS}
        tested |= {"E002", "E009", "E010", "E011", "W001", "W002"}

        assert set(re.findall(r'id="oauth_accounts\.(\w+)"', source)) == tested


class TestClean:
    def test_a_good_configuration_says_nothing(self, production):
        assert ids(run_checks(include_deployment_checks=True)) == []

    @pytest.mark.parametrize(
        "url", ["https://a.example", "https://a.example/", "https://a.example:8443"]
    )
    def test_base_urls(self, production, url):
        production.OAUTH_ACCOUNTS_BASE_URL = url

        assert ids(run_checks()) == []

    @pytest.mark.parametrize("value", [None, (), ["json"]])
    def test_celerys_content(self, production, value):
        production.CELERY_ACCEPT_CONTENT = value

        assert ids(run_checks()) == []

    def test_debug_allows_what_production_does_not(self, production, monkeypatch):
        production.DEBUG = True
        production.FERNET_KEYS = None
        production.OAUTH_ACCOUNTS_BASE_URL = "http://localhost:8000"
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")

        messages = run_checks()

        assert ids(messages) == ["W001"]
        assert "token_urlsafe" in own(messages)[0].hint
        production.OAUTH_ACCOUNTS_BASE_URL = None
        assert ids(run_checks()) == ["W001"]


class TestRegistered:
    """Through the command that people run."""

    def test_check_deploy_is_clean_on_a_good_configuration(self, production, capsys):
        call_command("check", "oauth_accounts", deploy=True, fail_level="WARNING")

        assert "no issues" in capsys.readouterr().out

    def test_check_fails_on_a_bad_one(self, production):
        production.FERNET_KEYS = "one long string that is not a list of keys at all"

        with pytest.raises(SystemCheckError, match=r"oauth_accounts\.E002"):
            call_command("check")

    def test_the_key_is_not_in_what_check_prints(self, production):
        production.FERNET_KEYS = secret = "one-long-string-that-is-no-list-of-keys-7d8f"

        with pytest.raises(SystemCheckError) as caught:
            call_command("check")

        assert secret not in str(caught.value)


class TestOwnerTable:
    """E009: the setting was changed after migrating, found in the database itself."""

    def test_the_right_owner(self, db):
        assert checks.check_owner_table(databases=["default"]) == []
        assert checks.check_owner_table() == []

    def test_another_owner(self, db, settings):
        settings.OAUTH_ACCOUNTS_OWNER_MODEL = "auth.Group"

        [message] = checks.check_owner_table(databases=["default"])

        assert message.id == "oauth_accounts.E009"
        assert "'auth_user'" in message.msg
        assert message.hint

    def test_the_command_finds_it(self, db, settings):
        settings.OAUTH_ACCOUNTS_OWNER_MODEL = "auth.Group"
        settings.OAUTH_ACCOUNTS_GET_OWNER = "tests.test_conf.owner_of"

        with pytest.raises(SystemCheckError, match=r"oauth_accounts\.E009"):
            call_command("check", databases=["default"])

    def test_a_database_without_the_table(self, db, monkeypatch):
        monkeypatch.setattr(ConnectedAccount._meta, "db_table", "not_migrated")

        assert checks.check_owner_table(databases=["default"]) == []

    def test_a_table_without_a_foreign_key_says_nothing(self, db, monkeypatch):
        monkeypatch.setattr(connection.introspection, "get_relations", lambda *a: {})

        assert checks.check_owner_table(databases=["default"]) == []

    def test_a_model_that_does_not_exist_is_another_checks_business(self, db, settings):
        settings.OAUTH_ACCOUNTS_OWNER_MODEL = "shop.Shop"

        with pytest.raises(SystemCheckError, match=r"oauth_accounts\.E006"):
            call_command("check", databases=["default"])


class TestTimeZone:
    def test_times_in_utc(self, db):
        assert checks.check_time_zone(databases=["default"]) == []

    def test_e010_local_times(self, settings):
        settings.USE_TZ = False

        assert [m.id for m in checks.check_time_zone()] == ["oauth_accounts.E010"]

    def test_e011_a_database_in_another_zone(self, monkeypatch):
        behind_the_proxy = connections["default"]
        monkeypatch.setattr(behind_the_proxy, "timezone_name", "Asia/Karachi")

        found = [m.id for m in checks.check_time_zone(databases=["default"])]

        aware = connection.features.supports_timezones
        assert found == ([] if aware else ["oauth_accounts.E011"])

    def test_the_command_reports_it(self, db, settings):
        settings.USE_TZ = False

        with pytest.raises(SystemCheckError, match=r"oauth_accounts\.E010"):
            call_command("check", databases=["default"])


def test_a_mistyped_owner_is_named_by_migrate_too(child_environment):
    """The model is missing while the models are loaded, long before any check."""
    program = "from tests.settings import *\nOAUTH_ACCOUNTS_OWNER_MODEL = 'shop.Shop'\n"
    result = subprocess.run(
        [sys.executable, "-c", RUN_CHECK],
        env={**child_environment, "TYPO": program},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert result.returncode == 1
    assert "oauth_accounts.E006" in result.stderr
    assert "Traceback" not in result.stderr


RUN_CHECK = """
import os, sys, types
module = types.ModuleType("typo")
exec(os.environ["TYPO"], module.__dict__)
sys.modules["typo"] = module
os.environ["DJANGO_SETTINGS_MODULE"] = "typo"
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "migrate", "--plan"])
"""
