"""Refresh now and Revoke: permission, question, outcome in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import override_settings

from oauth_accounts import tasks
from oauth_accounts.admin import actions
from oauth_accounts.models import ConnectedAccount, PendingRevocation, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.admin.desk import ACCESS, REFRESH, Desk, form_data, messages

OTHER_KEY = "another-sealing-key-made-up-for-this-test-81d2e4b7"


@pytest.fixture
def account(account: ConnectedAccount, server: FakeProvider) -> ConnectedAccount:
    """The account, with tokens that the server knows."""
    access_token, refresh_token = server.issue("alice")
    account.delete()
    PendingRevocation.objects.all().delete()
    return ConnectedAccountFactory(
        provider=account.provider,
        owner=account.owner,
        uid="alice",
        label="alice@provider.example",
        access_token=access_token,
        refresh_token=refresh_token,
    )


@pytest.fixture
def enqueued(monkeypatch: Any) -> list[Any]:
    """What would have been sent to the workers."""
    sent: list[Any] = []
    monkeypatch.setattr(tasks, "enqueue", lambda task: bool(sent.append(task)) or True)
    return sent


class TestQuestion:
    @pytest.mark.parametrize("action", ["refresh_now", "revoke_selected"])
    def test_nothing_happens_before_the_answer(
        self, admin: Desk, account: ConnectedAccount, server: FakeProvider, action: str
    ) -> None:
        response = admin.act(action, account)
        page = BeautifulSoup(response.content, "html.parser")
        assert "Fake provider: alice@provider.example (anna)" in page.get_text()
        assert server.requests == []
        account.refresh_from_db()
        assert account.status == "active"
        # The page's own form carries the selection on.
        data = form_data(page.find("div", id="content").find("form"))
        admin.post("connectedaccount_changelist", **data)
        account.refresh_from_db()
        assert account.status == ("active" if action == "refresh_now" else "revoked")
        assert account.generation == 1

    def test_a_long_selection_is_cut(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(actions, "SHOWN", 2)
        chosen = [ConnectedAccountFactory(provider=provider) for _i in range(5)]
        response = admin.act("revoke_selected", *chosen)
        assert b"and 3 more" in response.content

    def test_all_that_match_a_filter(self, admin: Desk, provider: Provider) -> None:
        chosen = [ConnectedAccountFactory(provider=provider) for _i in range(3)]
        response = admin.act("revoke_selected", chosen[0], select_across="1")
        page = BeautifulSoup(response.content, "html.parser")
        data = form_data(page.find("div", id="content").find("form"))
        admin.post("connectedaccount_changelist", **data)
        assert not ConnectedAccount.objects.exclude(status="revoked").exists()


class TestPermissions:
    @pytest.mark.parametrize(
        ("permission", "offered"),
        [
            ("refresh_connectedaccount", "refresh_now"),
            ("revoke_connectedaccount", "revoke_selected"),
        ],
    )
    def test_a6_6_each_action_has_its_own(
        self,
        staff: Callable[..., Desk],
        account: ConnectedAccount,
        permission: str,
        offered: str,
    ) -> None:
        desk = staff("view_connectedaccount", permission)
        page = desk.page("connectedaccount_changelist")
        options = page.find("select", attrs={"name": "action"}).find_all("option")
        assert [o["value"] for o in options if o["value"]] == [offered]

    @pytest.mark.parametrize("action", ["refresh_now", "revoke_selected"])
    def test_a6_6_viewing_is_not_enough(
        self,
        staff: Callable[..., Desk],
        account: ConnectedAccount,
        server: FakeProvider,
        action: str,
    ) -> None:
        desk = staff("view_connectedaccount")
        desk.act(action, account, confirmed="yes")
        account.refresh_from_db()
        assert account.status == "active"
        assert server.requests == []


class TestRefreshNow:
    def test_a_new_token(
        self, admin: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        response = admin.act("refresh_now", account, confirmed="yes")
        assert messages(response) == [
            "Fake provider, alice@provider.example: has a new token."
        ]
        assert len(server.token_requests) == 1

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (Answer(status=400, json={"error": "invalid_grant"}), "no longer accepts"),
            (
                Answer(status=401, json={"error": "invalid_client"}),
                "client ID or secret",
            ),
            (Answer(drop=True), "was not answered"),
        ],
    )
    def test_a_failure_in_words(
        self,
        admin: Desk,
        account: ConnectedAccount,
        server: FakeProvider,
        answer: Answer,
        words: str,
    ) -> None:
        server.script(answer)
        response = admin.act("refresh_now", account, confirmed="yes")
        (message,) = messages(response)
        assert words in message

    @override_settings(FERNET_KEYS=[])
    def test_missing_keys_in_words(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        response = admin.act("refresh_now", account, confirmed="yes")
        assert "FERNET_KEYS is empty." in messages(response)[0]

    def test_many_are_left_to_the_workers(
        self,
        admin: Desk,
        account: ConnectedAccount,
        server: FakeProvider,
        monkeypatch: Any,
        enqueued: list[Any],
    ) -> None:
        monkeypatch.setattr(actions, "MAX_NOW", 1)
        other = ConnectedAccountFactory(provider=account.provider)
        ended = ConnectedAccountFactory(provider=account.provider)
        ended.revoke()
        response = admin.act("refresh_now", account, other, ended, confirmed="yes")
        assert messages(response) == [
            "2 active accounts are due for a refresh in the background."
        ]
        assert enqueued[1:] == [tasks.refresh_due_accounts]  # after ended.revoke()
        assert server.token_requests == []
        account.refresh_from_db()
        assert account.refresh_due_at < account.expires_at

    def test_what_takes_too_long_is_left_to_the_workers(
        self,
        admin: Desk,
        account: ConnectedAccount,
        server: FakeProvider,
        monkeypatch: Any,
    ) -> None:
        monkeypatch.setattr(actions, "MAX_SECONDS", -1)
        monkeypatch.setattr(tasks, "enqueue", lambda task: False)
        response = admin.act("refresh_now", account, confirmed="yes")
        (message,) = messages(response)
        assert "1 active account is due" in message
        assert "manage.py oauth_accounts refresh" in message
        assert server.token_requests == []


class TestRevoke:
    def test_stopped_here_and_left_to_the_outbox(
        self, admin: Desk, account: ConnectedAccount, server: FakeProvider
    ) -> None:
        response = admin.act("revoke_selected", account, confirmed="yes")
        (message,) = messages(response)
        assert message.startswith("Fake provider, alice@provider.example: was revoked")
        account.refresh_from_db()
        assert (account.status, account.status_reason) == ("revoked", "by_admin")
        assert account.events.get(kind="revoked").actor == admin.user
        assert PendingRevocation.objects.count() == 1
        assert server.requests == []
        again = admin.act("revoke_selected", account, confirmed="yes")
        assert "had been revoked before" in messages(again)[0]

    def test_a6_6_an_undecryptable_row_can_be_revoked(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        with override_settings(FERNET_KEYS=[OTHER_KEY]):
            admin.act("revoke_selected", account, confirmed="yes")
        account.refresh_from_db()
        assert account.status == "revoked"

    def test_many_are_summed_up(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(actions, "MAX_NOW", 1)
        chosen = [ConnectedAccountFactory(provider=provider) for _i in range(3)]
        response = admin.act("revoke_selected", *chosen, confirmed="yes")
        assert messages(response)[1:] == ["3 accounts were revoked in all."]

    def test_rows_that_vanish_meanwhile_are_passed_over(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        first, second = (ConnectedAccountFactory(provider=provider) for _i in range(2))
        third = ConnectedAccountFactory(provider=provider)
        revoke = ConnectedAccount.revoke

        def interfering(account: ConnectedAccount, **kwargs: Any) -> None:
            # Another administrator deletes the row being revoked and the one after it.
            ConnectedAccount.objects.exclude(pk=third.pk).delete()
            revoke(account, **kwargs)

        monkeypatch.setattr(ConnectedAccount, "revoke", interfering)
        response = admin.act("revoke_selected", first, second, confirmed="yes")
        (message,) = messages(response)
        assert "deleted meanwhile" in message
        assert ConnectedAccount.objects.get() == third


def test_the_tokens_are_on_no_page(admin: Desk, account: ConnectedAccount) -> None:
    for action in ("refresh_now", "revoke_selected"):
        html = admin.act(action, account).content.decode()
        assert ACCESS not in html
        assert REFRESH not in html
