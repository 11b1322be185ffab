"""Accounts in the admin: what is seen, what is not, and what can be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from oauth_accounts.fields import Sealed
from oauth_accounts.models import (
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.admin.desk import ACCESS, REFRESH, Desk

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
OTHER_KEY = "another-sealing-key-made-up-for-this-test-81d2e4b7"


def cells(desk: Desk, name: str, **data: Any) -> list[str]:
    """Return a column of the list."""
    page = desk.page("connectedaccount_changelist", **data)
    return [cell.get_text() for cell in page.find_all(class_=f"field-{name}")]


def states(desk: Desk) -> list[str]:
    """Return the state of each account of the list, without its reason."""
    page = desk.page("connectedaccount_changelist")
    pills = page.select(".field-state_and_reason .oauth-accounts-pill")
    return [pill.get_text() for pill in pills]


class TestNothingSecret:
    @pytest.mark.parametrize("who", ["root", "viewer"])
    def test_b33_no_page_shows_a_token(
        self,
        admin: Desk,
        staff: Callable[..., Desk],
        account: ConnectedAccount,
        who: str,
    ) -> None:
        desk = admin if who == "root" else staff("view_connectedaccount")
        for arguments in (
            ("connectedaccount_changelist",),
            ("connectedaccount_change", account.pk),
            *([("connectedaccount_delete", account.pk)] if who == "root" else []),
        ):
            html = desk.get(*arguments).content.decode().replace("<wbr>", "")
            assert "alice@provider.example" in html
            for secret in (ACCESS, REFRESH, account.access_token.ciphertext.decode()):
                assert secret not in html

    def test_nothing_can_be_added_or_changed(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        page = admin.page("connectedaccount_change", account.pk)
        form = page.find("form", id="connectedaccount_form")
        inputs = {field.get("name") for field in form.find_all(["input", "textarea"])}
        assert inputs == {"csrfmiddlewaretoken"}
        response = admin.post("connectedaccount_change", account.pk, label="x")
        assert response.status_code == 403
        assert admin.get("connectedaccount_add").status_code == 403

    def test_without_permission_there_is_nothing(
        self, staff: Callable[..., Desk], account: ConnectedAccount
    ) -> None:
        desk = staff("view_provider")
        assert desk.get("connectedaccount_changelist").status_code == 403
        assert desk.get("connectedaccount_change", account.pk).status_code == 403

    def test_the_list_reads_no_token(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        with CaptureQueriesContext(connection) as queries:
            admin.page("connectedaccount_changelist")
        assert not [q for q in queries if '"access_token"' in q["sql"]]
        assert not [q for q in queries if "`access_token`" in q["sql"]]

    def test_a4_8_names_are_escaped(self, admin: Desk, provider: Provider) -> None:
        account = ConnectedAccountFactory(
            provider=provider, label="<img src=x>", profile={"name": "<img src=y>"}
        )
        for page in (
            admin.page("connectedaccount_changelist"),
            admin.page("connectedaccount_change", account.pk),
        ):
            assert page.find("img", src=["x", "y"]) is None


class TestList:
    def test_the_number_of_queries_does_not_grow(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        counts = []
        for _round in range(2):
            with CaptureQueriesContext(connection) as queries:
                admin.page("connectedaccount_changelist")
            counts.append(len(queries))
            for number in range(5):
                owner = User.objects.create_user(f"user-{_round}-{number}")
                ConnectedAccountFactory(provider=account.provider, owner=owner)
        assert counts[0] == counts[1]

    @pytest.mark.parametrize(
        "query",
        [{"status__exact": "needs_reauth"}, {"reason": "invalid_grant"}],
    )
    def test_filters(
        self, admin: Desk, account: ConnectedAccount, query: dict[str, str]
    ) -> None:
        other = ConnectedAccountFactory(provider=account.provider)
        ConnectedAccount.objects.filter(pk=other.pk).update(
            status="needs_reauth", status_reason="invalid_grant", refresh_due_at=None
        )
        found = cells(admin, "state_and_reason", **query)
        words = "The service no longer accepts the permission it gave."
        assert found == [f"Needs reauthorisation {words}"]
        assert len(cells(admin, "state_and_reason")) == 2

    def test_filter_by_provider(self, admin: Desk, account: ConnectedAccount) -> None:
        other = ProviderFactory()
        query = {"provider__id__exact": str(other.pk)}
        assert cells(admin, "state_and_reason", **query) == []


class TestUndecryptable:
    def test_a_row_whose_key_is_gone_breaks_nothing(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        with override_settings(FERNET_KEYS=[OTHER_KEY]):
            assert states(admin) == ["Undecryptable"]
            page = admin.page("connectedaccount_change", account.pk)
            assert "does not open with the keys" in page.get_text()
        assert states(admin) == ["Active"]

    def test_it_is_listed_as_such(self, admin: Desk, account: ConnectedAccount) -> None:
        other = ConnectedAccountFactory(provider=account.provider)
        other.stored_row().update(key_id="0badcafe")
        gone = ConnectedAccountFactory(provider=account.provider)
        gone.stored_row().update(
            key_id="0badcafe", status="revoked", refresh_due_at=None
        )
        empty = ConnectedAccountFactory(provider=account.provider)
        empty.stored_row().update(key_id="")

        page = admin.page("connectedaccount_changelist", status__exact="undecryptable")

        assert str(other.pk) in str(page)
        assert not [a for a in (account, gone, empty) if str(a.pk) in str(page)]
        with override_settings(FERNET_KEYS=[]):
            found = cells(admin, "state_and_reason", status__exact="undecryptable")
        assert len(found) == 2

    @pytest.mark.parametrize(
        ("status", "reason", "said"),
        [
            ("disabled", "by_admin", ["Disabled", "By an administrator", "Enable it"]),
            ("needs_reauth", "invalid_grant", ["Needs", "no longer", "Ask its owner"]),
        ],
    )
    def test_what_state_it_is_in_besides_is_said_too(
        self,
        admin: Desk,
        account: ConnectedAccount,
        status: str,
        reason: str,
        said: list[str],
    ) -> None:
        account.stored_row().update(
            key_id="0badcafe", status=status, status_reason=reason, refresh_due_at=None
        )
        page = admin.page("connectedaccount_change", account.pk)
        for word in (*said, "Undecryptable", "does not open", "Put the key"):
            assert word in page.get_text()

    def test_without_keys_the_pages_say_so(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        with override_settings(FERNET_KEYS=[]):
            assert states(admin) == ["Undecryptable"]
            page = admin.page("connectedaccount_change", account.pk)
            assert "FERNET_KEYS is empty." in page.get_text()

    def test_a8_2_a_damaged_row_breaks_nothing(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        ConnectedAccount.objects.update(access_token=Sealed(b"rubbish"))
        page = admin.page("connectedaccount_change", account.pk)
        assert "does not open with the keys" in page.get_text()


class TestPage:
    def test_state_tokens_and_history_in_words(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.record_event("connected", actor=account.owner)
        account.record_event("refresh_failed", "unreachable")
        ConnectedAccount.objects.update(last_error="slow_down")
        page = admin.page("connectedaccount_change", account.pk)
        text = " ".join(page.get_text(" ").split())
        assert "Sealed: access token, refresh token" in text
        events = page.find(class_="oauth-accounts-events").tbody.find_all("tr")
        assert [[c.get_text() for c in e.find_all("td")[1:]] for e in events] == [
            [
                "Refresh failed",
                "The service could not be reached. (unreachable)",
                "by itself",
            ],
            ["Connected", "", "anna"],
        ]
        assert "slow_down" in text
        link = page.find("a", string="All events")["href"]
        events = admin.client.get(link)
        assert events.status_code == 200
        assert len(events.context["cl"].result_list) == 2

    def test_a_revoked_account_has_no_token(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.revoke(reason="by_owner")
        text = admin.page("connectedaccount_change", account.pk).get_text()
        assert "No token." in text
        assert "Disconnected by its owner. (by_owner)" in text


class TestDelete:
    def test_the_tokens_go_to_the_outbox(
        self, admin: Desk, account: ConnectedAccount, owner: User
    ) -> None:
        AuthorizationAttempt.objects.create(
            state_hash="a",
            browser_hash="b",
            user=owner,
            provider=account.provider,
            account=account,
            client_id="c",
        )
        admin.post("connectedaccount_delete", account.pk, post="yes")
        assert not ConnectedAccount.objects.exists()
        pending = PendingRevocation.objects.get()
        assert pending.account_key == account.pk
        assert pending.refresh_token is not None

    @pytest.mark.parametrize("way", ["page", "action"])
    def test_the_permission_on_accounts_is_enough(
        self,
        staff: Callable[..., Desk],
        account: ConnectedAccount,
        owner: User,
        way: str,
    ) -> None:
        AuthorizationAttempt.objects.create(
            state_hash="a",
            browser_hash="b",
            user=owner,
            provider=account.provider,
            account=account,
            client_id="c",
        )
        desk = staff("view_connectedaccount", "delete_connectedaccount")
        if way == "page":
            desk.post("connectedaccount_delete", account.pk, post="yes")
        else:
            desk.act("delete_selected", account, post="yes")
        assert not ConnectedAccount.objects.exists()
        assert not AuthorizationAttempt.objects.exists()

    def test_without_it_nothing_is_deleted(
        self, staff: Callable[..., Desk], account: ConnectedAccount
    ) -> None:
        desk = staff("view_connectedaccount", "delete_authorizationattempt")
        response = desk.post("connectedaccount_delete", account.pk, post="yes")
        assert response.status_code == 403
        assert ConnectedAccount.objects.exists()

    def test_several_at_once(self, admin: Desk, account: ConnectedAccount) -> None:
        admin.act("delete_selected", account, post="yes")
        assert not ConnectedAccount.objects.exists()
        assert PendingRevocation.objects.count() == 1

    def test_a_user_with_accounts_can_be_deleted(
        self, admin: Desk, account: ConnectedAccount, owner: User
    ) -> None:
        admin.client.cookies["csrftoken"] = "a" * 32
        response = admin.client.post(
            f"/admin/auth/user/{owner.pk}/delete/",
            {"post": "yes", "csrfmiddlewaretoken": "a" * 32},
        )
        assert response.status_code == 302
        assert not User.objects.filter(pk=owner.pk).exists()
        assert PendingRevocation.objects.count() == 1


class TestWords:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({}, ["Nothing."]),
            ({"status_reason": "retrying"}, ["will be tried again", "Nothing."]),
            (
                {"refresh_due_at": LONG_AGO},
                ["Its refresh is overdue.", "Check that Celery beat"],
            ),
            (
                {"status": "disabled", "status_reason": "by_admin"},
                ["Disabled", "Enable it when"],
            ),
            (
                {"status": "needs_reauth", "status_reason": "rotation_lost"},
                ["Needs reauthorisation", "Ask its owner"],
            ),
            ({"scopes": None}, ["The provider does not say."]),
            ({"scopes": []}, ["None."]),
            ({"scopes": ["read", "write"]}, ["read", "write"]),
            ({"expires_at": LONG_AGO}, ["26 years ago"]),
        ],
    )
    def test_state_and_next_step(
        self,
        admin: Desk,
        account: ConnectedAccount,
        values: dict[str, Any],
        words: list[str],
    ) -> None:
        rows = ConnectedAccount.objects.filter(pk=account.pk)
        rows.update(**{"refresh_due_at": None, **values})
        page = admin.page("connectedaccount_change", account.pk)
        text = " ".join(page.get_text(" ").split())
        assert not [word for word in words if word not in text]

    def test_what_the_provider_said_to_a_revocation(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        def said() -> str:
            page = admin.page("connectedaccount_change", account.pk)
            return page.find(class_="field-revocation").get_text(" ")

        assert "Not revoked." in said()
        account.revoke()
        assert "Pending now" in " ".join(said().split())
        PendingRevocation.objects.update(
            status="failed", last_error="unreachable", due_at=None
        )
        assert "Given up The service could not be reached." in " ".join(said().split())
        PendingRevocation.objects.all().delete()
        assert "No token of it had to be revoked." in said()

    def test_an_account_without_events_says_so(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        page = admin.page("connectedaccount_change", account.pk)
        assert "None yet." in page.find(class_="oauth-accounts-events").get_text()
