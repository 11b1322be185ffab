"""What happens to an account, its owner or its provider while a callback is under way."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connections, transaction

from oauth_accounts import connect, grant, outbox, reactions
from oauth_accounts.exceptions import AuthorizationError, ProviderUnavailable
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.wire import Answer
from tests.engine.test_connect import Browser, refused


@pytest.fixture
def browser(owner):
    return Browser(owner)


@pytest.fixture
def account(browser, provider, server):
    return browser.connect(provider, server).account


def during(server, action):
    """Do something while the provider answers the code exchange."""

    def hook(request):
        server.on_token_request = None
        try:
            action()
        finally:
            connections.close_all()

    server.on_token_request = hook


class TestReconnect:
    @pytest.fixture
    def url(self, browser, provider, server, account):
        return server.authorize(browser.start(provider, account=account))

    def test_a_refresh_token_rotated_meanwhile_is_kept(
        self, browser, server, account, url
    ):
        twin = ConnectedAccount.objects.get(pk=account.pk)
        during(server, twin.refresh)
        answer = server.respond

        def without_refresh_token(request):
            made = answer(request)
            made.json.pop("refresh_token")
            return made

        server.script(without_refresh_token)
        browser.finish(url)
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert stored.reveal("refresh_token") == twin.reveal("refresh_token")

    def test_a_disconnect_meanwhile_leaves_no_dead_refresh_token(
        self, browser, server, account, url
    ):
        twin = ConnectedAccount.objects.get(pk=account.pk)
        old = twin.reveal("refresh_token")
        during(server, twin.revoke)
        browser.finish(url)
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert stored.status == "active"
        assert stored.reveal("refresh_token") != old
        assert server.is_live(stored.reveal("refresh_token").get_value())

    def test_an_admin_who_disables_it_meanwhile_wins(
        self, browser, server, account, url
    ):
        twin = ConnectedAccount.objects.get(pk=account.pk)
        during(server, lambda: reactions.disable(twin, "by_admin"))
        assert refused(browser, url, AuthorizationError) == "disabled_by_admin"
        stored = ConnectedAccount.objects.get(pk=account.pk)
        assert (stored.status, stored.generation) == ("disabled", account.generation)

    def test_what_waits_in_the_outbox_cannot_end_the_new_grant(
        self, browser, server, account, provider
    ):
        account.revoke()
        browser.connect(provider, server)
        pending = PendingRevocation.objects.get()
        assert (pending.status, pending.refresh_token) == ("superseded", None)
        assert outbox.deliver_due() == 0

    def test_tokens_of_an_unknown_person_are_not_revoked_beside_a_live_account(
        self, browser, server, account, provider
    ):
        for options in ({"account": account}, {}):
            url = server.authorize(browser.start(provider, **options))
            server.script(Answer(status=503), endpoint="userinfo")
            refused(browser, url, ProviderUnavailable)
        assert PendingRevocation.objects.count() == 0

    def test_scopes_of_the_old_grant_say_nothing_of_the_new_one(
        self, browser, server, account, url
    ):
        account.stored_row().update(scopes=["other"])
        answer = server.respond

        def without_scope(request):
            made = answer(request)
            made.json.pop("scope")
            return made

        server.script(without_scope)
        stored = browser.finish(url).account
        assert stored.scopes is None
        assert stored.status_reason == ""


class TestDeletedDuringTheExchange:
    @pytest.fixture
    def events(self, transactional_db):
        yield
        assert AccountEvent.objects.filter(kind="rejected").count() == 1

    def test_the_account(self, browser, server, account, provider, events):
        url = server.authorize(browser.start(provider, account=account))
        during(server, ConnectedAccount.objects.get(pk=account.pk).delete)
        assert refused(browser, url, AuthorizationError) == "account_deleted"

    def test_the_owner(self, browser, server, provider, events):
        url = server.authorize(browser.start(provider))
        during(server, User.objects.get(pk=browser.user.pk).delete)
        assert refused(browser, url, AuthorizationError) == "not_stored"

    def test_the_provider(self, browser, server, provider, caplog):
        url = server.authorize(browser.start(provider))
        during(server, Provider.objects.get(pk=provider.pk).delete)
        assert refused(browser, url, AuthorizationError) == "not_stored"
        assert "could not be kept for revocation" in caplog.text


@pytest.mark.postgres
@pytest.mark.mariadb
def test_a_caller_who_holds_the_owner_gets_an_error_and_the_tokens_are_kept(
    browser, server, provider
):
    url = server.authorize(browser.start(provider))
    begun = time.monotonic()
    with transaction.atomic():
        list(User.objects.select_for_update().filter(pk=browser.user.pk))
        assert refused(browser, url, AuthorizationError) == "not_stored"
    assert time.monotonic() - begun < 20
    assert PendingRevocation.objects.count() == 1


def test_a_database_that_fails_has_the_tokens_revoked(
    browser, server, provider, monkeypatch
):
    def fail(*arguments):
        raise OperationalError

    monkeypatch.setattr(grant, "_find", fail)
    url = server.authorize(browser.start(provider))
    assert refused(browser, url, AuthorizationError) == "not_stored"
    assert PendingRevocation.objects.count() == 1


def test_an_owner_who_is_deactivated_and_comes_back(browser, server, account):
    other = Browser(User.objects.create_user("other")).connect(account.provider, server)
    owner = User.objects.get(pk=browser.user.pk)
    owner.last_name = "unrelated"
    owner.save()
    owner.is_active = False
    owner.save(update_fields=["last_name"])
    account.refresh_from_db()
    assert account.status == "active"
    owner.save()
    account.refresh_from_db()
    assert (account.status, account.status_reason) == ("disabled", "owner_inactive")
    assert account.refresh_due_at is None
    owner.is_active = True
    owner.save(update_fields=["is_active"])
    account.refresh_from_db()
    assert (account.status, account.status_reason) == ("active", "")
    assert account.refresh_due_at is not None
    kinds = list(account.events.order_by("created_at").values_list("kind", flat=True))
    assert kinds == ["connected", "disabled", "enabled"]
    other.account.refresh_from_db()
    assert other.account.status == "active"


def test_attempts_are_not_resurrected_by_a_deleted_owner(browser, provider, server):
    browser.start(provider)
    browser.user.delete()
    assert AuthorizationAttempt.objects.count() == 0
    assert connect.purge_attempts() == 0
