from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from oauth_accounts import clock
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import ProviderMisconfigured, ReauthRequired
from oauth_accounts.fields import Secret
from oauth_accounts.models import ConnectedAccount, PendingRevocation
from oauth_accounts.models.account_columns import ENGINE_FIELDS
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.session import AccountSession
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.rows import again

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return ConnectedAccountFactory(access_token="plain-access")


@pytest.fixture
def owner(django_user_model):
    return django_user_model.objects.create(username="owner")


class TestIdentity:
    def account(self, **values):
        return ConnectedAccountFactory.build(**values)

    def test_provider_subject_and_owner_are_unique_together(self, owner):
        first = ConnectedAccountFactory(owner=owner, uid="1")

        with pytest.raises(IntegrityError), transaction.atomic():
            ConnectedAccountFactory(provider=first.provider, owner=owner, uid="1")

    def test_so_they_are_without_an_owner(self):
        first = ConnectedAccountFactory(uid="1")

        with pytest.raises(IntegrityError), transaction.atomic():
            ConnectedAccountFactory(provider=first.provider, uid="1")

    def test_subjects_are_exact_on_every_collation(self):
        provider = ProviderFactory()

        for uid in ("abc", "ABC", "abc ", "äbc", "a\u0308bc", "１"):
            ConnectedAccountFactory(provider=provider, uid=uid)

        assert ConnectedAccount.objects.count() == 6

    def test_two_owners_may_connect_the_same_account(self, owner, django_user_model):
        first = ConnectedAccountFactory(owner=owner, uid="1")
        other = django_user_model.objects.create(username="other")

        ConnectedAccountFactory(provider=first.provider, owner=other, uid="1")

    def test_unless_the_provider_is_exclusive(self, owner, django_user_model):
        provider = ProviderFactory(exclusive_subjects=True)
        ConnectedAccountFactory(provider=provider, owner=owner, uid="1")
        other = django_user_model.objects.create(username="other")

        with pytest.raises(IntegrityError), transaction.atomic():
            ConnectedAccountFactory(provider=provider, owner=other, uid="1")

    def test_parts_cannot_be_shifted_into_each_other(self):
        provider = ProviderFactory.build()
        one = ConnectedAccount(provider=provider, uid="a1:b", owner_id="")
        two = ConnectedAccount(provider=provider, uid="a", owner_id="1:b")

        assert one.compute_identity_key() != two.compute_identity_key()


class TestUse:
    def test_the_stored_token_while_it_is_fresh(self, account):
        assert account.get_access_token() == "plain-access"
        assert account.get_access_token(min_validity=1000) == "plain-access"

    def test_for_asynchronous_code(self):
        account = ConnectedAccountFactory.build(access_token="plain-access")

        assert asyncio.run(account.aget_access_token()) == "plain-access"

    def test_a_token_without_a_known_end_is_used(self):
        account = ConnectedAccountFactory(access_token="endless", expires_in=None)

        assert account.get_access_token() == "endless"
        assert account.refresh_due_at is None

    @pytest.mark.parametrize(
        ("values", "error", "code"),
        [
            ({"status": "needs_reauth"}, ReauthRequired, "invalid_grant"),
            (
                {"status": "needs_reauth", "status_reason": "rotation_lost"},
                ReauthRequired,
                "rotation_lost",
            ),
            ({"status": "revoked"}, ReauthRequired, "revoked"),
            ({"status": "disabled"}, ProviderMisconfigured, "disabled"),
            (
                {"status": "disabled", "status_reason": "by_admin"},
                ProviderMisconfigured,
                "by_admin",
            ),
        ],
    )
    def test_a_state_that_stops_it(self, account, values, error, code):
        ConnectedAccount.objects.update(refresh_due_at=None, **values)

        with pytest.raises(error) as caught:
            again(account).get_access_token()

        assert caught.value.code == code

    def test_an_inactive_owner(self, owner):
        owner.is_active = False
        account = ConnectedAccountFactory(owner=owner)

        with pytest.raises(ProviderMisconfigured) as caught:
            account.get_access_token()

        assert caught.value.code == "owner_inactive"

    def test_nobody_is_always_active(self, account):
        assert account.owner_is_active()

    def test_a_session_of_the_account(self, account):
        with account.session() as session:
            assert isinstance(session, AccountSession)

    def test_only_sealed_columns_are_revealed(self, account):
        for name in ("uid", "pk", "provider", "nonsense"):
            with pytest.raises(ValueError, match="is not a sealed field"):
                account.reveal(name)

    def test_a_secret_that_is_not_stored_yet_reveals_itself(self):
        account = ConnectedAccount(access_token=Secret("x"))

        assert account.reveal("access_token") == Secret("x")

    def test_scopes_that_are_missing(self, account):
        account.scopes = ["read"]
        assert account.missing_scopes(["read", "admin"]) == ["admin"]
        account.scopes = None
        assert account.missing_scopes(["read"]) == []

    def test_a_refresh_token_that_has_died(self, account):
        assert not account.refresh_token_is_expired()
        account.refresh_token_expires_at = clock.utcnow() - timedelta(seconds=1)
        assert account.refresh_token_is_expired()
        account.refresh_token_expires_at = clock.utcnow() + timedelta(hours=1)
        assert not account.refresh_token_is_expired()

    def test_a_row_that_is_gone_meanwhile(self, account):
        ConnectedAccount.objects.all().delete()

        with pytest.raises(ReauthRequired) as caught:
            account.reload()

        assert caught.value.code == "account_deleted"

    def test_str_is_the_label_or_the_subject(self, account):
        assert str(account) == account.label
        account.label = ""
        assert str(account) == account.uid

    def test_a_rejected_token_that_has_been_replaced_already(self, account):
        assert account.replace_rejected(Secret("the one before"))
        assert account.generation == 0


