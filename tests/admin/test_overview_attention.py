"""What the overview says needs somebody, when, and where it leads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup

from oauth_accounts import clock
from oauth_accounts.health import census
from oauth_accounts.models import ConnectedAccount, Health, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.admin.desk import Desk, url
from tests.rows import alter

pytestmark = pytest.mark.faces

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def swept(transactional_db: None) -> None:
    Health.objects.note_sweep()


def items(desk: Desk) -> list[Any]:
    return desk.page("health").select(".oauth-accounts-items li")


def words(found: Any) -> str:
    return " ".join(found.get_text(" ").split())


def item(desk: Desk, start: str) -> Any:
    """Return the one item with these words."""
    [found] = [one for one in items(desk) if start in words(one)]
    return found


def link(found: Any) -> str:
    return found.find("a")["href"]


def pause(provider: Provider, reason: str, *, over: bool = False) -> None:
    until = clock.utcnow() + (-HOUR if over else HOUR)
    Provider.objects.filter(pk=provider.pk).update(
        paused_until=until, pause_reason=reason
    )


def test_nothing_does(admin: Desk, account: ConnectedAccount) -> None:
    page = admin.page("health")

    assert "Nothing does." in words(page.find("section"))


class TestSweeps:
    def test_there_has_been_none(self, admin: Desk, provider: Provider) -> None:
        Health.objects.all().delete()

        found = item(admin, "No sweep has begun yet.")

        assert "Act now" in words(found)
        assert "manage.py oauth_accounts refresh" in words(found)
        assert link(found) == "#work"
        assert "never, as far as is known" in words(admin.page("health"))

    def test_the_last_one_is_too_long_ago(
        self, admin: Desk, provider: Provider
    ) -> None:
        Health.objects.update(swept_at=clock.utcnow() - 2 * HOUR)

        assert (
            "The last sweep began 2\xa0hours ago."
            in item(admin, "Nobody keeps tokens fresh.").get_text()
        )

    def test_where_all_providers_are_disabled_none_is_missed(self, admin: Desk) -> None:
        ProviderFactory(enabled=False)
        Health.objects.all().delete()

        assert items(admin) == []

    def test_accounts_that_wait_too_long(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.stored_row().update(refresh_due_at=clock.utcnow() - HOUR)

        found = item(admin, "1 account has been due")

        assert link(found) == f"{url('connectedaccount_changelist')}?refresh=overdue"

    def test_those_of_a_paused_provider_wait_for_it(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.stored_row().update(refresh_due_at=clock.utcnow() - HOUR)
        pause(account.provider, "rate_limited")

        assert not [one for one in items(admin) if "been due" in words(one)]


class TestProviders:
    @pytest.mark.parametrize(
        ("reason", "tone", "advice"),
        [
            ("invalid_client", "Act now", "Check its client ID and secret"),
            ("rate_limited", "Look at it", "tried again by themselves"),
        ],
    )
    def test_paused(
        self, admin: Desk, provider: Provider, reason: str, tone: str, advice: str
    ) -> None:
        pause(provider, reason)

        found = item(admin, f"Calls to {provider.name} are paused")

        assert words(found).startswith(tone)
        assert advice in words(found)
        assert link(found) == url("provider_change", provider.pk)

    def test_tried_again(self, admin: Desk, provider: Provider) -> None:
        pause(provider, "unavailable", over=True)

        found = item(admin, "one call at a time")

        assert words(found).startswith("For later")
        assert link(found) == url("provider_change", provider.pk)

    def test_incomplete(self, admin: Desk) -> None:
        provider = ProviderFactory(client_id="", token_endpoint="")

        found = item(admin, f"{provider.name} cannot be used yet.")

        assert "client ID, token endpoint." in words(found)

    def test_altered_by_sql(self, admin: Desk, provider: Provider) -> None:
        alter(provider, token_endpoint="https://evil.example/token")

        found = item(admin, f"Nothing is sent to {provider.name}")

        assert words(found).startswith("Act now")

    @pytest.mark.parametrize(("count", "more"), [(5, []), (6, ["1"]), (8, ["3"])])
    def test_of_many_some_are_named(
        self, admin: Desk, count: int, more: list[str]
    ) -> None:
        ProviderFactory.create_batch(count, client_id="")

        found = [one for one in items(admin) if "in the same state" in words(one)]

        assert len(items(admin)) == 5 + len(more)
        assert [words(one).split()[3] for one in found] == more
        assert all(link(one) == url("provider_changelist") for one in found)

    def test_a_name_is_shown_as_it_is_written(self, admin: Desk) -> None:
        name = "<script>alert(1)</script>"
        pause(ProviderFactory(name=name), "rate_limited")

        html = admin.get("health").content.decode()

        assert name not in html
        assert BeautifulSoup(html, "html.parser").find("td", string=None) is not None
        assert name in html.replace("&lt;", "<").replace("&gt;", ">")


class TestAccounts:
    def test_owners_have_to_connect_again(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.stored_row().update(status="needs_reauth", refresh_due_at=None)

        found = item(admin, "1 account needs its owner")

        address = url("connectedaccount_changelist")
        assert link(found) == f"{address}?status__exact=needs_reauth"

    def test_a_key_that_is_missing(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        account.stored_row().update(key_id="0badcafe")

        found = item(admin, "under a key that FERNET_KEYS does not have")

        assert words(found).startswith("Act now")
        address = url("connectedaccount_changelist")
        assert link(found) == f"{address}?status__exact=undecryptable"
        table = admin.page("health").select_one('section[aria-labelledby="keys"] tbody')
        assert "0badcafe Not in FERNET_KEYS 1" in words(table)

    def test_tokens_that_did_not_open_are_the_sign_of_one(
        self, admin: Desk, provider: Provider
    ) -> None:
        provider.refresh_statistics.record("failure", "undecryptable")

        assert words(item(admin, "Tokens did not open")).startswith("Look at it")

    def test_in_a_large_table_they_are_the_sign_of_a_key_that_is_missing(
        self, admin: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(census, "SAMPLE", 3)
        ConnectedAccountFactory.create_batch(9, provider=provider)
        provider.refresh_statistics.record("failure", "undecryptable")

        found = item(admin, "under a key that FERNET_KEYS does not have")
        assert words(found).startswith("Act now")

    def test_an_older_key(
        self, admin: Desk, account: ConnectedAccount, settings: Any
    ) -> None:
        newer = "a-newer-key-of-the-tests-0123456789abcdef"
        settings.FERNET_KEYS = [newer, *settings.FERNET_KEYS]

        found = item(admin, "still under an older key")

        assert "rotate-keys" in words(found)

    def test_keys_that_are_none(
        self, admin: Desk, account: ConnectedAccount, settings: Any
    ) -> None:
        settings.FERNET_KEYS = []

        found = item(admin, "No token can be read or stored: FERNET_KEYS is empty.")

        assert words(found).startswith("Act now")


class TestFailures:
    @pytest.mark.parametrize(
        ("failed", "succeeded", "told"),
        [(10, 50, True), (9, 0, False), (10, 90, False)],
    )
    def test_many_are_told(
        self, admin: Desk, provider: Provider, failed: int, succeeded: int, told: bool
    ) -> None:
        provider.refresh_statistics.record("failure", "bad_answer", count=failed)
        provider.refresh_statistics.record("success", count=succeeded)

        found = [one for one in items(admin) if "refreshes failed" in words(one)]

        assert bool(found) is told

    def test_the_link_leads_to_the_reasons(
        self, admin: Desk, provider: Provider
    ) -> None:
        provider.refresh_statistics.record("failure", "bad_answer", count=20)

        assert link(item(admin, "20 of 20 refreshes failed")) == "#refreshes"
        section = admin.page("health").select_one(
            'section[aria-labelledby="refreshes"]'
        )
        assert "The service sent an answer that cannot be used. bad_answer 20" in words(
            section
        )


class TestRevocations:
    def leave(self, account: ConnectedAccount, **values: Any) -> None:
        values = {"created_at": clock.utcnow() - 2 * HOUR, **values}
        account.pending_revocations.create(
            provider=account.provider, account_key=account.pk, **values
        )

    def test_one_waits_for_long(self, admin: Desk, account: ConnectedAccount) -> None:
        self.leave(account)

        found = item(admin, "The oldest revocation was asked for")

        address = url("pendingrevocation_changelist")
        assert link(found) == f"{address}?status__exact=pending"

    def test_one_that_is_new_is_no_matter(
        self, admin: Desk, account: ConnectedAccount
    ) -> None:
        self.leave(account, created_at=clock.utcnow())

        assert items(admin) == []

    def test_one_was_given_up(self, admin: Desk, account: ConnectedAccount) -> None:
        self.leave(account, status="failed", due_at=None)

        found = item(admin, "1 revocation was given up")

        address = url("pendingrevocation_changelist")
        assert link(found) == f"{address}?status__exact=failed"


def test_who_may_not_see_revocations_gets_no_link(
    staff: Any, account: ConnectedAccount
) -> None:
    account.pending_revocations.create(
        provider=account.provider,
        account_key=account.pk,
        status="failed",
        due_at=None,
    )
    desk = staff("view_connectedaccount", "view_provider")

    assert item(desk, "1 revocation was given up").find("a") is None
    content = desk.page("health").find(id="content")
    lists = {a["href"].partition("?")[0] for a in content.find_all("a")}
    assert url("pendingrevocation_changelist") not in lists
    assert url("connectedaccount_changelist") in lists
