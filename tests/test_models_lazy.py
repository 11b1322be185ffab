"""Rows that do not open, and instances that are out of date."""

from __future__ import annotations

import pytest

from oauth_accounts import fields
from oauth_accounts.exceptions import TokenUndecryptable
from oauth_accounts.fields import Secret
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.rows import again, store, stored

pytestmark = pytest.mark.django_db
FOREIGN_KEYS = ["sealing-key-of-somebody-else-3f9d2c7b16a80e54"]


@pytest.fixture
def account():
    return ConnectedAccountFactory(
        access_token="plain-access", refresh_token="plain-refresh"
    )


class TestLazy:
    """Rows that no key opens are rows like others, until somebody wants the token."""

    @pytest.fixture
    def bad(self, account):
        bad = ConnectedAccountFactory(provider=account.provider, label="bad")
        store(bad, "access_token", b"not a Fernet token")
        store(bad, "refresh_token", b"\xff\x00\xfe")
        return again(bad)

    def test_they_are_listed_counted_and_iterated(self, account, bad):
        assert ConnectedAccount.objects.count() == 2
        assert [
            a.pk for a in ConnectedAccount.objects.order_by("created_at").iterator()
        ] == [
            account.pk,
            bad.pk,
        ]
        assert str(bad) == "bad"
        assert repr(bad)
        assert bad.is_undecryptable()
        assert not again(account).is_undecryptable()

    def test_only_their_own_token_fails(self, account, bad):
        assert again(account).get_access_token() == "plain-access"
        with pytest.raises(TokenUndecryptable):
            bad.get_access_token()
        with pytest.raises(TokenUndecryptable):
            bad.reveal("refresh_token")

    def test_saving_them_keeps_the_bytes(self, bad):
        bad.label = "renamed"
        bad.save()
        bad.save(update_fields=["access_token"])

        assert stored(bad) == b"not a Fernet token"
        assert again(bad).label == "renamed"

    @pytest.mark.parametrize("how", ["instance", "queryset", "owner"])
    def test_they_are_deleted_and_their_bytes_wait_in_the_outbox(
        self, bad, how, django_user_model
    ):
        owner = django_user_model.objects.create(username="owner")
        ConnectedAccount.objects.filter(pk=bad.pk).update(owner=owner)
        deleted = {
            "instance": bad.delete,
            "queryset": ConnectedAccount.objects.filter(pk=bad.pk).delete,
            "owner": owner.delete,
        }
        key = bad.pk

        deleted[how]()

        assert not ConnectedAccount.objects.filter(pk=key).exists()
        pending = PendingRevocation.objects.get(account_key=key)
        assert stored(pending) == b"not a Fernet token"
        assert stored(pending, "refresh_token") == b"\xff\x00\xfe"
        assert AccountEvent.objects.filter(kind="deleted", account_key=key).exists()

    def test_they_are_revoked(self, bad):
        bad.revoke()

        assert again(bad).status == "revoked"
        assert stored(bad) is None
        assert stored(PendingRevocation.objects.get()) == b"not a Fernet token"

    def test_all_rows_are_undecryptable_while_the_key_is_away(self, account, settings):
        keys = settings.FERNET_KEYS
        before = stored(account)
        settings.FERNET_KEYS = FOREIGN_KEYS

        read = again(account)
        assert read.is_undecryptable()
        with pytest.raises(TokenUndecryptable):
            read.get_access_token()
        read.save()
        assert stored(account) == before

        settings.FERNET_KEYS = keys
        assert again(account).get_access_token() == "plain-access"

    def test_deferred_columns_are_not_read_by_saving(self, account):
        read = ConnectedAccount.objects.only("pk", "label").get(pk=account.pk)
        read.label = "renamed"

        read.save()

        assert again(account).label == "renamed"
        assert "access_token" in read.get_deferred_fields()


class TestStaleInstances:
    """E37: an instance that was read before a refresh saves no token and no state."""

    def test_save_writes_neither_tokens_nor_state(self, account):
        stale = again(account)
        ConnectedAccount.objects.update(
            access_token=fields.seal("newer", account.sealing_context("access_token")),
            refresh_token=fields.seal("nr", account.sealing_context("refresh_token")),
            generation=7,
            status="needs_reauth",
            status_reason="invalid_grant",
            refresh_due_at=None,
            failure_count=3,
        )

        stale.label, stale.metadata = "renamed", {"a": 1}
        stale.status, stale.generation = "active", 0
        stale.access_token = "stale"
        stale.save()

        read = again(account)
        assert read.reveal("access_token") == Secret("newer")
        assert read.reveal("refresh_token") == Secret("nr")
        assert (read.status, read.status_reason) == ("needs_reauth", "invalid_grant")
        assert (read.generation, read.failure_count) == (7, 3)
        assert (read.label, read.metadata) == ("renamed", {"a": 1})

    def test_only_what_is_named_is_written_of_the_engines_columns(self, account):
        account = again(account)
        account.access_token, account.refresh_token = "named", "unnamed"

        account.save(update_fields=["access_token"])

        assert again(account).reveal("access_token") == Secret("named")
        assert again(account).reveal("refresh_token") == Secret("plain-refresh")

    def test_update_fields_by_position_cannot_slip_through(self, account):
        account.access_token = "stale"

        with pytest.raises(TypeError, match="keyword arguments only"):
            account.save(False)

        assert again(account).reveal("access_token") == Secret("plain-access")

    def test_a_provider_keeps_its_secret(self):
        provider = ProviderFactory(client_secret="one")
        stale = again(provider)
        stale.name = "renamed"

        stale.save()

        assert again(provider).reveal("client_secret") == Secret("one")
        assert Provider.objects.get().name == "renamed"
