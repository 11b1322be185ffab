"""One refresh: what is sent, what is stored, what is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from base64 import urlsafe_b64encode
from datetime import timedelta
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections, models
from django.db.models import F
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oauth_accounts import clock, refresh, renew, salvage, signals, sweep
from oauth_accounts.exceptions import (
    ProviderMisconfigured,
    ProviderUnavailable,
    ReauthRequired,
    TokenUndecryptable,
)
from oauth_accounts.fields import Secret
from oauth_accounts.models import (
    AccountEvent,
    ConnectedAccount,
    PendingRevocation,
    Provider,
    RefreshStatistic,
)
from oauth_accounts.protocol.tokens import TokenSet
from oauth_accounts.testing.wire import Answer


def kinds(account):
    return sorted(account.events.values_list("kind", "reason"))


def statistics(provider):
    return set(provider.refresh_statistics.values_list("result", "reason", "count"))


@pytest.fixture
def told():
    """Names and arguments of the signals that were sent."""
    heard = []
    names = [name for name, value in vars(signals).items() if isinstance(value, Signal)]
    receivers = []
    for name in names:

        def receive(sender, *, signal, _name=name, **arguments):
            heard.append(
                (_name, {k: v for k, v in arguments.items() if k != "account"})
            )

        receivers.append((getattr(signals, name), receive))
        getattr(signals, name).connect(receive)
    yield heard
    for signal, receive in receivers:
        signal.disconnect(receive)


class TestFresh:
    def test_a_loaded_account_with_a_fresh_token_needs_no_query(
        self, make_account, server
    ):
        account = ConnectedAccount.objects.get(pk=make_account(expires_in=3000).pk)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            token = account.get_access_token()
        assert server.is_live(token)
        assert len(queries) == 0
        assert server.token_requests == []

    def test_a_token_within_min_validity_is_refreshed(self, make_account, server):
        account = make_account(expires_in=50)
        account.get_access_token(min_validity=40)
        assert len(server.token_requests) == 0
        account.get_access_token(min_validity=60)
        assert len(server.token_requests) == 1

    def test_min_validity_is_at_most_half_of_the_life(self, account, server):
        server.expires_in = 20
        first = account.get_access_token(min_validity=300)
        assert account.get_access_token(min_validity=300) == first
        assert len(server.token_requests) == 1

    def test_a_token_without_expiry_is_used_as_it_is(self, make_account, server):
        account = make_account(expires_in=None)
        assert account.expires_at is None
        assert account.refresh_due_at is None
        assert server.is_live(account.get_access_token())
        assert server.token_requests == []

    def test_a_stale_instance_finds_the_token_that_is_stored(self, account, server):
        stale = ConnectedAccount.objects.get(pk=account.pk)
        account.get_access_token()
        assert stale.get_access_token() == account.get_access_token()
        assert len(server.token_requests) == 1

    def test_async_code_gets_the_same_token(self, account):
        async def ask():
            try:
                return await account.aget_access_token()
            finally:
                await sync_to_async(connections.close_all)()

        assert asyncio.run(ask()) == account.get_access_token()


class TestStore:
    def test_the_rotated_tokens_are_stored_and_told_of(self, account, server, told):
        before = account.generation
        token = account.get_access_token()
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert stored.reveal("access_token").get_value() == token
        assert server.is_live(stored.reveal("refresh_token").get_value())
        assert stored.generation == before + 1
        assert stored.lease is None
        assert stored.attempt_started_at is None
        assert stored.failure_count == 0
        assert stored.refresh_due_at < stored.expires_at
        assert stored.last_refreshed_at <= clock.utcnow()
        assert told == [("tokens_refreshed", {})]
        assert statistics(stored.provider) == {("success", "", 1)}
        assert kinds(stored) == []

    def test_a_refresh_token_that_is_not_sent_is_kept(self, account, server):
        server.rotate = False
        kept = account.reveal("refresh_token")
        account.refresh()
        account.refresh()
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert stored.reveal("refresh_token") == kept

    def test_scope_is_not_sent_and_a_change_is_told(self, account, server, told):
        account.stored_row().update(scopes=["profile", "old"], requested_scopes=["old"])
        account.reload()
        account.requested_scopes = ["old"]
        server.script(
            Answer(
                json={
                    "access_token": "new-token",
                    "token_type": "bearer",
                    "expires_in": 60,
                    "scope": "profile extra",
                }
            )
        )
        account.refresh()
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert "scope" not in server.token_requests[0].form
        assert stored.scopes == ["profile", "extra"]
        assert stored.status_reason == "scopes_narrowed"
        assert (
            "scopes_changed",
            {"added": frozenset({"extra"}), "removed": frozenset({"old"})},
        ) in told
        assert ("scopes_changed", "") in kinds(stored)

    def test_a_life_of_zero_seconds_makes_no_hot_loop(self, account, server):
        server.expires_in = 0
        first = account.get_access_token()
        assert account.get_access_token() == first
        assert len(server.token_requests) == 1

    def test_a_provider_that_names_no_life_is_believed_its_default(
        self, account, server
    ):
        type(account.provider).objects.update(default_lifetime=600)
        server.expires_in = None
        account.refresh()
        assert account.expires_at == account.issued_at + timedelta(seconds=600)

    def test_an_answer_without_access_token_still_brings_its_refresh_token(
        self, account, server
    ):
        server.script(Answer(json={"refresh_token": "rt-only", "token_type": "bearer"}))
        with pytest.raises(ProviderUnavailable) as caught:
            account.get_access_token()
        assert caught.value.code == "bad_answer"
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert stored.reveal("refresh_token") == Secret("rt-only")
        assert stored.status == "active"
        assert stored.failure_count == 1
        assert stored.last_error == "missing_access_token"
        assert stored.lease is None
        assert stored.refresh_due_at > timezone.now()

    def test_a_row_under_an_old_key_comes_under_the_new_one(
        self, account, server, settings
    ):
        server.rotate = False
        settings.FERNET_KEYS = [
            "a-newer-key-of-the-suite-1f0e9d8c7b6a5",
            *settings.FERNET_KEYS,
        ]
        old = account.key_id
        account.refresh()
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert stored.key_id != old
        settings.FERNET_KEYS = settings.FERNET_KEYS[:1]
        assert stored.reveal("refresh_token")
        assert stored.reveal("access_token")

    def test_a_write_whose_confirmation_was_lost_is_recognised(
        self, account, server, monkeypatch
    ):
        update, calls = models.QuerySet.update, []

        def lose_the_first(queryset, **values):
            if "generation" not in values or queryset.model is not ConnectedAccount:
                return update(queryset, **values)
            calls.append(update(queryset, **values))
            if len(calls) == 1:
                raise OperationalError("connection lost")
            return calls[-1]

        monkeypatch.setattr(models.QuerySet, "update", lose_the_first)
        token = account.get_access_token()
        assert calls == [1, 0]
        assert ConnectedAccount.objects.get(pk=account.pk).reveal(
            "access_token"
        ) == Secret(token)
        assert PendingRevocation.objects.count() == 0

    def test_a_database_that_stays_away_is_an_error_when_the_lease_is_over(
        self, account, server, monkeypatch
    ):
        monkeypatch.setattr(refresh.lease, "LEASE_SECONDS", 0.1)
        update = models.QuerySet.update

        def fail(queryset, **values):
            if "generation" in values and queryset.model is ConnectedAccount:
                raise OperationalError("away")
            return update(queryset, **values)

        monkeypatch.setattr(models.QuerySet, "update", fail)
        with pytest.raises(OperationalError):
            account.get_access_token()
        monkeypatch.undo()
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert stored.attempt_started_at is not None


class TestErrors:
    def fail(self, account, error):
        with pytest.raises(error) as caught:
            account.get_access_token()
        account.refresh_from_db()
        return caught.value

    @pytest.mark.parametrize("status", [400, 401, 403, 200])
    def test_a_dead_grant_needs_reauthorisation(self, account, server, told, status):
        server.script(Answer(status=status, json={"error": "invalid_grant"}))
        error = self.fail(account, ReauthRequired)
        assert error.code == "invalid_grant"
        assert (account.status, account.status_reason) == (
            "needs_reauth",
            "invalid_grant",
        )
        assert account.refresh_due_at is None
        assert account.lease is None
        assert told == [("reauth_required", {"reason": "invalid_grant"})]
        assert kinds(account) == [("reauth_required", "invalid_grant")]
        self.fail(account, ReauthRequired)
        assert len(server.token_requests) == 1
        assert len(told) == 1

    def test_invalid_grant_after_a_sibling_stored_is_no_failure(
        self, account, server, told
    ):
        def sibling_wins(request):
            twin = ConnectedAccount.objects.get(pk=account.pk)
            tokens = TokenSet(
                issued_at=clock.utcnow(),
                access_token=Secret("at-sibling"),
                refresh_token=Secret("rt-sibling"),
                token_type="Bearer",
                expires_in=3600,
            )
            twin.stored_row().update(
                **twin.token_values(tokens), generation=twin.generation + 1
            )
            connection.close()
            return Answer(status=400, json={"error": "invalid_grant"})

        server.script(sibling_wins)
        assert account.get_access_token() == "at-sibling"
        account.refresh_from_db()
        assert account.status == "active"
        assert told == []

    @pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client"])
    def test_a_refused_client_pauses_the_provider_and_marks_no_account(
        self, make_account, server, code, caplog
    ):
        first, second = make_account("one"), make_account("two")
        server.script(Answer(status=401, json={"error": code}))
        assert self.fail(first, ProviderMisconfigured).code == code
        first.provider.refresh_from_db()
        assert first.provider.is_paused()
        assert first.provider.pause_reason == code
        assert (first.status, first.failure_count) == ("active", 0)
        assert first.lease is None
        second = ConnectedAccount.objects.get(pk=second.pk)
        assert self.fail(second, ProviderUnavailable).code == "provider_paused"
        assert len(server.token_requests) == 1
        events = AccountEvent.objects.filter(
            provider=first.provider, kind="provider_paused"
        )
        assert events.count() == 1
        assert [r.levelname for r in caplog.records if r.name == "oauth_accounts"] == [
            "ERROR"
        ]
        first.provider.resume()
        assert server.is_live(first.get_access_token())

    def test_a_client_refused_again_while_paused_is_reported_once(
        self, make_account, server, caplog
    ):
        one, two = make_account("one"), make_account("two")
        for account in (one, two):
            server.script(Answer(status=401, json={"error": "invalid_client"}))
            claim = refresh.lease.take(account)
            with pytest.raises(ProviderMisconfigured):
                renew.perform(account, claim)
        assert AccountEvent.objects.filter(kind="provider_paused").count() == 1

    def test_too_many_requests_close_the_gate_for_the_provider(self, account, server):
        server.script(Answer(status=429, headers={"Retry-After": "120"}, json={}))
        error = self.fail(account, ProviderUnavailable)
        assert (error.code, error.retry_after) == ("rate_limited", 120)
        account.provider.refresh_from_db()
        left = account.provider.paused_until - timezone.now()
        assert timedelta(seconds=100) < left <= timedelta(seconds=120)
        assert account.status_reason == "rate_limited"
        assert account.refresh_due_at > account.provider.paused_until
        assert statistics(account.provider) == {("rate_limited", "rate_limited", 1)}

    def test_a_server_error_is_retried_later_and_later(self, account, server, told):
        waits = []
        for _ in range(3):
            server.script(Answer(status=503, body="<h1>Down</h1>"))
            self.fail(account, ProviderUnavailable)
            waits.append(account.refresh_due_at - timezone.now())
        assert account.status == "active"
        assert account.status_reason == "retrying"
        assert account.failure_count == 3
        assert kinds(account) == [("refresh_failed", "server_error")]
        assert waits[2] > timedelta(seconds=58)
        assert told == []
        assert server.is_live(account.get_access_token())
        account.refresh_from_db()
        assert (account.failure_count, account.status_reason) == (0, "")
        assert [name for name, _ in told] == ["tokens_refreshed", "refresh_recovered"]
        assert ("recovered", "") in kinds(account)

    def test_a_wrong_configuration_is_not_asked_again_soon(self, account, server):
        server.script(Answer(status=400, json={"error": "invalid_scope"}))
        assert self.fail(account, ProviderMisconfigured).code == "invalid_scope"
        assert account.refresh_due_at - timezone.now() > timedelta(minutes=50)
        assert account.status == "active"

    def test_a_failed_refresh_is_no_error_while_the_token_is_valid(
        self, make_account, server
    ):
        account = make_account(expires_in=30)
        token = account.reveal("access_token").get_value()
        server.script(Answer(status=503, json={}))
        assert account.get_access_token() == token
        account.refresh_from_db()
        assert account.failure_count == 1

    def test_an_unreachable_provider_is_retried(self, account, server):
        server.stop()
        assert self.fail(account, ProviderUnavailable).code == "unreachable"
        assert account.status_reason == "retrying"
        assert account.attempt_started_at is None


class TestOutcomeUnknown:
    def lose(self, account, server):
        server.script(Answer(drop=True))
        with pytest.raises(ProviderUnavailable) as caught:
            account.get_access_token()
        account.refresh_from_db()
        return caught.value

    def let_the_lease_run_out(self, account):
        account.stored_row().update(lease_until=account.created_at)
        account.refresh_from_db()

    def test_a_lost_answer_is_recorded_and_not_repeated_at_once(self, account, server):
        assert self.lose(account, server).code == "outcome_unknown"
        assert account.status == "active"
        assert account.status_reason == "outcome_unknown"
        assert account.lease is not None
        assert account.refresh_due_at > account.lease_until
        with pytest.raises(ProviderUnavailable) as caught:
            account.get_access_token()
        assert caught.value.code == "outcome_unknown"
        assert 0 < caught.value.retry_after <= 60
        assert len(server.token_requests) == 1

    def test_the_old_token_is_tried_once_more_after_the_lease(self, account, server):
        self.lose(account, server)
        self.let_the_lease_run_out(account)
        assert server.is_live(account.get_access_token())
        account.refresh_from_db()
        assert account.status_reason == ""

    def test_an_invalid_grant_then_means_that_the_rotation_was_lost(
        self, account, server
    ):
        server.lose_answer()
        with pytest.raises(ProviderUnavailable):
            account.get_access_token()
        self.let_the_lease_run_out(account)
        with pytest.raises(ReauthRequired) as caught:
            account.get_access_token()
        assert caught.value.code == "rotation_lost"
        account.refresh_from_db()
        assert (account.status, account.status_reason) == (
            "needs_reauth",
            "rotation_lost",
        )

    def test_a_crash_between_call_and_write_is_noticed(self, account, server):
        assert refresh.lease.take(account)  # and the process dies here
        self.let_the_lease_run_out(account)
        server.script(Answer(status=400, json={"error": "invalid_grant"}))
        with pytest.raises(ReauthRequired) as caught:
            account.get_access_token()
        assert caught.value.code == "rotation_lost"

    def test_an_outage_in_between_does_not_make_it_forgotten(self, account, server):
        self.lose(account, server)
        self.let_the_lease_run_out(account)
        server.script(Answer(status=503, json={}))
        with pytest.raises(ProviderUnavailable):
            account.get_access_token()
        account.refresh_from_db()
        assert account.status_reason == "outcome_unknown"

    def test_an_answer_that_is_no_json_is_an_unknown_outcome(self, account, server):
        server.script(Answer(status=200, body="<html>captive portal</html>"))
        with pytest.raises(ProviderUnavailable) as caught:
            account.get_access_token()
        assert caught.value.code == "outcome_unknown"


class TestRefused:
    """Before anything is sent."""

    def test_a_disabled_provider(self, account, server):
        type(account.provider).objects.update(enabled=False)
        with pytest.raises(ProviderMisconfigured) as caught:
            account.get_access_token()
        assert caught.value.code == "provider_disabled"

    def test_an_inactive_owner_disables_the_account(self, account, server):
        User.objects.update(is_active=False)
        account = ConnectedAccount.objects.get(pk=account.pk)
        with pytest.raises(ProviderMisconfigured) as caught:
            account.get_access_token()
        assert caught.value.code == "owner_inactive"
        account.refresh_from_db()
        assert (account.status, account.status_reason) == ("disabled", "owner_inactive")
        with pytest.raises(ProviderMisconfigured):
            account.get_access_token()
        assert server.token_requests == []

    def test_an_inactive_owner_gets_no_fresh_token_either(self, make_account, owner):
        account = make_account(expires_in=3000)
        owner.is_active = False
        owner.save()
        account = ConnectedAccount.objects.select_related("owner").get(pk=account.pk)
        with pytest.raises(ProviderMisconfigured):
            account.get_access_token()

    def test_no_refresh_token_and_an_expired_access_token(self, account, server, told):
        account.stored_row().update(refresh_token=None)
        with pytest.raises(ReauthRequired) as caught:
            account.get_access_token()
        assert caught.value.code == "refresh_token_expired"
        account.refresh_from_db()
        assert account.status == "needs_reauth"
        assert len(told) == 1

    def test_a_refresh_token_past_its_date(self, make_account, server):
        past = timezone.now() - timedelta(seconds=1)
        account = make_account(expires_in=3000, refresh_token_expires_at=past)
        with pytest.raises(ReauthRequired):
            account.refresh()
        account.refresh_from_db()
        assert account.status == "active"
        assert server.token_requests == []

    def test_a_deleted_account(self, account):
        ConnectedAccount.objects.filter(pk=account.pk).delete()
        with pytest.raises(ReauthRequired) as caught:
            account.get_access_token()
        assert caught.value.code == "account_deleted"

    def test_a_provider_whose_token_endpoint_moved(self, account, server):
        type(account.provider).objects.update(
            token_endpoint="https://evil.example/token"
        )
        account = ConnectedAccount.objects.get(pk=account.pk)
        with pytest.raises(ProviderMisconfigured) as caught:
            account.get_access_token()
        assert caught.value.code == "provider_changed"
        account.refresh_from_db()
        assert (account.status, account.status_reason) == (
            "disabled",
            "provider_changed",
        )
        assert server.token_requests == []

    def test_a_missing_key_harms_nothing_and_its_return_heals(
        self, account, server, settings
    ):
        keys = settings.FERNET_KEYS
        settings.FERNET_KEYS = ["another-key-that-opens-nothing-here-0a1b2c"]
        with pytest.raises(TokenUndecryptable):
            account.get_access_token()
        account.refresh_from_db()
        assert account.status == "active"
        assert account.is_undecryptable()
        assert account.lease is None
        settings.FERNET_KEYS = keys
        assert not account.is_undecryptable()
        assert server.is_live(account.get_access_token())

    def test_an_account_without_any_access_token(self, make_account):
        account = make_account(expires_in=None)
        account.stored_row().update(access_token=None, refresh_token=None)
        account.reload()
        with pytest.raises(ReauthRequired):
            account.get_access_token()


class TestMeanwhile:
    """What somebody else does between request and answer."""

    def during(self, server, action):
        def hook(request):
            try:
                action()
            finally:
                connections.close_all()

        server.on_token_request = hook

    def test_revoked(self, account, server):
        twin = ConnectedAccount.objects.get(pk=account.pk)
        self.during(server, twin.revoke)
        with pytest.raises(ReauthRequired):
            account.get_access_token()
        account.refresh_from_db()
        assert account.status == "revoked"
        assert account.access_token is None
        late = PendingRevocation.objects.get(reason="superseded")
        assert server.is_live(late.reveal("refresh_token").get_value())

    def test_deleted(self, account, server, owner):
        self.during(server, owner.delete)
        with pytest.raises(ReauthRequired):
            account.get_access_token()
        late = PendingRevocation.objects.get(reason="superseded")
        assert late.account is None
        assert server.is_live(late.reveal("access_token").get_value())

    def test_disabled(self, account, server):
        twin = ConnectedAccount.objects.get(pk=account.pk)
        self.during(server, lambda: refresh.reactions.disable(twin, "by_admin"))
        account.refresh()
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert (stored.status, stored.status_reason) == ("disabled", "by_admin")
        assert stored.refresh_due_at is None
        assert server.is_live(stored.reveal("refresh_token").get_value())
        assert PendingRevocation.objects.count() == 0

    def test_reconnected(self, account, server):
        def reconnect():
            account.stored_row().update(
                lease=None, lease_until=None, generation=account.generation + 1
            )

        self.during(server, reconnect)
        account.refresh()
        assert PendingRevocation.objects.count() == 0

    def test_a_receiver_that_raises_does_not_endanger_the_token(self, account, server):
        def explode(**kwargs):
            raise RuntimeError("receiver")

        signals.tokens_refreshed.connect(explode)
        try:
            assert server.is_live(account.get_access_token())
        finally:
            signals.tokens_refreshed.disconnect(explode)

    def test_revoked_and_deleted_at_the_same_moment(self, account, server, monkeypatch):
        values = account.token_values(
            TokenSet(issued_at=clock.utcnow(), refresh_token=Secret("rt"), problem="x")
        )
        rows = ConnectedAccount.objects.filter(pk=account.pk)
        rows.update(status="revoked", refresh_due_at=None)
        answer = SimpleNamespace(first=lambda: "revoked")
        seen = SimpleNamespace(values_list=lambda *names, **options: answer)
        monkeypatch.setattr(account, "stored_row", lambda: seen)
        rows.delete()
        PendingRevocation.objects.all().delete()
        salvage.keep_for_revocation(account, values)
        late = PendingRevocation.objects.get()
        assert late.account is None
        assert late.reveal("refresh_token") == Secret("rt")

    def test_disabled_twice_is_one_event(self, account):
        assert refresh.reactions.disable(account, "by_admin")
        assert not refresh.reactions.disable(account, "by_admin")
        assert account.events.count() == 1

    @pytest.mark.parametrize("reason", ["identity_changed", "imported_unverified"])
    def test_enabled_again_it_needs_its_owner_if_it_did_before(self, account, reason):
        assert refresh.reactions.require_reauth(account, reason)
        assert refresh.reactions.disable(account, "by_admin")
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert (stored.status, stored.status_reason) == ("disabled", "by_admin")

        assert refresh.reactions.enable(account)

        assert (account.status, account.status_reason) == ("needs_reauth", reason)
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert (stored.status, stored.status_reason) == ("needs_reauth", reason)
        assert (stored.reason_before, stored.refresh_due_at) == ("", None)
        assert not refresh.reactions.enable(account)

    def test_enabled_again_it_is_used_if_it_was_before(self, account):
        assert refresh.reactions.disable(account, "by_admin")
        assert refresh.reactions.enable(account)
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert (stored.status, stored.status_reason) == ("active", "")
        assert stored.refresh_due_at is not None

    def test_needs_reauth_twice_is_one_event_and_one_signal(self, account, told):
        twin = ConnectedAccount.objects.get(pk=account.pk)
        assert refresh.reactions.require_reauth(account, "invalid_grant")
        assert not refresh.reactions.require_reauth(twin, "invalid_grant")
        assert account.events.count() == 1
        assert len(told) == 1

    def test_postponing_what_somebody_else_took_writes_nothing(self, account):
        lost = refresh.lease.take(account)
        account.stored_row().update(lease=None)
        refresh.reactions.failed(
            account, lost.lease, ProviderUnavailable("server_error")
        )
        account.refresh_from_db()
        assert account.failure_count == 0
        assert account.events.count() == 0


class TestLongLivedInstance:
    """Its provider was read long ago; what is stored now counts."""

    def test_a_provider_that_moved_and_an_account_that_followed(self, account, server):
        stale = ConnectedAccount.objects.select_related("provider").get(pk=account.pk)
        provider = account.provider
        provider.issuer = "https://moved.example"
        provider.client_secret = server.client_secret
        provider.save()
        fresh = ConnectedAccount.objects.get(pk=account.pk)
        access_token, refresh_token = server.issue(subject="alice")
        tokens = TokenSet(
            issued_at=clock.utcnow() - timedelta(hours=2),
            access_token=Secret(access_token),
            refresh_token=Secret(refresh_token),
            token_type="Bearer",
            expires_in=3600,
        )
        fresh.stored_row().update(
            **fresh.token_values(tokens), generation=F("generation") + 1
        )
        stale.reload()
        assert server.is_live(stale.get_access_token())
        assert ConnectedAccount.objects.get(pk=account.pk).status == "active"

    def test_a_secret_that_was_changed(self, account, server):
        stale = ConnectedAccount.objects.select_related("provider").get(pk=account.pk)
        assert stale.provider.reveal("client_secret")
        provider = account.provider
        server.client_secret = "the-new-secret"
        provider.client_secret = server.client_secret
        provider.save()
        assert server.is_live(stale.get_access_token())
        provider.refresh_from_db()
        assert not provider.is_paused()

    def test_a_waiter_does_not_give_up_a_refresh_that_is_under_way(
        self, make_account, server
    ):
        soon = timezone.now() + timedelta(seconds=0.6)
        account = make_account(refresh_token_expires_at=soon)
        started = threading.Event()
        server.on_token_request = lambda request: (started.set(), time.sleep(1.2))
        twin = ConnectedAccount.objects.get(pk=account.pk)
        answers = []

        def ask():
            try:
                answers.append(twin.get_access_token())
            finally:
                connections.close_all()

        other = threading.Thread(target=ask)
        other.start()
        started.wait(10)
        time.sleep(0.7)
        assert account.get_access_token() == server.grants[0].access_tokens[-1]
        other.join()
        assert answers == [account.get_access_token()]

    def test_a_valid_token_without_refresh_token_is_used_to_its_end(
        self, make_account, server
    ):
        account = make_account(expires_in=40)
        account.stored_row().update(refresh_token=None)
        assert server.is_live(account.get_access_token())


class TestRecording:
    def test_an_account_deleted_after_the_store_still_has_its_history(
        self, account, server, monkeypatch
    ):
        account.stored_row().update(failure_count=1)
        record = type(account.provider.refresh_statistics).record

        def record_and_delete(manager, *arguments):
            record(manager, *arguments)
            ConnectedAccount.objects.filter(pk=account.pk).delete()

        monkeypatch.setattr(type(RefreshStatistic.objects), "record", record_and_delete)
        account.refresh()
        event = AccountEvent.objects.get(kind="recovered")
        assert event.account is None
        assert event.account_key == account.pk

    def test_statistics_that_cannot_be_written_harm_nothing(
        self, account, server, monkeypatch, caplog, told
    ):
        def fail(*arguments):
            raise OperationalError("no")

        monkeypatch.setattr(type(RefreshStatistic.objects), "record", fail)
        assert server.is_live(account.get_access_token())
        assert "could not be recorded (OperationalError)" in caplog.text
        assert [name for name, _ in told] == ["tokens_refreshed"]

    def test_a_life_past_all_dates_is_clamped(self, account, server):
        Provider.objects.update(default_lifetime=2**31 - 1)
        server.expires_in = None
        account.refresh()
        left = account.expires_at - timezone.now()
        assert timedelta(days=3640) < left < timedelta(days=3651)


def id_token(subject) -> str:
    claims = urlsafe_b64encode(json.dumps({"sub": subject}).encode()).decode()
    return f"e30.{claims.rstrip('=')}.c2ln"


class TestIdentity:
    """An ID token that comes with a refresh is about whom the first one was about."""

    def answer(self, subject, **values):
        return Answer(
            json={
                "access_token": "at-of-somebody",
                "refresh_token": "rt-of-somebody",
                "token_type": "bearer",
                "expires_in": 3600,
                "id_token": id_token(subject),
                **values,
            }
        )

    @pytest.mark.parametrize("swept", [False, True])
    def test_a_strangers_tokens_are_not_stored(self, account, server, swept):
        before = account.refresh_token
        server.script(self.answer("mallory"))
        if swept:
            assert sweep.run().failed == 1
        else:
            with pytest.raises(ReauthRequired) as caught:
                account.get_access_token()
            assert caught.value.code == "identity_changed"
        account.reload()
        assert (account.status, account.status_reason) == (
            "needs_reauth",
            "identity_changed",
        )
        assert account.refresh_token == before
        [waiting] = PendingRevocation.objects.all()
        assert waiting.reason == "identity_changed"
        assert waiting.reveal("refresh_token").get_value() == "rt-of-somebody"
        assert waiting.reveal("access_token").get_value() == "at-of-somebody"

    def test_who_connected_again_meanwhile_keeps_the_new_grant(self, account, server):
        def reconnect(request):
            account.stored_row().update(lease=None, generation=F("generation") + 1)
            connections.close_all()
            return self.answer("mallory")

        server.script(reconnect)
        with pytest.raises(ReauthRequired):
            account.get_access_token()
        account.reload()
        assert account.status == "active"
        assert not PendingRevocation.objects.exists()

    @pytest.mark.parametrize("subject", ["alice", None, 7, ["alice"]])
    def test_the_same_subject_or_none_is_stored(self, account, server, subject):
        server.script(self.answer(subject))
        assert account.get_access_token() == "at-of-somebody"

    @pytest.mark.parametrize("token", ["", "a.b", "a.é.c", "a.!!!!!.c", "a.W10.c"])
    def test_what_is_no_id_token_says_nothing(self, account, server, token):
        server.script(self.answer("alice", id_token=token))
        assert account.get_access_token() == "at-of-somebody"

    def test_a_subject_of_another_kind_is_not_compared(self, account, server):
        type(account.provider).objects.update(uid_path="id")
        server.script(self.answer("mallory"))
        assert account.get_access_token() == "at-of-somebody"
