"""A ciphertext opens in the row, column and provider it was sealed for, nowhere else."""

from __future__ import annotations

import base64

import pytest

from oauth_accounts import clock, fields, keyring
from oauth_accounts.exceptions import ProviderMisconfigured, TokenUndecryptable
from oauth_accounts.fields import Sealed, Secret, WrongContext
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.rows import again, store, stored
from tests.test_keyring import flip

pytestmark = pytest.mark.django_db
FIRST = "first-sealing-key-made-up-for-rotation-8c1e02d7"
SECOND = "second-sealing-key-made-up-for-rotation-f36b9a45"


@pytest.fixture
def account():
    return ConnectedAccountFactory(
        access_token="plain-access", refresh_token="plain-refresh"
    )


class TestMovedCiphertext:
    def test_to_another_row(self, account):
        other = ConnectedAccountFactory(provider=account.provider)
        store(other, "access_token", stored(account))

        with pytest.raises(WrongContext) as caught:
            again(other).reveal("access_token")

        assert caught.value.names == {"id"}
        with pytest.raises(TokenUndecryptable):
            again(other).get_access_token()

    def test_two_rows_swapped(self, account):
        other = ConnectedAccountFactory(provider=account.provider)
        mine, theirs = stored(account), stored(other)
        store(account, "access_token", theirs)
        store(other, "access_token", mine)

        for row in (account, other):
            with pytest.raises(WrongContext):
                again(row).get_access_token()

    def test_to_another_column(self, account):
        store(account, "access_token", stored(account, "refresh_token"))

        with pytest.raises(WrongContext) as caught:
            again(account).reveal("access_token")

        assert caught.value.names == {"c"}

    def test_from_another_model(self, account):
        """C1: a client secret pasted into an access token would be sent to an API."""
        store(account, "access_token", stored(account.provider, "client_secret"))

        with pytest.raises(WrongContext) as caught:
            again(account).get_access_token()

        assert caught.value.names >= {"c", "id"}

    def test_a_token_as_a_client_secret(self, account):
        store(account.provider, "client_secret", stored(account))

        with pytest.raises(WrongContext):
            again(account.provider).oauth_client()

    def test_a_verifier_of_another_attempt(self, account, django_user_model):
        user = django_user_model.objects.create(username="user")
        one, two = (
            AuthorizationAttempt.objects.create(
                state_hash=name,
                browser_hash=name,
                user=user,
                provider=account.provider,
                code_verifier=f"verifier-{name}",
            )
            for name in ("one", "two")
        )
        assert again(one).reveal("code_verifier") == Secret("verifier-one")
        store(two, "code_verifier", stored(one, "code_verifier"))

        with pytest.raises(WrongContext) as caught:
            again(two).reveal("code_verifier")

        assert caught.value.names == {"id"}

    def test_a_ciphertext_without_an_envelope(self, account):
        """What the bare field package wrote holds no place, and is not guessed at."""
        store(account, "access_token", keyring.seal(b"plain-access"))

        with pytest.raises(TokenUndecryptable) as caught:
            again(account).get_access_token()

        assert caught.value.code == "not_an_envelope"

    def test_an_outbox_row_opens_what_came_from_its_account(self, account):
        outbox = PendingRevocation.objects.create(
            provider=account.provider,
            account_key=account.pk,
            access_token=account.access_token,
            refresh_token=None,
        )

        assert again(outbox).reveal("access_token") == Secret("plain-access")
        assert again(outbox).reveal("refresh_token") is None
        PendingRevocation.objects.update(account_key=ConnectedAccountFactory().pk)
        with pytest.raises(WrongContext):
            again(outbox).reveal("access_token")


