"""Addresses that were changed by other means than trusted code are noticed."""

from __future__ import annotations

import json
import uuid

import pytest
from django.db import models, transaction

from oauth_accounts import clock, fields, rotate
from oauth_accounts.exceptions import ProviderMisconfigured, TokenUndecryptable
from oauth_accounts.fields import Secret
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS, PINNED_FIELDS
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.validators import validate_endpoint
from tests.rows import again, alter, store, stored

pytestmark = pytest.mark.django_db
EVIL = "https://evil.example/x"
OTHER_KEY = "another-sealing-key-made-up-for-this-test-0f5b7d21"


@pytest.fixture
def provider():
    return again(ProviderFactory())


def assert_refused(row, code="provider_changed"):
    with pytest.raises(ProviderMisconfigured) as caught:
        again(row).require_pinned()
    assert caught.value.code == code


class TestWhatIsPinned:
    def test_every_column_that_is_an_address(self):
        """A column that is added later cannot be forgotten."""
        addresses = {
            field.name
            for field in Provider._meta.concrete_fields
            if validate_endpoint in getattr(field, "validators", ())
            or field.name.endswith(("_endpoint", "_uri", "_url", "issuer"))
        }

        # A link for the user, who may follow it: nothing is sent there.
        addresses.remove("grants_url")
        assert addresses == set(ENDPOINT_FIELDS)
        assert set(PINNED_FIELDS) == {"slug", "client_id", *addresses}

    @pytest.mark.parametrize("name", PINNED_FIELDS)
    def test_a5_5_e35_each_of_them_by_sql(self, provider, name):
        alter(provider, **{name: EVIL})

        assert again(provider).altered_columns() == [name]
        assert_refused(provider)
        with pytest.raises(ProviderMisconfigured) as caught:
            again(provider).oauth_client()
        assert caught.value.code == "provider_changed"

    def test_put_back_it_works(self, provider):
        alter(provider, revocation_endpoint=EVIL)
        alter(provider, revocation_endpoint=provider.revocation_endpoint)

        assert again(provider).oauth_client()

    def test_a_queryset_is_no_trusted_code(self, provider):
        Provider.objects.update(api_base_url=EVIL)

        assert_refused(provider)

    def test_other_columns_are_free(self, provider):
        alter(provider, name="Other", scope_separator=",")

        again(provider).require_pinned()


class TestPin:
    def test_without_one_nothing_is_sent(self, provider):
        store(provider, "pinned_addresses", None)

        assert again(provider).pinned_values() is None
        assert_refused(provider)
        assert set(again(provider).altered_columns()) > {"slug", "token_endpoint"}

    def test_that_of_another_row_is_none(self, provider):
        other = ProviderFactory()
        store(provider, "pinned_addresses", stored(other, "pinned_addresses"))

        assert again(provider).pinned_values() is None
        assert_refused(provider)

    def test_nor_is_another_sealed_value_of_the_row(self, provider):
        store(provider, "pinned_addresses", stored(provider, "client_secret"))

        assert_refused(provider)

    @pytest.mark.parametrize("how", ["key", "bytes"])
    def test_one_that_does_not_open_is_no_finding(self, provider, settings, how):
        before, keys = stored(provider, "pinned_addresses"), settings.FERNET_KEYS
        if how == "key":
            settings.FERNET_KEYS = [OTHER_KEY]
        else:
            store(provider, "pinned_addresses", b"rubbish")

        with pytest.raises(TokenUndecryptable):
            again(provider).oauth_client()
        assert not again(provider).is_altered()

        settings.FERNET_KEYS = keys
        store(provider, "pinned_addresses", before)
        assert again(provider).oauth_client()

    def test_it_is_opened_once_for_each_row_that_is_read(
        self, provider, monkeypatch, django_assert_num_queries
    ):
        opened = []
        reveal = fields.reveal
        monkeypatch.setattr(
            fields, "reveal", lambda *args: opened.append(args) or reveal(*args)
        )
        with django_assert_num_queries(1):
            row = Provider.objects.get()
            for _again in range(3):
                row.require_pinned()
        row.refresh_from_db()
        row.require_pinned()
        row.take_over(Provider.objects.get())
        row.require_pinned()

        assert len(opened) == 1

    def test_what_is_assigned_is_trusted_and_what_is_read_is_not(self, provider):
        provider.api_base_url = EVIL
        provider.require_pinned()
        alter(provider, api_base_url=EVIL)
        provider.refresh_from_db(fields=["name"])
        provider.require_pinned()
        provider.refresh_from_db(None, ["api_base_url"])

        with pytest.raises(ProviderMisconfigured):
            provider.require_pinned()

    def test_a_row_that_was_never_stored(self):
        Provider(slug="new").require_pinned()

    @pytest.mark.parametrize("name", ["pinned_addresses", "token_endpoint"])
    def test_deferred_columns_are_read_when_they_are_needed(self, provider, name):
        Provider.objects.defer(name).get().require_pinned()
        alter(provider, token_endpoint=EVIL)

        with pytest.raises(ProviderMisconfigured):
            Provider.objects.defer(name).get().require_pinned()