class TestTokenValues:
    def test_an_answer_without_a_usable_token_brings_its_refresh_token(self, account):
        now = clock.utcnow()

        values = account.token_values(
            TokenSet(
                issued_at=now,
                refresh_token=Secret("rotated"),
                refresh_token_expires_in=60,
                problem="token_type",
            )
        )

        assert set(values) == {
            "refresh_token",
            "refresh_token_expires_at",
            "key_id",
            "status_reason",
            "last_error",
            "failure_count",
            "refresh_due_at",
        }
        assert values["refresh_token_expires_at"] == now + timedelta(seconds=60)
        assert values["last_error"] == "token_type"
        assert values["failure_count"] == 1
        assert values["refresh_due_at"] > now

    def test_a4_3_a_verified_id_token_is_sealed_too_and_another_left_out(self, account):
        tokens = TokenSet(
            issued_at=clock.utcnow(),
            access_token=Secret("new"),
            id_token=Secret("e30.e30."),
        )

        assert "id_token" not in account.token_values(tokens)
        verified = replace(tokens, id_token_is_verified=True)
        account.id_token = account.token_values(verified)["id_token"]

        assert account.reveal("id_token") == Secret("e30.e30.")

    def test_the_margin_is_kept_and_the_jitter_small(self, account):
        left = account.expires_at - account.refresh_due_at

        assert timedelta(seconds=300) <= left <= timedelta(seconds=300 + 360)

    def test_narrowed_scopes_are_told(self):
        provider = ProviderFactory(scopes=["read", "write"])
        account = ConnectedAccountFactory(provider=provider, scopes=["read"])

        assert account.status_reason == "scopes_narrowed"
        assert ConnectedAccountFactory(provider=provider).status_reason == ""

    def test_every_column_of_the_engine_exists(self):
        assert {f.name for f in ConnectedAccount._meta.concrete_fields} > set(
            ENGINE_FIELDS
        )


class TestDatabase:
    def test_only_an_active_account_is_due(self, account):
        with pytest.raises(IntegrityError), transaction.atomic():
            ConnectedAccount.objects.update(status="revoked")

    def test_no_unknown_status(self, account):
        with pytest.raises(IntegrityError), transaction.atomic():
            ConnectedAccount.objects.update(status="broken", refresh_due_at=None)

    def test_the_provider_cannot_be_deleted_while_accounts_hang_on_it(self, account):
        with pytest.raises(ProtectedError):
            account.provider.delete()

    def test_an_owner_takes_the_accounts_along_and_they_are_revoked(self, owner):
        account = ConnectedAccountFactory(owner=owner, connected_by=owner)

        owner.delete()

        assert not ConnectedAccount.objects.exists()
        pending = PendingRevocation.objects.get()
        assert pending.account_key == account.pk
        assert pending.account is None
        assert pending.reveal("refresh_token") == account.reveal("refresh_token")

    def test_who_connected_it_may_go(self, account, owner):
        ConnectedAccount.objects.update(connected_by=owner)

        owner.delete()

        assert again(account).connected_by is None

    def test_an_account_without_tokens_leaves_nothing_in_the_outbox(self, account):
        ConnectedAccount.objects.update(access_token=None, refresh_token=None)

        again(account).delete()

        assert not PendingRevocation.objects.exists()
        assert not ConnectedAccount.objects.exists()

    def test_an_account_that_is_gone_already_leaves_nothing_either(self, account):
        stale = again(account)
        ConnectedAccount.objects.all()._raw_delete("default")

        stale.delete()

        assert not PendingRevocation.objects.exists()

    def test_the_owner_is_the_model_of_the_setting(self):
        model = apps.get_model(conf.OAUTH_ACCOUNTS_OWNER_MODEL)

        assert ConnectedAccount._meta.get_field("owner").related_model is model
