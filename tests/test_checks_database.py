"""Checks that look into a database, and what happens before any check can run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections

from oauth_accounts import checks
from oauth_accounts.checks import hosts
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS
from oauth_accounts.testing.factories import ProviderFactory
from tests.rows import alter


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


class TestHosts:
    """W009: what is stored, by hand or before the list was made, is found."""

    def found(self):
        return checks.check_provider_hosts(databases=["default"])

    def test_d6_providers_elsewhere_are_named(self, db, settings):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = [".good.example"]
        Provider.objects.create(
            slug="strange",
            authorization_endpoint="https://good.example/authorize",
            token_endpoint="https://evil.example/token",
            revocation_endpoint="https://evil.example/revoke",
            jwks_uri="https://keys.example/",
            api_base_url="https://api.good.example/",
        )
        Provider.objects.create(slug="tidy", token_endpoint="https://good.example/")

        messages = self.found()

        assert [m.id for m in messages] == ["oauth_accounts.W009"] * 2
        assert "'strange'" in messages[0].msg
        for message, host in zip(messages, ("evil", "keys"), strict=True):
            assert f"'{host}.example'" in message.msg
        assert messages[0].hint
        assert checks.check_provider_hosts() == []

    def test_without_a_list_nothing_is_elsewhere(self, db, settings):
        Provider.objects.create(slug="a", token_endpoint="https://evil.example/")

        assert self.found() == []

    def test_those_of_the_settings_are_named_once(self, db, settings):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["good.example"]
        Provider.objects.create(
            slug="a", source="settings", token_endpoint="https://evil.example/"
        )

        assert self.found() == []

    def test_a_database_without_the_table(self, db, settings, monkeypatch):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["good.example"]
        monkeypatch.setattr(Provider._meta, "db_table", "not_migrated")

        assert self.found() == []

    def test_what_is_no_dict_is_another_checks_business(self, settings):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["good.example"]
        for providers in ([], {"a": 5}):
            settings.OAUTH_ACCOUNTS_PROVIDERS = providers
            assert checks.check_settings_hosts() == []


class TestPins:
    """W008: a provider that was altered by SQL."""

    def test_providers_as_they_were_written(self, db):
        ProviderFactory()

        assert checks.check_pins(databases=["default"]) == []
        assert checks.check_pins() == []

    def test_w008_an_altered_one(self, db, capsys):
        provider = ProviderFactory(slug="moved")
        alter(provider, token_endpoint="https://evil.example/token")

        [message] = checks.check_pins(databases=["default"])

        assert message.id == "oauth_accounts.W008"
        assert "'moved'" in message.msg
        assert "token_endpoint" in message.msg
        assert "evil" not in message.msg
        assert "rebind moved" in message.hint
        call_command("check", databases=["default"])
        assert "oauth_accounts.W008" in capsys.readouterr().err

    @pytest.mark.parametrize("keys", [["another-made-up-sealing-key-7f1e-52c0b9"], []])
    def test_keys_that_are_missing_are_another_checks_business(
        self, db, settings, keys
    ):
        ProviderFactory()
        settings.FERNET_KEYS = keys

        assert checks.check_pins(databases=["default"]) == []

    def test_a_database_without_the_table(self, db, monkeypatch):
        monkeypatch.setattr(Provider._meta, "db_table", "not_migrated")

        assert checks.check_pins(databases=["default"]) == []

    def test_a_table_of_an_earlier_version(self, db, monkeypatch):
        ProviderFactory()
        column = Provider._meta.get_field("pinned_addresses")
        monkeypatch.setattr(column, "column", "not_there_yet")

        assert checks.check_pins(databases=["default"]) == []


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


def test_w009_no_address_of_a_provider_is_forgotten():
    """Checks import no model, so the list stands there a second time."""
    assert {*hosts.ADDRESSES, "issuer"} == set(ENDPOINT_FIELDS)