class TestSave:
    @pytest.mark.parametrize("options", [{}, {"update_fields": ["token_endpoint"]}])
    def test_it_pins_what_it_writes(self, provider, options):
        provider.token_endpoint = "https://new.example/token"
        provider.save(**options)

        provider.require_pinned()
        again(provider).require_pinned()
        again_saved = again(provider)
        again_saved.client_id = "other"
        again_saved.save()
        again(provider).require_pinned()

    def test_it_pins_no_more_than_it_writes(self, provider):
        provider.token_endpoint = "https://new.example/token"
        provider.issuer = "https://not-written.example"
        provider.save(update_fields=["token_endpoint"])

        again(provider).require_pinned()

    @pytest.mark.parametrize("options", [{}, {"update_fields": ["name"]}])
    def test_another_column_leaves_the_pin_as_it_is(self, provider, options):
        before = stored(provider, "pinned_addresses")
        provider.name = "Other"
        provider.save(**options)

        assert stored(provider, "pinned_addresses") == before

    def test_a_row_that_was_altered_is_not_blessed(self, provider):
        alter(provider, revocation_endpoint=EVIL)
        for values in ({"name": "Other"}, {"token_endpoint": "https://new.example/t"}):
            row = again(provider)
            for name, value in values.items():
                setattr(row, name, value)
            row.save()
            assert_refused(provider)

        assert "revocation_endpoint" in again(provider).altered_columns()

    def test_but_a_save_of_what_was_read_before_puts_it_back(self, provider):
        alter(provider, revocation_endpoint=EVIL)
        provider.save()

        again(provider).require_pinned()

    def test_a_pin_that_does_not_open_is_not_renewed(self, provider):
        store(provider, "pinned_addresses", b"rubbish")
        row = again(provider)
        row.token_endpoint = EVIL
        row.save()

        assert stored(provider, "pinned_addresses") == b"rubbish"

    def test_somebody_may_vouch_for_it(self, provider):
        alter(provider, revocation_endpoint=EVIL)
        row = again(provider)
        row.pin()
        row.save()

        row.require_pinned()
        again(provider).require_pinned()

    def test_with_deferred_columns(self, provider):
        row = Provider.objects.only("name").get()
        row.token_endpoint = "https://new.example/token"
        row.save()
        again(provider).require_pinned()

        alter(provider, revocation_endpoint=EVIL)
        row = Provider.objects.only("name").get()
        row.token_endpoint = EVIL
        row.save()
        assert_refused(provider)

    def test_values_that_are_stored_as_text(self):
        row = ProviderFactory(client_id=12345)

        again(row).require_pinned()

    def test_a_new_row_takes_the_pin_that_it_is_given(self, provider):
        text = json.dumps(provider.pinned_values())
        made = ProviderFactory(pinned_addresses=Secret(text))

        assert again(made).pinned_values() == provider.pinned_values()
        assert_refused(made)

    def test_a_copy_of_a_row_gets_a_pin_of_its_own(self, provider):
        provider.pk, provider.slug = uuid.uuid4(), "copy"
        provider.__dict__.pop("_stored_slug")
        provider.client_secret, provider._state.adding = "entered", True
        provider.save()

        again(provider).require_pinned()

    def test_by_get_or_create_and_its_sister(self, provider):
        made, _created = Provider.objects.update_or_create(
            slug=provider.slug, defaults={"api_base_url": "https://api.new.example/"}
        )

        again(made).require_pinned()
        made, _created = Provider.objects.get_or_create(slug="new")
        again(made).require_pinned()

    def test_in_bulk(self):
        rows = Provider.objects.bulk_create(
            ProviderFactory.build_batch(2, client_secret=None)
        )

        for row in rows:
            row.require_pinned()
            again(row).require_pinned()

    def test_a_row_that_is_inserted_again_keeps_its_pin(self, provider):
        with transaction.atomic():
            type(provider).objects.all().delete()
            provider.save(force_insert=True)

        again(provider).require_pinned()


