"""E35 and A5.5: somebody with access to the database points an address elsewhere."""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta

import pytest
from django.test import override_settings

from oauth_accounts import fields, outbox, sweep
from oauth_accounts.clock import DatabaseNow
from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderMisconfigured,
    TokenError,
    TokenUndecryptable,
)
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.models.provider_columns import PINNED_FIELDS
from oauth_accounts.testing.server import FakeProvider
from tests.faults.meanwhile import PATHS, renew
from tests.rows import again, alter, store, stored
from tests.views.browser import Browser, connect_url

OTHER_KEY = "another-sealing-key-made-up-for-this-test-2c9e4b60"
columns = pytest.mark.parametrize("column", PINNED_FIELDS)


@pytest.fixture
def evil():
    """A server that must never be asked for anything."""
    with FakeProvider() as fake:
        yield fake
        assert fake.requests == []


@pytest.fixture
def live(make_account):
    return make_account(expires_in=3000)


@pytest.fixture
def browser(owner, server):
    return Browser(owner, server)


def poison(provider, evil, column):
    value = getattr(evil, column, f"{evil.issuer}/{column}")
    alter(provider, **{column: "evil" if column == "slug" else value})


@columns
@pytest.mark.parametrize("path", PATHS)
def test_e35_a5_5_a_refresh_sends_nothing(
    path, column, account, server, provider, evil
):
    poison(provider, evil, column)

    renew(path, account)

    assert server.requests == []
    row = again(account)
    assert (row.status, row.status_reason) == ("disabled", "provider_changed")
    assert row.lease is None
    with pytest.raises(ProviderMisconfigured) as caught:
        row.get_access_token()
    assert caught.value.code == "provider_changed"


@columns
def test_e35_a5_5_a_session_sends_nothing(column, live, server, provider, evil):
    poison(provider, evil, column)

    with pytest.raises(ProviderMisconfigured) as caught:
        again(live).session().get("me")

    assert caught.value.code == "provider_changed"
    assert server.requests == []
    assert again(live).status_reason == "provider_changed"


@columns
def test_e35_a5_5_a_revocation_waits(column, live, server, provider, evil):
    """However often it is tried, the tokens stay; put right, they are revoked."""
    before = {name: getattr(provider, name) for name in PINNED_FIELDS}
    live.revoke()
    poison(provider, evil, column)
    for _again in range(3):
        PendingRevocation.objects.update(due_at=DatabaseNow())
        assert outbox.deliver_due() == 1
    row = PendingRevocation.objects.get()
    assert (row.status, row.last_error) == ("pending", "provider_changed")
    assert row.attempts == 0
    assert server.requests == []

    alter(provider, **before)
    PendingRevocation.objects.update(due_at=DatabaseNow() - timedelta(seconds=1))
    outbox.deliver_due()
    assert PendingRevocation.objects.get().status == "confirmed"


@columns
def test_e35_a5_5_nobody_is_sent_there(column, browser, server, provider, evil):
    """An address of a hostile log-in page would be phishing."""
    poison(provider, evil, column)

    response = browser.post(connect_url("evil" if column == "slug" else "fake"))

    assert response.status_code in {502, 503}
    assert "Location" not in response
    assert AuthorizationAttempt.objects.count() == 0


@columns
def test_e35_a5_5_a_callback_sends_no_code(column, browser, server, provider, evil):
    path = browser.consent(browser.start())
    server.requests.clear()
    poison(provider, evil, column)

    response = browser.get(path)

    assert response.status_code >= 400
    assert server.requests == []
    assert ConnectedAccount.objects.count() == 0


def test_e35_the_address_of_one_account(live, server, evil):
    alter(live, api_base_url=evil.api_base_url)

    with pytest.raises(ProviderMisconfigured) as caught:
        again(live).session().get("me")

    assert caught.value.code == "api_base_url_changed"
    assert server.requests == []
    assert again(live).status == "active"


class TestNoPin:
    @pytest.mark.parametrize("whose", ["nobody's", "another provider's"])
    def test_e35_is_refused_all_the_same(self, whose, account, server, provider):
        other = Provider.objects.create(slug="other")
        pin = None if whose == "nobody's" else stored(other, "pinned_addresses")
        store(provider, "pinned_addresses", pin)

        assert sweep.run().failed == 1

        assert server.requests == []
        assert again(account).status_reason == "provider_changed"

    @pytest.mark.parametrize("path", PATHS)
    def test_e36_a_pin_whose_key_is_gone_marks_nothing(
        self, path, make_account, server, provider
    ):
        account, live = make_account(), make_account("bob", expires_in=3000)
        with override_settings(FERNET_KEYS=[OTHER_KEY]):
            renew(path, account)
            with pytest.raises(TokenUndecryptable):
                again(live).session()
        assert server.requests == []
        for row in ConnectedAccount.objects.all():
            assert (row.status, row.status_reason) == ("active", "")
        assert not AccountEvent.objects.filter(kind="provider_altered").exists()

        ConnectedAccount.objects.update(refresh_due_at=DatabaseNow())
        again(account).refresh()
        assert again(live).session().get("me").status_code == 200


class TestTelling:
    @pytest.fixture
    def told(self, caplog):
        caplog.set_level(logging.ERROR, logger="oauth_accounts")

        def count():
            events = AccountEvent.objects.filter(kind="provider_altered").count()
            said = [r for r in caplog.records if "was altered" in r.getMessage()]
            assert events == len(said)
            return events

        return count

    def test_e35_an_administrator_is_told_once(
        self, make_account, browser, provider, evil, told, caplog
    ):
        accounts = [make_account(f"user-{n}") for n in range(5)]
        accounts[0].revoke()
        poison(provider, evil, "revocation_endpoint")

        sweep.run()
        outbox.deliver_due()
        browser.post(connect_url())
        with contextlib.suppress(OAuthAccountsError):
            again(accounts[1]).session()

        assert told() == 1
        assert "revocation_endpoint" in caplog.text
        assert evil.issuer not in caplog.text

    def test_and_again_the_next_day(self, make_account, provider, evil, told):
        poison(provider, evil, "token_endpoint")
        renew("sweep", make_account())
        yesterday = DatabaseNow() - timedelta(days=1, seconds=1)
        AccountEvent.objects.update(created_at=yesterday)
        renew("sweep", make_account("bob"))

        assert AccountEvent.objects.filter(kind="provider_altered").count() == 2

    def test_a_provider_that_moved_by_the_rules_is_nobodys_alarm(
        self, account, provider, evil, told
    ):
        provider.token_endpoint = evil.token_endpoint
        provider.save()

        with pytest.raises(TokenError):
            again(account).refresh()

        assert again(account).status_reason == "provider_changed"
        assert told() == 0


def test_e35_a_sweep_opens_the_pin_once(make_account, server, provider, monkeypatch):
    """It comes with the provider, and not with each of its accounts."""
    for number in range(6):
        make_account(f"user-{number}")
    opened = []
    reveal = fields.reveal

    def count(sealed, place, **options):
        opened.append(place["c"])
        return reveal(sealed, place, **options)

    monkeypatch.setattr(fields, "reveal", count)
    assert sweep.run().refreshed == 6
    assert opened.count("oauth_accounts.Provider.pinned_addresses") == 1
    assert opened.count("oauth_accounts.ConnectedAccount.refresh_token") == 6
