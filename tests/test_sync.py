"""OAUTH_ACCOUNTS_PROVIDERS as rows."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import translation
from django.utils.translation import gettext_lazy

from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.models.sync import Change, sync_providers
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.configured import SECRET
from tests.rows import again, store, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(configured):
    sync_providers()
    return Provider.objects.get()


def secrets_changed() -> int:
    return AccountEvent.objects.filter(kind="secret_changed").count()


class TestCreate:
    def test_a_row_with_the_values(self, configured):
        [change] = sync_providers()

        provider = Provider.objects.get()
        assert (change.slug, change.action) == ("example-com", "created")
        assert provider.source == "settings"
        assert provider.name == "Example Com"
        assert provider.scopes == ["read"]
        assert provider.reveal("client_secret") == Secret(SECRET)
        assert SECRET.encode() not in stored(provider, "client_secret")
        assert secrets_changed() == 1

    def test_a_second_time_there_is_nothing_to_do(self, provider):
        before = stored(provider, "client_secret"), provider.updated_at

        assert sync_providers() == [Change(slug="example-com", action="unchanged")]

        assert (stored(provider, "client_secret"), again(provider).updated_at) == before
        assert secrets_changed() == 1

    @pytest.mark.parametrize(
        "values",
        [
            {"refresh_margin": "60"},
            {"enabled": "True"},
            {"name": None},
            {"name": ""},
            {"client_secret": "", "token_endpoint_auth_method": "none"},
        ],
    )
    def test_values_that_are_stored_as_others_are_compared_as_stored(
        self, configured, values
    ):
        configured(**values)
        [change] = sync_providers()
        assert change.action == "created"

        assert [change.action for change in sync_providers()] == ["unchanged"]

    def test_words_of_scopes_are_stored_as_they_are_before_translation(
        self, configured
    ):
        configured(scope_descriptions={"read": gettext_lazy("Monday")})
        with translation.override("de"):
            sync_providers()
            assert [change.action for change in sync_providers()] == ["unchanged"]
        assert Provider.objects.get().scope_descriptions == {"read": "Monday"}

    @pytest.mark.parametrize("value", ["text", ["read"], {"read": 5}])
    def test_words_of_scopes_that_are_none(self, configured, value):
        configured(scope_descriptions=value)
        with pytest.raises(ImproperlyConfigured, match="scope_descriptions"):
            sync_providers()

    def test_nothing_is_written_by_a_dry_run(self, configured):
        [change] = sync_providers(dry_run=True)

        assert change.action == "created"
        assert not Provider.objects.exists()

    def test_no_values_are_reported(self, configured):
        assert SECRET not in repr(sync_providers())

    def test_into_a_named_database(self, configured):
        sync_providers(using="default")

        assert Provider.objects.using("default").get().slug == "example-com"


class TestUpdate:
    def test_what_differs_is_written_and_named(self, provider, configured):
        configured(scopes=["read", "write"], name="Other")

        [change] = sync_providers()

        assert (change.action, change.fields) == ("updated", ("name", "scopes"))
        assert again(provider).scopes == ["read", "write"]
        assert again(provider).reveal("client_secret") == Secret(SECRET)

    def test_what_settings_no_longer_say_goes_back_to_its_default(
        self, provider, configured
    ):
        configured(scope_separator=",", refresh_margin=5)
        sync_providers()
        configured()

        [change] = sync_providers()

        assert change.fields == ("scope_separator", "refresh_margin")
        assert again(provider).scope_separator == " "

    def test_a_dry_run_leaves_the_row(self, provider, configured):
        configured(name="Other")

        [change] = sync_providers(dry_run=True)

        assert change.fields == ("name",)
        assert again(provider).name == "Example Com"

    def test_a_new_secret(self, provider, configured):
        configured(client_secret="another")

        [change] = sync_providers()

        assert change.fields == ("client_secret",)
        assert again(provider).reveal("client_secret") == Secret("another")
        assert secrets_changed() == 2

    def test_a_secret_that_is_taken_away(self, provider, configured):
        configured(client_secret=None, token_endpoint_auth_method="none")

        sync_providers()

        assert again(provider).client_secret is None

    def test_another_endpoint_seals_the_secret_for_it(self, provider, configured):
        account = ConnectedAccountFactory(provider=provider)
        configured(token_endpoint="https://new.example/token")

        [change] = sync_providers()

        assert change.fields == ("token_endpoint", "client_secret")
        assert again(provider).reveal("client_secret") == Secret(SECRET)
        with pytest.raises(ProviderMisconfigured, match="provider_changed"):
            again(account).reveal("refresh_token")

    def test_a_secret_whose_key_is_gone_is_entered_again(self, provider, configured):
        store(provider, "client_secret", b"of another key")

        [change] = sync_providers()

        assert change.fields == ("client_secret",)
        assert again(provider).reveal("client_secret") == Secret(SECRET)

    def test_a_secret_under_an_old_key_is_the_same_secret(self, provider, settings):
        settings.FERNET_KEYS = [
            "a-newer-sealing-key-made-up-for-this-test-b85c",
            *settings.FERNET_KEYS,
        ]

        assert [change.action for change in sync_providers()] == ["unchanged"]

    def test_the_circuit_breaker_is_left_alone(self, provider, configured):
        provider.pause(600, "rate_limited")
        configured(name="Other")

        sync_providers()

        assert again(provider).is_paused()

    def test_a_row_of_the_admin_is_taken_over(self, configured):
        ProviderFactory(slug="example-com", name="By hand")

        [change] = sync_providers()

        assert "source" in change.fields
        assert Provider.objects.get().source == "settings"


class TestVanished:
    def test_it_is_disabled_and_its_accounts_stay(self, provider, settings):
        account = ConnectedAccountFactory(provider=provider)
        settings.OAUTH_ACCOUNTS_PROVIDERS = {}

        assert sync_providers(dry_run=True) == sync_providers()

        assert not again(provider).enabled
        assert ConnectedAccount.objects.get() == account
        assert sync_providers() == []

    def test_it_comes_back(self, provider, settings, configured):
        settings.OAUTH_ACCOUNTS_PROVIDERS = {}
        sync_providers()
        configured()

        [change] = sync_providers()

        assert change.fields == ("enabled",)
        assert again(provider).enabled

    def test_rows_of_the_admin_are_left_alone(self, settings):
        by_hand = ProviderFactory()
        settings.OAUTH_ACCOUNTS_PROVIDERS = {}

        assert sync_providers() == []
        assert again(by_hand).enabled
