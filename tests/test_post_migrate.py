"""`migrate` writes the providers of the settings."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models.signals import post_migrate

from oauth_accounts.models import Provider
from oauth_accounts.models.sync import sync_providers
from tests.rows import again

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(configured):
    sync_providers()
    return Provider.objects.get()


def migrated(state=apps, app="oauth_accounts"):
    """Send post_migrate as `migrate` does."""
    config = apps.get_app_config(app)
    post_migrate.send(
        sender=config, app_config=config, using="default", apps=state, verbosity=0
    )


class TestPostMigrate:
    def test_migrate_writes_the_rows(self, configured):
        call_command("migrate", verbosity=0)

        assert Provider.objects.get().slug == "example-com"

    def test_nothing_is_done_for_other_apps(self, configured):
        migrated(app="auth")

        assert not Provider.objects.exists()

    def test_migrate_disables_what_is_gone_though_nothing_is_left(
        self, provider, settings
    ):
        del settings.OAUTH_ACCOUNTS_PROVIDERS

        migrated()

        assert not again(provider).enabled

    def test_nothing_is_done_where_the_table_is_not_there(self, configured):
        migrated(state=ProjectState().apps)

        assert not Provider.objects.exists()

    def test_nothing_is_done_while_the_table_is_an_older_one(self, configured):
        older = MigrationLoader(connection).project_state()
        older.remove_field("oauth_accounts", "provider", "quirk")

        migrated(state=older.apps)

        assert not Provider.objects.exists()

    def test_nothing_is_done_on_a_database_of_other_apps(self, configured, settings):
        settings.DATABASE_ROUTERS = ["tests.test_post_migrate.Nowhere"]

        migrated()

        assert not Provider.objects.exists()

    def test_invalid_settings_stop_migrate_with_a_message(self, configured):
        configured(token_endpoint="http://as.example/token")

        with pytest.raises(ImproperlyConfigured, match=r"example-com.*token_endpoint"):
            call_command("migrate", verbosity=0)

        assert not Provider.objects.exists()


class Nowhere:
    """A router that keeps this app away from the database."""

    def allow_migrate(self, db, app_label, **hints):
        return app_label != "oauth_accounts"
