"""The overview: who may see it, what it asks the database, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, reverse

from oauth_accounts import clock
from oauth_accounts.admin import HealthAdmin
from oauth_accounts.health import census, outbox
from oauth_accounts.models import ConnectedAccount, Health, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.admin.desk import ACCESS, REFRESH, Desk

NEEDED = ("view_connectedaccount", "view_provider")

office = AdminSite(name="office")
office.register(Health, HealthAdmin)

urlpatterns = [
    path("office/", office.urls),
    path("", include("tests.urls")),
]


def address() -> str:
    return reverse("admin:oauth_accounts_health")


def text(desk: Desk) -> str:
    return " ".join(desk.page("health").get_text(" ").split())


class TestWay:
    @pytest.mark.parametrize("name", ["admin:index", "admin:app_list"])
    def test_it_is_an_entry_of_the_section(self, admin: Desk, name: str) -> None:
        args = ["oauth_accounts"] if name == "admin:app_list" else []
        response = admin.client.get(reverse(name, args=args))

        assert f'href="{address()}"' in response.content.decode()

    @pytest.mark.parametrize("permission", NEEDED)
    def test_one_permission_is_not_enough(
        self, staff: Callable[..., Desk], permission: str
    ) -> None:
        desk = staff(permission)

        assert desk.client.get(address()).status_code == 403
        index = desk.client.get(reverse("admin:index")).content.decode()
        assert address() not in index

    def test_both_permissions_open_it(self, staff: Callable[..., Desk]) -> None:
        desk = staff(*NEEDED)

        assert desk.client.get(address()).status_code == 200
        index = desk.client.get(reverse("admin:index")).content.decode()
        assert f'href="{address()}"' in index

    def test_nobody_sends_anything_to_it(self, admin: Desk) -> None:
        assert admin.post("health").status_code == 405

    def test_on_another_site_its_links_stay_there(
        self, admin: Desk, provider: Provider
    ) -> None:
        """The site knows no providers, so that nothing leads to them."""
        with override_settings(ROOT_URLCONF=__name__):
            response = admin.client.get("/office/oauth_accounts/health/")

        assert response.status_code == 200
        assert "/admin/oauth_accounts/" not in response.content.decode()


class TestQueries:
    def test_their_number_does_not_depend_on_the_rows(
        self, admin: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(census, "SAMPLE", 3)
        for number in range(4):
            provider = ProviderFactory(
                paused_until=clock.utcnow() + timedelta(hours=1),
                pause_reason="rate_limited",
            )
            ConnectedAccountFactory.create_batch(number, provider=provider)
            provider.refresh_statistics.record("failure", "bad_answer")
            provider.refresh_statistics.record("success")

        with CaptureQueriesContext(connection) as queries:
            admin.get("health")

        assert len(queries) < 10

    def test_no_secret_is_shown_or_opened(
        self,
        admin: Desk,
        account: ConnectedAccount,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        secret = account.provider.reveal("client_secret").get_value()
        monkeypatch.setattr(ConnectedAccount, "reveal", None)
        monkeypatch.setattr(Provider, "reveal", None)

        html = admin.get("health").content.decode()

        assert not [s for s in (ACCESS, REFRESH, secret) if s in html]


class TestNumbers:
    @pytest.fixture
    def lost(self, account: ConnectedAccount) -> ConnectedAccount:
        account.stored_row().update(status="needs_reauth", refresh_due_at=None)
        return account

    @pytest.mark.parametrize("place", ["dl.oauth-accounts-figures", "tbody"])
    def test_a_number_leads_to_the_accounts_that_it_counts(
        self, admin: Desk, lost: ConnectedAccount, place: str
    ) -> None:
        ConnectedAccountFactory(provider=lost.provider)
        page = admin.page("health")
        section = page.select_one(f'[aria-labelledby="accounts"] {place}')
        if place == "tbody":
            section = page.select_one('section[aria-labelledby="providers"] tbody')

        links = [
            link["href"]
            for link in section.find_all("a")
            if "status__exact=needs_reauth" in link["href"]
        ]

        assert len(links) == 1
        listed = admin.client.get(links[0])
        shown = listed.context["cl"].result_list
        assert [row.pk for row in shown] == [lost.pk]

    @pytest.mark.parametrize("code", ["due", "overdue"])
    def test_what_waits_is_listed(
        self, admin: Desk, account: ConnectedAccount, code: str
    ) -> None:
        ConnectedAccountFactory(provider=account.provider, expires_in=10 * 3600)
        past = clock.utcnow() - timedelta(minutes=10)
        account.stored_row().update(refresh_due_at=past)
        page = admin.page("health")

        links = {
            link["href"]
            for link in page.select(f'#content a[href*="refresh={code}"]')
            if link.get_text() == "1"
        }

        assert len(links) == 2
        for link in links:
            shown = admin.client.get(link).context["cl"].result_list
            assert [row.pk for row in shown] == [account.pk]

    def test_estimates_say_that_they_are(
        self, admin: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(census, "SAMPLE", 3)
        ConnectedAccountFactory.create_batch(9, provider=provider)

        said = text(admin)

        assert "Numbers with “about” are estimates" in said
        assert "3 accounts were looked at" in said
        assert "Active about" in said
        assert "A key that only few accounts are under may be missing here." in said

    def test_a_long_outbox_is_counted_so_far(
        self,
        admin: Desk,
        account: ConnectedAccount,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        other = ConnectedAccountFactory(provider=account.provider)
        for one in (account, other):
            one.revoke()
        monkeypatch.setattr(outbox, "COUNTABLE", 0)

        page = admin.page("health")

        assert "at least 1" in " ".join(page.get_text(" ").split())
        assert page.find("a", href=lambda at: at and "status__exact=pending" in at)

    def test_a_small_table_is_counted(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        assert "about" not in text(admin)


@pytest.mark.faces
class TestEmpty:
    def test_it_says_what_comes_first(self, admin: Desk, db: Any) -> None:
        page = admin.page("health")

        link = page.select_one("#content a.button")
        assert link["href"] == reverse("admin:oauth_accounts_provider_add")
        assert not page.select("section")

    def test_who_may_add_none_is_told_to_ask(self, staff: Callable[..., Desk]) -> None:
        assert "Ask somebody who may add providers" in text(staff(*NEEDED))

    def test_no_account_yet(self, admin: Desk, provider: Provider) -> None:
        said = text(admin)

        assert "No account is connected yet." in said
        assert "Nothing was refreshed in the last 24 hours." in said
