"""Cards: every state in the owner's words, what was granted, and what can be done."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from oauth_accounts import cards, clock, fields, reasons
from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.views.browser import (
    Browser,
    actions,
    disconnect_url,
    list_url,
    page_of,
    reconnect_url,
)

LATER, EARLIER = timedelta(minutes=10), timedelta(minutes=-10)


def text_of(tag: Any) -> str:
    return " ".join(tag.get_text(" ").split())


def card_of(browser: Browser) -> Any:
    return page_of(browser).find("article")


def card_for(account: ConnectedAccount) -> cards.Card:
    rows = cards.accounts_of(account.owner)
    (card,) = cards.cards_of(rows.filter(pk=account.pk))
    return card


class TestStates:
    @pytest.mark.parametrize("reason", reasons.ACCOUNT)
    def test_each_reason_is_said(self, account: ConnectedAccount, reason: str) -> None:
        ConnectedAccount.objects.update(status_reason=reason)
        assert len(card_for(account).reason_text) > 20

    def test_all_is_well_without_a_word(self, account: ConnectedAccount) -> None:
        card = card_for(account)
        assert (card.status, card.status_text) == ("active", "Connected")
        assert card.reason_text == ""
        assert not card.offers_reconnect
        assert not card.asks_again

    def test_a_key_that_is_gone(self, account: ConnectedAccount) -> None:
        with override_settings(FERNET_KEYS=["another-key-made-up-for-this-test-7f31"]):
            card = card_for(account)
        assert (card.status, card.reason) == ("attention", "undecryptable")
        assert card.offers_reconnect

    def test_no_keys_at_all_break_nothing(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        with override_settings(FERNET_KEYS=[], DEBUG=False):
            card = card_of(browser)
        assert "cannot read the permission" in text_of(card)

    def test_a_row_that_names_no_key_is_believed(
        self, account: ConnectedAccount
    ) -> None:
        ConnectedAccount.objects.update(key_id="")
        assert card_for(account).status == "active"

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"expires_at": LATER, "refresh_token": None}, ""),
            ({"expires_at": EARLIER, "refresh_token": None}, "expired"),
            ({"expires_at": None, "refresh_token": None}, ""),
            # It is renewed when it is needed next.
            ({"expires_at": EARLIER}, ""),
            ({"expires_at": EARLIER, "refresh_token_expires_at": EARLIER}, "expired"),
            ({"expires_at": EARLIER, "refresh_token_expires_at": LATER}, ""),
            ({"expires_at": LATER, "refresh_token_expires_at": EARLIER}, ""),
        ],
    )
    def test_expired_is_what_nobody_can_renew(
        self, account: ConnectedAccount, values: dict[str, Any], reason: str
    ) -> None:
        now = clock.utcnow()
        ConnectedAccount.objects.update(
            **{
                name: now + value if isinstance(value, timedelta) else value
                for name, value in values.items()
            }
        )
        card = card_for(account)
        assert card.reason == reason
        assert card.needs_attention == bool(reason)

    @pytest.mark.parametrize(("when", "paused"), [(LATER, True), (EARLIER, False)])
    def test_a_paused_provider_is_said_calmly(
        self, browser: Browser, account: ConnectedAccount, when: timedelta, paused: bool
    ) -> None:
        Provider.objects.update(
            paused_until=clock.utcnow() + when, pause_reason="unavailable"
        )
        page = page_of(browser)
        assert page.find(class_="oa-status").get_text() == "Connected"
        assert ("You need not do anything" in page.get_text()) == paused
        # The service is still offered; its page says when it can be tried.
        assert ("may not work yet" in page.get_text()) == paused

    @pytest.mark.parametrize(
        ("status", "reason", "possible"),
        [
            ("disabled", "by_admin", False),
            ("disabled", "owner_inactive", False),
            ("disabled", "provider_changed", True),
            ("revoked", "by_admin", True),
            ("revoked", "by_owner", True),
            ("needs_reauth", "rotation_lost", True),
        ],
    )
    def test_connecting_again_is_offered_where_it_helps(
        self, account: ConnectedAccount, status: str, reason: str, possible: bool
    ) -> None:
        ConnectedAccount.objects.update(
            status=status, status_reason=reason, refresh_due_at=None
        )
        card = card_for(account)
        assert card.offers_reconnect == possible
        Provider.objects.update(enabled=False)
        assert not card_for(account).offers_reconnect

    @pytest.mark.parametrize("status", ["active", "needs_reauth", "disabled"])
    def test_nobody_is_led_to_a_provider_whose_addresses_are_in_doubt(
        self, browser: Browser, account: ConnectedAccount, status: str
    ) -> None:
        ConnectedAccount.objects.update(
            status=status,
            status_reason="" if status == "active" else "provider_changed",
            refresh_due_at=None,
        )
        Provider.objects.update(token_endpoint="https://elsewhere.example/token")
        card = card_for(account)
        assert not card.can_reconnect
        assert not card.needs_attention
        assert "an administrator has to repair this first" in card.reason_text
        page = page_of(browser, connect="fake").get_text()
        assert "this may not work yet" in page

    def test_who_ended_it_is_said(self, account: ConnectedAccount) -> None:
        account.revoke(reason="by_admin")
        assert "An administrator has ended it" in card_for(account).reason_text


class TestPermissions:
    def test_they_are_in_words_with_the_scopes_at_hand(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        Provider.objects.update(scope_descriptions={"read": "Read your notes"})
        ConnectedAccount.objects.update(scopes=["email", "read", "write"])
        card = card_of(browser)
        items = [li.get_text() for li in card.find(class_="oa-permissions")("li")]
        assert items == ["Read your email address", "Read your notes", "write"]
        raw = [li.get_text() for li in card.find(class_="oa-scopes")("li")]
        assert raw == ["email", "read", "write"]

    def test_words_are_escaped(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        Provider.objects.update(scope_descriptions={"read": "<b>Read</b>"})
        assert card_of(browser).find("b") is None

    def test_what_was_not_granted_can_be_asked_for_again(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        assert reconnect_url(account) not in actions(page_of(browser))
        ConnectedAccount.objects.update(
            scopes=["read"], status_reason="scopes_narrowed"
        )
        page = page_of(browser)
        assert text_of(page.find(class_="oa-missing")) == (
            "Not granted write Ask again for permissions"
        )
        assert page.find(class_="oa-status").get_text() == "Connected"
        assert reconnect_url(account) in actions(page)

    def test_what_the_site_asks_for_since_is_missing_too(
        self, account: ConnectedAccount
    ) -> None:
        Provider.objects.update(scopes=["read", "write", "admin"])
        (missing,) = card_for(account).missing
        assert missing.scope == "admin"

    def test_what_is_not_asked_for_any_more_is_not_missed(
        self, account: ConnectedAccount
    ) -> None:
        Provider.objects.update(scopes=["read"])
        ConnectedAccount.objects.update(
            scopes=["read"], requested_scopes=["read", "write"]
        )
        assert card_for(account).missing == []

    def test_asking_again_waits_for_the_account_to_work(
        self, account: ConnectedAccount
    ) -> None:
        ConnectedAccount.objects.update(
            scopes=[], status="needs_reauth", refresh_due_at=None
        )
        card = card_for(account)
        assert card.offers_reconnect
        assert not card.asks_again
        account.revoke()
        assert card_for(account).missing == []


class TestTimes:
    def test_they_are_said_as_people_do_and_exactly(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        now = clock.utcnow()
        ConnectedAccount.objects.update(
            created_at=now - timedelta(days=70),
            last_refreshed_at=now - timedelta(minutes=5, seconds=1),
        )
        card = card_of(browser)
        words = [text_of(tag) for tag in card.find_all("time")]
        assert words == ["Connected 2 months ago", "Access renewed 5 minutes ago"]
        first = card.find("time")
        assert first["datetime"].startswith(str((now - timedelta(days=70)).year))
        # Also for those who have no mouse to hover with.
        assert first["title"] in text_of(card.find(class_="oa-more"))

    def test_an_account_that_was_never_renewed(self, account: ConnectedAccount) -> None:
        ConnectedAccount.objects.update(last_refreshed_at=None)
        assert card_for(account).refreshed_age == ""


class TestDisconnecting:
    def test_what_stops_is_said_before(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        text = text_of(card_of(browser).find(class_="oa-confirm"))
        assert "stops using alice@provider.example at once" in text
        assert "Fake provider is told to end the access" in text

    def test_a_provider_that_cannot_be_told(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        Provider.objects.update(revocation_endpoint="")
        text = text_of(card_of(browser).find(class_="oa-confirm"))
        assert "remove it in your account settings there as well" in text

    @pytest.mark.parametrize(
        ("endpoint", "words"),
        [
            ("https://p.example/revoke", "is being told to end the access"),
            ("", "cannot be told to end the access"),
        ],
    )
    def test_the_message_says_what_happens_at_the_provider(
        self, browser: Browser, account: ConnectedAccount, endpoint: str, words: str
    ) -> None:
        Provider.objects.update(revocation_endpoint=endpoint)
        browser.post(disconnect_url(account))
        message = page_of(browser).find(class_="oa-messages").get_text()
        assert f"is disconnected. Fake provider {words}" in message

    def test_without_tokens_there_is_nothing_to_tell(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        ConnectedAccount.objects.update(**dict.fromkeys(fields.SEALED_FIELDS))
        browser.post(disconnect_url(account))
        message = page_of(browser).find(class_="oa-messages").get_text(strip=True)
        assert message == "alice@provider.example at Fake provider is disconnected."

    def test_where_to_look_is_linked(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        account.revoke()
        PendingRevocation.objects.update(status="unsupported")
        assert card_of(browser).find("a") is None
        Provider.objects.update(grants_url="https://p.example/apps")
        link = card_of(browser).find("a")
        assert link["href"] == "https://p.example/apps"
        assert link["rel"] == ["noreferrer"]

    def test_a_link_of_sqls_to_a_script_is_none(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        account.revoke()
        Provider.objects.update(grants_url="javascript:alert(1)")
        assert card_of(browser).find("a") is None


class TestMany:
    @pytest.fixture
    def many(self, provider: Provider, user: Any) -> list[ConnectedAccount]:
        other = ProviderFactory(slug="aaa", name="Aardvark")
        made = [
            ConnectedAccountFactory(
                provider=(provider, other)[number % 2],
                owner=user,
                label=f"p{number:02}",
            )
            for number in range(60)
        ]
        ConnectedAccount.objects.filter(label="p50").update(
            status="needs_reauth", status_reason="invalid_grant", refresh_due_at=None
        )
        return made

    def test_they_stand_by_provider_those_in_need_first(
        self, browser: Browser, many: list[ConnectedAccount]
    ) -> None:
        groups = page_of(browser).find_all(class_="oa-group")
        assert [g.h3.get_text() for g in groups] == ["Aardvark", "Fake provider"]
        names = [h.get_text() for h in groups[1].find_all(class_="oa-name")]
        assert names[:3] == ["p50", "p00", "p02"]
        assert len(names) == 30
        assert "30 accounts" in groups[1].get_text()

    def test_a_list_leads_to_those_in_need(
        self, browser: Browser, many: list[ConnectedAccount]
    ) -> None:
        page = page_of(browser)
        listed = page.find(class_="oa-attention-list")
        assert listed.h2.get_text() == "1 account needs your attention"
        (link,) = listed.find_all("a")
        assert page.find(id=link["href"][1:]).find_parent("article") is not None

    def test_their_details_are_folded_away_but_not_the_reason(
        self, browser: Browser, many: list[ConnectedAccount]
    ) -> None:
        page = page_of(browser)
        for article in page.find_all("article"):
            assert article.find("dl").find_parent("details") is not None
        (reason,) = page.find_all(class_="oa-reason")
        assert reason.find_parent("details") is None
        assert page.find(class_="oa-reconnect").find_parent("details") is None

    def test_a_few_are_shown_openly(
        self, browser: Browser, account: ConnectedAccount
    ) -> None:
        page = page_of(browser)
        assert page.find("dl").find_parent("details") is None
        assert page.find(class_="oa-attention-list") is None
        assert page.find(class_="oa-group") is None

    def test_the_number_of_queries_stays_the_same(
        self, browser: Browser, account: ConnectedAccount, user: Any
    ) -> None:
        counts = []
        for _round in range(2):
            with CaptureQueriesContext(connection) as queries:
                page_of(browser)
            counts.append(len(queries))
            ConnectedAccountFactory.create_batch(20, owner=user)
        # Session and user, accounts, their revocations, providers.
        assert counts == [5, 5]


@pytest.mark.faces
def test_no_token_is_opened_or_even_read(
    browser: Browser, account: ConnectedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, pin = fields.reveal, account.provider.pinned_addresses

    def reveal(sealed: Any, place: Any) -> Any:
        # What the provider's addresses are held against holds no secret.
        assert sealed == pin, "a token was opened"
        return opened(sealed, place)

    monkeypatch.setattr(fields, "reveal", reveal)
    with CaptureQueriesContext(connection) as queries:
        page_of(browser)
    (read,) = [
        q["sql"]
        for q in queries
        if "connectedaccount" in q["sql"].lower()[:400]
        and "pendingrevocation" not in q["sql"].lower()[:200]
    ]
    assert '"oauth_accounts_connectedaccount"."access_token"' not in read


@pytest.mark.faces
def test_ids_are_unique_and_headings_descend(
    browser: Browser, provider: Provider, user: Any
) -> None:
    ConnectedAccountFactory.create_batch(2, provider=provider, owner=user)
    ConnectedAccountFactory(owner=user)
    ConnectedAccountFactory(owner=user).revoke()
    page = page_of(browser, connect="fake")
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    levels = [int(h.name[1]) for h in page.find_all(["h1", "h2", "h3", "h4"])]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


@pytest.mark.faces
def test_an_empty_page_says_what_comes_next(
    browser: Browser, provider: Provider
) -> None:
    empty = page_of(browser).find(class_="oa-empty").get_text()
    assert "You have not connected any account yet." in empty
    assert "disconnect it here at any time" in empty


@pytest.mark.faces
@override_settings(DEBUG=False)
def test_no_style_and_no_script_stands_in_the_page(
    browser: Browser, account: ConnectedAccount
) -> None:
    response = browser.get(list_url())
    page = BeautifulSoup(response.content, "html.parser")
    assert page.find(style=True) is None
    assert page.find(["script", "style"]) is None
