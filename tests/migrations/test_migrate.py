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


def test_no_keys_are_needed(project):
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
