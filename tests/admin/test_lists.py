"""Lists: what they find, how far they count, and what an address can make them do."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oauth_accounts import clock
from oauth_accounts.admin import filters, paging, search
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.admin.desk import Desk, messages, url

LISTS = [
    "accountevent",
    "authorizationattempt",
    "connectedaccount",
    "pendingrevocation",
    "provider",
    "refreshstatistic",
]
DAY = timedelta(days=1)
NULS = [
    {name: "\0"}
    for name in ("q", "p", "o", "reason", "status__exact", "provider__id__exact")
] + [{"\0": "x"}]
UNKNOWN: list[tuple[str, dict[str, str]]] = [
    ("connectedaccount", {"reason": "unheard_of"}),
    ("connectedaccount", {"status__exact": "unheard_of"}),
    ("connectedaccount", {"expiry": ""}),
    ("connectedaccount", {"refresh": "never"}),
    ("connectedaccount", {"provider__id__exact": "no-uuid"}),
    ("connectedaccount", {"provider__id__exact": str(uuid.uuid4())}),
    ("connectedaccount", {"owner__id__exact": "no-number"}),
    ("connectedaccount", {"p": "999999999999999999999", "reason": "x"}),
    ("accountevent", {"kind__exact": "unheard_of"}),
    ("accountevent", {"account_key": "no-uuid"}),
    ("pendingrevocation", {"status__exact": "active"}),
    ("refreshstatistic", {"result": "unheard_of"}),
]


def found(desk: Desk, name: str = "connectedaccount", **query: Any) -> set[str]:
    """Return the labels, or names, of what a list shows."""
    response = desk.get(f"{name}_changelist", **query)
    assert response.status_code == 200, response.headers
    return {str(row) for row in response.context["cl"].result_list}


def change(account: ConnectedAccount, **values: Any) -> None:
    ConnectedAccount.objects.filter(pk=account.pk).update(**values)


class TestAddresses:
    @pytest.mark.parametrize("name", LISTS)
    def test_a_nul_is_answered_with_the_whole_list(
        self, admin: Desk, account: ConnectedAccount, name: str
    ) -> None:
        for query in NULS:
            response = admin.client.get(url(f"{name}_changelist"), query, follow=True)
            assert response.status_code == 200
            assert "not one of those below" in messages(response)[0]
            assert response.context["cl"].query == ""

    def test_an_unknown_value_is_answered_with_the_whole_list(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        for name, query in UNKNOWN:
            for more in ({}, {"e": "1"}):
                response = admin.client.get(
                    url(f"{name}_changelist"), {**query, **more}, follow=True
                )
                assert response.status_code == 200, query
                assert "cl" in response.context, query

    @pytest.mark.parametrize("name", LISTS)
    def test_a_lookup_of_no_filter_is_refused(self, admin: Desk, name: str) -> None:
        for lookup in ("id__regex", "access_token__contains", "provider__name__iregex"):
            assert admin.get(f"{name}_changelist", **{lookup: "["}).status_code == 400

    def test_an_order_or_page_that_makes_no_sense_is_passed_over(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        for query in ({"o": "99"}, {"o": "-"}, {"o": "x.y"}, {"p": "x"}, {"p": "0"}):
            assert found(admin, **query) == {"alice@provider.example"}

    def test_rows_that_cannot_be_are_not_acted_on(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        response = admin.post(
            "connectedaccount_changelist",
            action="delete_selected",
            _selected_action=["no-uuid"],
        )
        assert "Nothing was done" in messages(response)[0]


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "values"),
        [
            ({"expiry": "soon"}, {"refresh_token": None, "expires_at": +3 * DAY}),
            ({"expiry": "soon"}, {"refresh_token_expires_at": +3 * DAY}),
            ({"refresh": "due"}, {"refresh_due_at": +DAY / 48}),
            ({"refresh": "due"}, {"refresh_due_at": -DAY}),
            ({"refresh": "overdue"}, {"refresh_due_at": -DAY}),
            (
                {"refresh": "unused"},
                {"refresh_due_at": None, "last_refreshed_at": -91 * DAY},
            ),
            (
                {"refresh": "unused"},
                {
                    "refresh_due_at": None,
                    "last_refreshed_at": None,
                    "created_at": -91 * DAY,
                },
            ),
            ({"reason": "retrying"}, {"status_reason": "retrying"}),
            (
                {"status__exact": "revoked"},
                {"status": "revoked", "refresh_due_at": None},
            ),
        ],
    )
    def test_each_finds_what_it_says(
        self,
        admin: Desk,
        account: ConnectedAccount,
        query: dict[str, str],
        values: dict[str, Any],
    ) -> None:
        ConnectedAccount.objects.update(refresh_due_at=clock.utcnow() + 2 * DAY)
        other = ConnectedAccountFactory(provider=account.provider, label="other")
        change(other, refresh_due_at=clock.utcnow() + 2 * DAY)
        assert found(admin, **query) == set()
        now = clock.utcnow()
        dated = {
            name: now + value if isinstance(value, timedelta) else value
            for name, value in values.items()
        }
        change(account, **dated)
        assert found(admin, **query) == {"alice@provider.example"}

    def test_a_provider_beyond_those_shown_can_be_linked_to(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        ProviderFactory(name="A first one")
        monkeypatch.setattr(filters, "PROVIDERS_SHOWN", 1)
        query = {"provider__id__exact": str(account.provider_id)}
        page = admin.page("connectedaccount_changelist", **query)
        assert "selected" in page.find("a", string="Fake provider").parent["class"]
        assert found(admin, **query) == {"alice@provider.example"}

    def test_one_provider_is_no_choice(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        response = admin.get("connectedaccount_changelist")
        assert len(response.context["cl"].filter_specs) == 4

    def test_results_of_refreshes(self, admin: Desk, provider: Provider) -> None:
        provider.refresh_statistics.record("failure", "unreachable")
        provider.refresh_statistics.record("success")
        (row,) = found(admin, "refreshstatistic", result="failure")
        assert "failure" in row

    def test_kinds_of_events(self, admin: Desk, account: ConnectedAccount) -> None:
        account.record_event("connected")
        account.record_event("recovered")
        assert found(admin, "accountevent", kind__exact="recovered") == {"Recovered"}


class TestSearch:
    @pytest.mark.parametrize(
        "term",
        [
            "alice",
            " alice ",
            "alice@prov",
            "ALICE@PROVIDER.EXAMPLE",
            "anna",
            "anna@example.com",
        ],
    )
    def test_id_label_and_owner(
        self, admin: Desk, account: ConnectedAccount, term: str
    ) -> None:
        User.objects.filter(username="anna").update(email="anna@example.com")
        ConnectedAccountFactory(provider=account.provider, uid="zed", label="zed")
        assert found(admin, q=term) == {"alice@provider.example"}

    @pytest.mark.parametrize("term", ["nobody", "%", "ali_e", "provider", "x" * 300])
    def test_nothing_is_found_by_less(
        self, admin: Desk, account: ConnectedAccount, term: str
    ) -> None:
        assert found(admin, q=term) == set()

    def test_the_key_of_an_account(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        assert found(admin, q=str(account.pk)) == {"alice@provider.example"}

    def test_nothing_is_searched_for_inside_of_texts(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        with CaptureQueriesContext(connection) as queries:
            found(admin, q="alice")
        assert not [q for q in queries if "%alice" in q["sql"].lower()]

    def test_events_by_their_account(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.record_event("recovered")
        other = ConnectedAccountFactory(provider=account.provider)
        other.record_event("connected")
        assert found(admin, "accountevent", q="alice") == {"Recovered"}
        key = str(account.pk)
        account.delete()
        assert found(admin, "accountevent", q=key) == {"Recovered", "Deleted"}
        assert found(admin, "accountevent", q="nobody") == set()
        assert len(found(admin, "accountevent", q=" ")) == 3

    def test_owners_that_are_no_users_are_found_by_what_is_unique(self) -> None:
        assert search.owner_fields(Group, "x@example.com") == ["name"]
        assert search.owner_fields(User, "x@example.com") == ["username", "email"]
        assert search.owner_fields(User, "x@") == ["username"]
        assert search.owner_fields(AccountEvent, "x@example.com") == []


class TestSize:
    def test_no_list_is_counted_further_than_its_pages_go(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(paging, "COUNTED", 2)
        ConnectedAccountFactory(provider=account.provider)
        assert "2 connected accounts" in _counted(admin)
        ConnectedAccountFactory(provider=account.provider)
        with CaptureQueriesContext(connection) as queries:
            text = _counted(admin)
        assert "More than 2 connected accounts" in text
        counts = [q["sql"] for q in queries if "COUNT(" in q["sql"]]
        assert len(counts) == 1
        assert "LIMIT 3" in counts[0]

    def test_beyond_that_no_number_is_claimed(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(paging, "COUNTED", 1)
        ConnectedAccountFactory(provider=account.provider, label="alice too")
        page = admin.page("connectedaccount_changelist", q="alice")
        assert "Select all that match" in page.get_text()
        assert "Select all 1" not in page.get_text()
        assert "1 result" not in page.get_text()

    def test_up_to_it_the_number_is_given(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(
            "oauth_accounts.admin.ConnectedAccountAdmin.list_per_page", 1
        )
        ConnectedAccountFactory(provider=account.provider, label="alice too")
        text = admin.page("connectedaccount_changelist", q="alice").get_text()
        assert "Select all 2 connected accounts" in text
        assert "2 results" in text

    def test_pages_hold_all_rows_once_and_in_order(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(
            "oauth_accounts.admin.ConnectedAccountAdmin.list_per_page", 2
        )
        for number in range(5):
            account = ConnectedAccountFactory(provider=provider, label=str(number))
            change(account, created_at=clock.utcnow() - number * DAY)
        pages = []
        for number in (1, 2, 3):
            response = admin.get("connectedaccount_changelist", p=number)
            pages.append([row.label for row in response.context["cl"].result_list])
        assert pages == [["0", "1"], ["2", "3"], ["4"]]

    def test_the_queries_are_few_on_every_page(
        self, admin: Desk, account: ConnectedAccount, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(
            "oauth_accounts.admin.ConnectedAccountAdmin.list_per_page", 2
        )
        for number in range(6):
            owner = User.objects.create_user(f"user-{number}")
            ConnectedAccountFactory(provider=account.provider, owner=owner)
        for query in ({}, {"p": 3}, {"q": "alice"}, {"refresh": "due"}):
            with CaptureQueriesContext(connection) as queries:
                admin.page("connectedaccount_changelist", **query)
            assert len(queries) < 10


def _counted(desk: Desk) -> str:
    page = desk.page("connectedaccount_changelist")
    return " ".join(page.find(class_="paginator").get_text().split())