class TestChangedProvider:
    """A5.5: whoever can edit a provider does not get its secrets sent elsewhere."""

    @pytest.mark.parametrize(
        "values",
        [
            {"token_endpoint": "https://evil.example/token"},
            {"token_endpoint": "https://provider.example:8443/token"},
            {"token_endpoint": "http://provider.example/token"},
            {"token_endpoint": "https://user@provider.example/token"},
            {"token_endpoint": "https://[bad/token"},
            {"token_endpoint": "nonsense"},
            {"token_endpoint": ""},
            {"issuer": "https://evil.example"},
            {"issuer": "https://provider.example/"},
            {"issuer": ""},
        ],
    )
    def test_secret_and_tokens_are_refused(self, values):
        provider = ProviderFactory(host="https://provider.example")
        account = ConnectedAccountFactory(provider=provider, expired=True)
        Provider.objects.update(**values)

        for sealed in (
            lambda: again(account).reveal("refresh_token"),
            lambda: again(account).reveal("access_token"),
            lambda: again(provider).reveal("client_secret"),
            lambda: again(provider).oauth_client(),
        ):
            with pytest.raises(ProviderMisconfigured) as caught:
                sealed()
            assert caught.value.code == "provider_changed"

    def test_a_fresh_token_goes_on_to_the_api_which_did_not_move(self, account):
        Provider.objects.update(token_endpoint="https://evil.example/token")

        assert again(account).get_access_token() == "plain-access"

    def test_nothing_is_sent_when_a_refresh_is_due(self, account, transactional_db):
        expired = ConnectedAccountFactory(provider=account.provider, expired=True)
        Provider.objects.update(issuer="https://evil.example")

        with pytest.raises(ProviderMisconfigured) as caught:
            again(expired).get_access_token()

        assert caught.value.code == "provider_changed"
        assert again(expired).status_reason == "provider_changed"

    def test_another_path_at_the_same_origin_is_no_change(self, account):
        host = account.provider.issuer
        Provider.objects.update(token_endpoint=f"{host}/oauth2/v2/token?tenant=1")

        assert again(account).reveal("refresh_token") == Secret("plain-refresh")

    def test_the_error_is_about_the_place_when_both_changed(self, account):
        """A moved ciphertext is not taken for a provider that moved."""
        other = ConnectedAccountFactory(expired=True)
        store(other, "refresh_token", stored(account, "refresh_token"))

        with pytest.raises(WrongContext) as caught:
            again(other).reveal("refresh_token")

        assert caught.value.names == {"id", "iss", "te"}
        store(
            other.provider, "client_secret", stored(account.provider, "client_secret")
        )
        with pytest.raises(WrongContext):
            again(other.provider).reveal("client_secret")

    def test_the_secret_entered_again_is_good_for_the_new_place(self, account):
        provider = again(account.provider)
        provider.token_endpoint = "https://new.example/token"
        provider.client_secret = "entered again"
        provider.save()

        assert again(provider).reveal("client_secret") == Secret("entered again")


class TestFlippedBytes:
    def test_none_goes_unnoticed_and_the_old_bytes_work_again(self, account):
        good = stored(account)
        raw = base64.urlsafe_b64decode(good)

        for position in range(0, len(raw), 7):
            store(
                account, "access_token", base64.urlsafe_b64encode(flip(raw, position))
            )
            with pytest.raises(TokenUndecryptable):
                again(account).reveal("access_token")

        store(account, "access_token", good)
        assert again(account).get_access_token() == "plain-access"

    @pytest.mark.parametrize("length", [0, 1, 50, 99])
    def test_nor_a_cut(self, account, length):
        store(account, "access_token", stored(account)[:length])

        with pytest.raises(TokenUndecryptable):
            again(account).reveal("access_token")


class TestRotation:
    def test_a_prepended_key_writes_and_the_old_one_reads(self, settings):
        settings.FERNET_KEYS = [FIRST]
        account = ConnectedAccountFactory(access_token="plain-access")
        old_bytes, old_id = stored(account), account.key_id

        settings.FERNET_KEYS = [SECOND, FIRST]
        newer = ConnectedAccountFactory(provider=account.provider)

        assert again(account).get_access_token() == "plain-access"
        assert again(account).key_id == old_id == keyring.key_id_of(old_bytes)
        assert newer.key_id == keyring.current_key_id() != old_id
        assert stored(account) == old_bytes

        settings.FERNET_KEYS = [SECOND]
        assert again(account).is_undecryptable()
        assert not again(newer).is_undecryptable()
        with pytest.raises(TokenUndecryptable):
            again(account).get_access_token()

        settings.FERNET_KEYS = [SECOND, FIRST]
        assert again(account).get_access_token() == "plain-access"

    def test_a_refresh_brings_the_whole_row_under_the_newest_key(self, settings):
        settings.FERNET_KEYS = [FIRST]
        account = again(ConnectedAccountFactory(refresh_token="kept"))
        settings.FERNET_KEYS = [SECOND, FIRST]

        values = account.token_values(answer(refresh_token=None))

        assert values["key_id"] == keyring.current_key_id()
        assert keyring.key_id_of(values["refresh_token"].ciphertext) == values["key_id"]
        place = account.sealing_context("refresh_token")
        assert fields.reveal(values["refresh_token"], place) == Secret("kept")
        assert "id_token" not in values

    def test_what_does_not_open_keeps_its_bytes_and_its_key_id(self, settings):
        settings.FERNET_KEYS = [FIRST]
        account = again(ConnectedAccountFactory())
        settings.FERNET_KEYS = [SECOND]

        values = account.token_values(answer(refresh_token=None))

        assert "key_id" not in values
        assert "refresh_token" not in values


def answer(**values):
    from_the_provider = {"issued_at": clock.utcnow(), "access_token": Secret("new")}
    return TokenSet(**from_the_provider, **values)


def test_a_sealed_value_is_unbound_where_no_instance_is(account):
    [value] = ConnectedAccount.objects.values_list("access_token", flat=True)

    assert isinstance(value, Sealed)
    assert not hasattr(value, "reveal")