class TestAccount:
    """An account may have an API of its own, which its token goes to."""

    @pytest.fixture
    def account(self):
        return ConnectedAccountFactory(api_base_url="https://tenant.example/")

    def test_by_sql(self, account):
        again(account).require_pinned()
        alter(account, api_base_url=EVIL)

        assert_refused(account, "api_base_url_changed")
        with pytest.raises(ProviderMisconfigured) as caught:
            again(account).session()
        assert caught.value.code == "api_base_url_changed"

    def test_where_there_was_none(self):
        account = ConnectedAccountFactory()
        assert stored(account, "pinned_api_base_url") is None
        again(account).require_pinned()
        alter(account, api_base_url=EVIL)

        assert_refused(account, "api_base_url_changed")

    def test_taken_away_the_providers_is_used(self, account):
        alter(account, api_base_url="")

        session = again(account).session()

        assert session.base_url == account.provider.api_base_url

    def test_code_may_change_it(self, account):
        row = again(account)
        row.api_base_url = "https://other.example/"
        row.save()
        again(row).require_pinned()
        row.api_base_url = ""
        row.save()
        again(row).require_pinned()
        assert stored(row, "pinned_api_base_url") is None

    def test_a_pin_is_taken_off_by_hand(self, account):
        alter(account, api_base_url="")
        row = again(account)
        row.pin()
        row.save()

        assert stored(row, "pinned_api_base_url") is None

    def test_in_bulk(self, account):
        made = ConnectedAccountFactory.build(
            provider=account.provider, api_base_url="https://bulk.example/"
        )
        ConnectedAccount.objects.bulk_create([made])

        made.require_pinned()
        again(made).require_pinned()

    def test_a_refresh_does_not_vouch_for_it(self, account):
        alter(account, api_base_url=EVIL)
        row = again(account)
        row.reload()
        row.save()

        assert_refused(row, "api_base_url_changed")

    def test_a_refresh_leaves_the_old_key_named_for_the_pin_under_it(
        self, account, settings
    ):
        """Otherwise nobody would know that the old key is needed still."""
        settings.FERNET_KEYS = [OTHER_KEY, *settings.FERNET_KEYS]
        tokens = TokenSet(issued_at=clock.utcnow(), access_token=Secret("new"))
        assert "key_id" not in again(account).token_values(tokens)
        assert rotate.run().undecryptable == 0
        settings.FERNET_KEYS = [OTHER_KEY]

        again(account).require_pinned()
        again(account.provider).require_pinned()
        assert again(account).token_values(tokens)["key_id"] == again(account).key_id

    def test_its_session_asks_for_no_provider(self, account, django_assert_num_queries):
        row = again(account)

        with django_assert_num_queries(0):
            row.session()


def test_the_columns_are_sealed():
    for model, name in (
        (Provider, "pinned_addresses"),
        (ConnectedAccount, "pinned_api_base_url"),
    ):
        field = model._meta.get_field(name)
        assert isinstance(field, fields.SealedTextField)
        assert isinstance(field, models.TextField)
