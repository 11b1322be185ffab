"""Stop here first, then at the provider; whatever stands in the way is told and retried."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from oauth_accounts import outbox, revoke, signals
from oauth_accounts.exceptions import ReauthRequired
from oauth_accounts.models import AccountEvent, ConnectedAccount, PendingRevocation
from oauth_accounts.testing.wire import Answer


@pytest.fixture
def live(make_account):
    return make_account(expires_in=3000)


def tokens_of(account):
    return [
        account.reveal(name).get_value() for name in ("refresh_token", "access_token")
    ]


def refresh_apart(account):
    try:
        account.refresh()
    finally:
        connections.close_all()


def make_due():
    PendingRevocation.objects.update(due_at=timezone.now() - timedelta(seconds=1))


class TestRevoke:
    def test_it_stops_at_once_and_calls_nobody(self, live, server, owner):
        heard = []
        signals.account_revoked.connect(
            lambda account, reason, **kwargs: heard.append(reason),
            weak=False,
            dispatch_uid="t",
        )
        live.revoke(reason="by_admin", actor=owner)
        signals.account_revoked.disconnect(dispatch_uid="t")
        stored = ConnectedAccount.objects.get()
        assert (stored.status, stored.status_reason) == ("revoked", "by_admin")
        assert stored.access_token is stored.refresh_token is None
        assert stored.refresh_due_at is None
        assert server.requests == []
        assert heard == ["by_admin"]
        event = stored.events.get()
        assert (event.kind, event.reason, event.actor) == ("revoked", "by_admin", owner)
        with pytest.raises(ReauthRequired) as caught:
            live.get_access_token()
        assert caught.value.code == "revoked"

    def test_twice_is_once(self, live):
        live.revoke()
        live.revoke()
        assert PendingRevocation.objects.count() == 1
        assert live.events.count() == 1

    def test_a_script_may_wait(self, live, server):
        tokens = tokens_of(live)
        live.revoke(wait=True)
        assert server.revoked == tokens
        pending = PendingRevocation.objects.get()
        assert pending.status == "confirmed"
        assert pending.access_token is pending.refresh_token is None

    def test_a_rollback_undoes_it_and_nothing_is_sent(self, live, server):
        with transaction.atomic():
            live.revoke(wait=True)
            transaction.set_rollback(True)
        assert ConnectedAccount.objects.get().status == "active"
        assert server.requests == []

    def test_what_the_provider_has_revoked_needs_no_call(self, live):
        live.revoke(reason="at_provider")
        assert PendingRevocation.objects.count() == 0

    def test_an_account_without_tokens(self, live):
        live.stored_row().update(access_token=None, refresh_token=None)
        live.revoke()
        assert PendingRevocation.objects.count() == 0
        assert live.status == "revoked"

    def test_it_works_when_the_key_is_missing(self, live, server, settings):
        tokens = tokens_of(live)
        keys = settings.FERNET_KEYS
        settings.FERNET_KEYS = ["not-the-key-that-sealed-anything-here-77"]
        live.revoke()
        outbox.deliver_due()
        assert PendingRevocation.objects.get().status == "pending"
        settings.FERNET_KEYS = keys
        make_due()
        outbox.deliver_due()
        assert server.revoked == tokens

    def test_a_stale_instance_revokes_the_tokens_that_are_stored(self, live, server):
        stale = ConnectedAccount.objects.get(pk=live.pk)
        live.refresh()
        stale.revoke()
        pending = PendingRevocation.objects.get()
        assert pending.reveal("refresh_token") == live.reveal("refresh_token")

    @pytest.mark.postgres
    @pytest.mark.mariadb
    def test_so_does_a_transaction_that_began_before_the_refresh(
        self, live, server, owner
    ):
        with transaction.atomic():
            stale = ConnectedAccount.objects.get(pk=live.pk)
            thread = threading.Thread(target=refresh_apart, args=(live,))
            thread.start()
            thread.join()
            stale.revoke()
        pending = PendingRevocation.objects.get()
        assert pending.reveal("refresh_token") == live.reveal("refresh_token")


class TestDelete:
    def test_a_deleted_owner_leaves_the_tokens_to_be_revoked(self, live, server, owner):
        tokens = tokens_of(live)
        owner.delete()
        pending = PendingRevocation.objects.get()
        assert pending.account is None
        outbox.deliver_due()
        assert server.revoked == tokens
        kinds = set(AccountEvent.objects.values_list("kind", "account_key"))
        assert kinds == {("deleted", live.pk), ("revocation_confirmed", live.pk)}

    def test_it_is_blocked_neither_by_the_provider_nor_by_a_missing_key(
        self, live, server, owner, settings
    ):
        server.stop()
        settings.FERNET_KEYS = ["not-the-key-that-sealed-anything-here-77"]
        owner.delete()
        assert PendingRevocation.objects.count() == 1

    def test_it_is_undone_by_a_rollback(self, live, owner):
        with transaction.atomic():
            owner.delete()
            transaction.set_rollback(True)
        assert PendingRevocation.objects.count() == 0
        assert ConnectedAccount.objects.count() == 1

    @pytest.mark.postgres
    @pytest.mark.mariadb
    def test_a_transaction_that_began_before_a_refresh_keeps_the_newest_tokens(
        self, live, owner
    ):
        with transaction.atomic():
            ConnectedAccount.objects.get(pk=live.pk)
            thread = threading.Thread(target=refresh_apart, args=(live,))
            thread.start()
            thread.join()
            owner.delete()
        pending = PendingRevocation.objects.get()
        assert pending.reveal("refresh_token") == live.reveal("refresh_token")

    def test_a_revoked_account_leaves_nothing_more(self, live):
        live.revoke()
        live.delete()
        assert PendingRevocation.objects.count() == 1

    def test_a_row_that_is_gone_already(self, live):
        twin = ConnectedAccount.objects.get(pk=live.pk)
        live.delete()
        twin.delete()
        assert PendingRevocation.objects.count() == 1

    def test_a_provider_with_accounts_is_protected(self, live):
        with pytest.raises(ProtectedError):
            live.provider.delete()


class TestDelivery:
    def test_rfc_7009_requests(self, live, server):
        refresh_token, access_token = tokens_of(live)
        live.revoke()
        assert outbox.count_due() == 1
        assert outbox.deliver_due() == 1
        assert [request.form for request in server.requests] == [
            {"token": refresh_token, "token_type_hint": "refresh_token"},
            {"token": access_token, "token_type_hint": "access_token"},
        ]
        assert all("Basic " in r.headers["Authorization"] for r in server.requests)
        assert ("revocation_confirmed", "confirmed") in live.events.values_list(
            "kind", "reason"
        )
        assert outbox.deliver_due() == 0

    def test_a_provider_that_is_down_is_asked_again_later(self, live, server):
        server.script(
            Answer(status=503, headers={"Retry-After": "7200"}), endpoint="revocation"
        )
        live.revoke()
        outbox.deliver_due()
        pending = PendingRevocation.objects.get()
        assert (pending.status, pending.last_error) == ("pending", "server_error")
        assert pending.due_at - timezone.now() > timedelta(seconds=7000)
        assert pending.lease is None
        assert outbox.deliver_due() == 0
        make_due()
        outbox.deliver_due()
        pending.refresh_from_db()
        assert (pending.status, pending.attempts) == ("confirmed", 2)

    def test_it_gives_up_and_wipes_the_tokens(self, live, server, monkeypatch):
        monkeypatch.setattr(revoke, "MAX_ATTEMPTS", 1)
        server.script(Answer(status=500), endpoint="revocation")
        live.revoke()
        outbox.deliver_due()
        pending = PendingRevocation.objects.get()
        assert (pending.status, pending.last_error) == ("failed", "server_error")
        assert pending.access_token is pending.refresh_token is None
        assert ("revocation_failed", "server_error") in live.events.values_list(
            "kind", "reason"
        )

    def test_a_provider_without_revocation_is_told_apart(self, live):
        live.provider.revocation_endpoint = ""
        live.provider.save()
        live.revoke()
        outbox.deliver_due()
        assert PendingRevocation.objects.get().status == "unsupported"

    def test_a_provider_that_moved_gets_no_token(self, live, server):
        live.revoke()
        type(live.provider).objects.update(token_endpoint="https://evil.example/token")
        outbox.deliver_due()
        pending = PendingRevocation.objects.get()
        assert (pending.status, pending.last_error) == ("pending", "provider_changed")
        assert server.requests == []

    def test_two_workers_do_not_send_the_same_token(self, make_account, server):
        for n in range(6):
            make_account(f"user-{n}").revoke()

        def deliver():
            try:
                outbox.deliver_due()
            finally:
                connections.close_all()

        threads = [threading.Thread(target=deliver) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.revoked) == len(set(server.revoked)) == 12

    def test_a_row_that_another_worker_takes_is_left_to_it(self, live, monkeypatch):
        live.revoke()
        due, calls = outbox._due, []

        def lose_once():
            calls.append(1)
            return due().none() if len(calls) == 2 else due()

        monkeypatch.setattr(outbox, "_due", lose_once)
        assert outbox.deliver_due() == 1
        assert len(calls) > 3

    def test_limit_and_progress(self, make_account):
        for n in range(3):
            make_account(f"user-{n}").revoke()
        seen = []
        assert outbox.deliver_due(limit=2, progress=seen.append) == 2
        assert seen == [1, 2]

    def test_a_hanging_provider_does_not_hold_up_the_page(self, live, server):
        server.script(Answer(delay=5), endpoint="revocation")
        begun = time.monotonic()
        live.revoke()
        assert time.monotonic() - begun < 2
