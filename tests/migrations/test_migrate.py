"""
Forwards, backwards and forwards again, for each kind of owner.

Marked `database` by hand: the tests use no fixture of pytest-django, and each run of the
suite takes them to its own engine.
"""

from __future__ import annotations

import pytest

from tests.settings import TEST_DATABASE

pytestmark = pytest.mark.database

OWNERS = ["tests.settings", "tests.settings_custom_user", "tests.settings_organisation"]
# The third differs from the second by what Python does with it.
KINDS = [*OWNERS[:2], pytest.param(OWNERS[2], marks=pytest.mark.faces)]
TABLES = {
    f"oauth_accounts_{name}"
    for name in (
        "accountevent",
        "authorizationattempt",
        "bulkaction",
        "bulkitem",
        "connectedaccount",
        "health",
        "notice",
        "pendingrevocation",
        "provider",
        "refreshstatistic",
        "unreadanswer",
    )
}

LIFE = """
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import RequestFactory

from oauth_accounts.conf import conf
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from oauth_accounts.testing.factories import ConnectedAccountFactory

NEW = {
    "auth.User": {"username": "ada"},
    "people.Person": {"email": "ada@example.com"},
    "organisations.Organisation": {"name": "Analytical Engines"},
}
model = apps.get_model(conf.OAUTH_ACCOUNTS_OWNER_MODEL)
owner = model.objects.create(**NEW[model._meta.label])
request = RequestFactory().get("/")
request.session, request.user = {"organisation": str(owner.pk)}, owner
assert conf.OAUTH_ACCOUNTS_GET_OWNER(request) == owner

account = ConnectedAccountFactory(owner=owner, access_token="plain-access")
kept = ConnectedAccountFactory(provider=account.provider)
assert owner.connected_accounts.get() == account
read = ConnectedAccount.objects.select_related("owner").get(owner=owner)
assert read.owner == owner and read.owner_is_active()
assert read.get_access_token() == "plain-access"

owner.delete()
assert ConnectedAccount.objects.get() == kept
assert PendingRevocation.objects.get().account_key == account.pk
print("lived on", connection.vendor)
"""


BEFORE_THE_BREAKER = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

state = MigrationExecutor(connection).loader.project_state(("oauth_accounts", "0001_initial"))
Provider = state.apps.get_model("oauth_accounts", "Provider")
Provider.objects.create(slug="early", name="Early", client_id="x", pause_reason="")
print("written")
"""
AFTER_IT = """
from oauth_accounts.models import Provider

early = Provider.objects.get()
assert (early.pause_count, early.probe_until, early.refresh_slots_at) == (0, None, None)
assert early.pause(60, "rate_limited") and early.is_paused()
print("paused")
"""
BEFORE_THE_PINS = """
import uuid
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

state = MigrationExecutor(connection).loader.project_state(
    ("oauth_accounts", "0002_breaker_pace_unread")
)
Provider = state.apps.get_model("oauth_accounts", "Provider")
Account = state.apps.get_model("oauth_accounts", "ConnectedAccount")
early = Provider.objects.create(
    slug="early", name="Early", client_id="x", issuer="https://early.example",
    token_endpoint="https://early.example/token", token_endpoint_auth_method="none",
)
for number, url in enumerate(("https://tenant.example/", "")):
    Account.objects.create(
        provider=early, uid=number, identity_key=number, api_base_url=url
    )
print("written")
"""
WITH_PINS = """
from oauth_accounts.models import ConnectedAccount, Provider

early = Provider.objects.get()
assert early.pinned_values()["token_endpoint"] == "https://early.example/token"
assert early.oauth_client()
for account in ConnectedAccount.objects.all():
    account.require_pinned()
    assert bool(account.pinned_api_base_url) == bool(account.api_base_url)
early.api_base_url = "https://api.early.example/"
early.save()
Provider.objects.get().require_pinned()
print("pinned")
"""


@pytest.fixture(params=KINDS)
def owned(request, project):
    """The project under each kind of owner."""
    return project.under(request.param)


def test_forwards_backwards_and_forwards_again_with_rows(owned):
    owned.django("migrate")
    assert owned.tables() == TABLES
    assert "lived" in owned.python(LIFE)

    owned.django("migrate", "oauth_accounts", "zero")
    assert owned.tables() == set()

    owned.django("migrate")
    assert owned.tables() == TABLES
    assert "lived" in owned.python(LIFE)


def test_providers_of_before_the_breaker_have_one(project):
    project.django("migrate", "oauth_accounts", "0001")
    assert "written" in project.python(BEFORE_THE_BREAKER)

    project.django("migrate", "oauth_accounts")

    assert "paused" in project.python(AFTER_IT)


def test_rows_of_before_the_pins_are_pinned_as_they_are(project):
    project.django("migrate", "oauth_accounts", "0002")
    assert "written" in project.python(BEFORE_THE_PINS)

    project.django("migrate", "oauth_accounts")
    assert "pinned" in project.python(WITH_PINS)

    project.django("migrate", "oauth_accounts", "0002")
    project.django("migrate", "oauth_accounts")
    assert "pinned" in project.python(WITH_PINS)


def test_pinning_needs_the_keys_and_changes_nothing_without(project):
    project.django("migrate", "oauth_accounts", "0002")
    project.python(BEFORE_THE_PINS)
    keyless = project.under("tests.settings_without_keys")

    result = keyless.try_django("migrate", "--skip-checks", "oauth_accounts")

    assert result.returncode == 1
    assert "FERNET_KEYS is not set" in result.stderr
    project.django("migrate", "oauth_accounts")
    assert "pinned" in project.python(WITH_PINS)


def test_without_rows_no_keys_are_needed(project):
    keyless = project.under("tests.settings_without_keys")

    keyless.django("migrate", "--skip-checks", "oauth_accounts")

    assert "oauth_accounts_provider" in project.tables()


@pytest.mark.faces
def test_migrating_this_app_alone_brings_the_owner_along(owned):
    owned.django("migrate", "oauth_accounts")
    assert owned.tables() == TABLES

    owned.django("migrate")
    assert "lived" in owned.python(LIFE)


def test_the_models_are_what_the_migrations_make(owned):
    said = owned.django("makemigrations", "--check", "--dry-run")

    assert "No changes detected" in said


def test_an_owner_of_a_second_migration_has_to_come_first(project):
    """With its run_before taken away, this app's migration does not find the owner."""
    result = project.under("tests.organisations.unordered.settings").try_django(
        "migrate", "oauth_accounts"
    )

    assert result.returncode == 1
    assert "organisations.organisation" in result.stderr


@pytest.mark.faces
def test_an_owner_that_is_changed_after_migrating_is_refused(project):
    project.django("migrate")
    project.django("check", "--database", "default")

    result = project.under("tests.settings_organisation").try_django(
        "check", "--database", "default"
    )

    assert result.returncode == 1
    assert "oauth_accounts.E009" in result.stderr
    assert "auth_user" in result.stderr


def test_the_engine_is_the_one_under_test(project):
    vendor = project.python(
        "from django.db import connection; print(connection.vendor)"
    )
    names = {"sqlite": "sqlite", "postgresql": "postgres", "mysql": "mariadb"}

    assert names[vendor.strip()] == TEST_DATABASE
