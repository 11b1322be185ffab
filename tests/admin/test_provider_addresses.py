"""Addresses in the admin: those that were changed by SQL, and accounts that a move stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from oauth_accounts import moving
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS
from oauth_accounts.testing.factories import ConnectedAccountFactory
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import Desk, errors, messages, secret_of
from tests.rows import again, alter, store

pytestmark = pytest.mark.faces

OTHER_KEY = "another-sealing-key-made-up-for-this-test-5d0e7a94"
EVIL = "https://evil.example"


@pytest.fixture
def desk(staff: Callable[..., Desk]) -> Desk:
    return staff("change_provider", "view_provider")


def change(desk: Desk, provider: Provider, **changes: Any) -> Any:
    """Send the form of the provider with changes, without being asked whether to stop."""
    values = {"confirm_move": "on", **changes}
    return desk.submit("provider_change", provider.pk, **values)


def page_text(desk: Desk, provider: Provider) -> str:
    return " ".join(desk.page("provider_change", provider.pk).get_text(" ").split())


class TestAltered:
    """Somebody pointed the revocation endpoint elsewhere, past the admin."""

    @pytest.fixture
    def altered(self, provider: Provider, account: ConnectedAccount) -> Provider:
        alter(provider, revocation_endpoint=f"{EVIL}/revoke")
        return provider

    def test_the_page_shows_what_differs(
        self, desk: Desk, altered: Provider, server: FakeProvider
    ) -> None:
        text = page_text(desk, altered)
        before = server.revocation_endpoint
        assert f"revocation endpoint: {before} → {EVIL}/revoke" in text
        assert "rebind fake" in text
        assert "addresses are in doubt" in text
        assert "addresses are in doubt" in desk.page("provider_changelist").get_text()

    def test_a5_5_saving_something_else_does_not_bless_it(
        self, desk: Desk, altered: Provider
    ) -> None:
        response = change(desk, altered, name="Renamed")
        assert again(altered).name == "Renamed"
        assert "nothing is sent to it" in messages(response)[0]
        assert again(altered).altered_columns() == ["revocation_endpoint"]

    def test_a_new_secret_does_not_bless_it_either(
        self, desk: Desk, altered: Provider
    ) -> None:
        change(desk, altered, new_client_secret="another")
        assert again(altered).is_altered()
        assert secret_of(altered) == "another"

    def test_it_can_be_put_back_by_whoever_may_change_it(
        self, desk: Desk, altered: Provider, server: FakeProvider
    ) -> None:
        response = change(desk, altered, revocation_endpoint=server.revocation_endpoint)
        assert len(messages(response)) == 1
        again(altered).require_pinned()
        assert ConnectedAccount.objects.get().status == "active"

    @pytest.mark.parametrize("put_back", [False, True])
    def test_no_other_address_is_changed_by_the_way(
        self, desk: Desk, altered: Provider, server: FakeProvider, put_back: bool
    ) -> None:
        values = {"api_base_url": f"{EVIL}/api"}
        if put_back:
            values["revocation_endpoint"] = server.revocation_endpoint
        response = change(
            desk, altered, new_client_secret=server.client_secret, **values
        )
        assert "not known to be those" in errors(response)["__all__"][0]
        assert again(altered).api_base_url != values["api_base_url"]

    @pytest.mark.parametrize("secret", ["", "guessed"])
    def test_a5_4_taking_it_for_right_needs_the_stored_secret(
        self, desk: Desk, altered: Provider, secret: str
    ) -> None:
        response = change(
            desk, altered, accept_addresses="on", new_client_secret=secret
        )
        assert list(errors(response)) == ["new_client_secret"]
        assert again(altered).is_altered()

    def test_with_it_the_accounts_stop_and_it_is_recorded(
        self, desk: Desk, altered: Provider, server: FakeProvider
    ) -> None:
        response = change(
            desk,
            altered,
            accept_addresses="on",
            new_client_secret=server.client_secret,
        )
        assert "1 account was stopped" in messages(response)[0]
        again(altered).require_pinned()
        assert ConnectedAccount.objects.get().status_reason == "provider_changed"
        event = AccountEvent.objects.get(reason="endpoints_changed")
        assert event.actor == desk.user
        page = desk.page("provider_change", altered.pk)
        assert page.find(attrs={"name": "accept_addresses"}) is None

    def test_the_page_asks_for_it_beforehand(
        self, desk: Desk, altered: Provider, server: FakeProvider
    ) -> None:
        page = desk.page("provider_change", altered.pk)
        text = page.get_text(" ")
        assert "enter the stored secrets below as well" in text
        assert "Enter the one that is stored, to show" in text
        assert "Leave it empty to keep" not in text
        assert page.select_one("details:has(#id_new_client_secret)").has_attr("open")

    def test_accounts_that_were_stopped_meanwhile_are_named_when_it_is_over(
        self, desk: Desk, altered: Provider, server: FakeProvider
    ) -> None:
        account = ConnectedAccount.objects.get()
        with pytest.raises(ProviderMisconfigured):
            account.refresh()
        assert again(account).status_reason == "provider_changed"

        response = change(desk, altered, revocation_endpoint=server.revocation_endpoint)

        said, _saved = messages(response)
        assert "1 account was stopped while the addresses were in doubt" in said
        assert again(account).enable()
        again(altered).require_pinned()

    def test_a_secret_of_before_is_the_stored_one(
        self, desk: Desk, altered: Provider, server: FakeProvider
    ) -> None:
        """It was sealed for the issuer that was pinned, which is another by now."""
        alter(altered, issuer=EVIL)
        response = change(
            desk,
            altered,
            accept_addresses="on",
            new_client_secret=server.client_secret,
        )
        assert "1 account was stopped" in messages(response)[0]
        assert secret_of(altered) == server.client_secret

    def test_who_may_only_look_sees_it_and_takes_nothing_for_right(
        self, staff: Callable[..., Desk], altered: Provider
    ) -> None:
        viewer = staff("view_provider")
        assert f"{EVIL}/revoke" in page_text(viewer, altered)
        page = viewer.page("provider_change", altered.pk)
        assert page.find(attrs={"name": "accept_addresses"}) is None
        response = viewer.post(
            "provider_change", altered.pk, name="x", accept_addresses="on"
        )
        assert response.status_code == 403

    def test_one_of_the_settings_is_synced(self, desk: Desk, altered: Provider) -> None:
        alter(altered, source="settings")
        text = page_text(desk, altered)
        assert "Run: manage.py oauth_accounts sync-providers" in text

    def test_what_is_shown_is_escaped(self, desk: Desk, altered: Provider) -> None:
        alter(altered, client_id="<img src=x>")
        page = desk.page("provider_change", altered.pk)
        assert page.find("img", src="x") is None

    def test_without_a_pin_all_of_them_are_in_doubt(
        self, desk: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        store(provider, "pinned_addresses", None)
        assert f"token endpoint: – → {server.token_endpoint}" in page_text(
            desk, provider
        )
        values = {"new_client_secret": server.client_secret}
        change(desk, provider, accept_addresses="on", **values)
        again(provider).require_pinned()

    def test_neither_is_anything_known_without_the_key(
        self, desk: Desk, provider: Provider, account: ConnectedAccount
    ) -> None:
        with override_settings(FERNET_KEYS=[OTHER_KEY]):
            assert "key that would tell is not in FERNET_KEYS" in page_text(
                desk, provider
            )
            response = change(desk, provider, name="Renamed")
            assert "nothing is sent to it" in messages(response)[0]
            response = change(
                desk, provider, accept_addresses="on", new_client_secret="guessed"
            )
            assert "cannot be read" in errors(response)["new_client_secret"][0]
        assert again(provider).name == "Renamed"
        again(provider).require_pinned()
        assert ConnectedAccount.objects.get().status == "active"

    @override_settings(FERNET_KEYS=[])
    def test_nor_without_keys(
        self, desk: Desk, provider: Provider, account: ConnectedAccount
    ) -> None:
        response = change(
            desk, provider, accept_addresses="on", new_client_secret="guessed"
        )
        assert errors(response)["__all__"] == ["FERNET_KEYS is empty."]
        assert "cannot be read" in errors(response)["new_client_secret"][0]


class TestStopping:
    """A5.4: tokens are not sent to a host that the provider was not at before."""

    OFFERED = (
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "api_base_url",
    )

    def test_what_is_not_offered_cannot_be_moved_here(
        self, desk: Desk, provider: Provider
    ) -> None:
        page = desk.page("provider_change", provider.pk)
        shown = {n for n in ENDPOINT_FIELDS if page.find(attrs={"name": n})}
        assert shown == set(self.OFFERED)

    @pytest.mark.parametrize("name", OFFERED)
    def test_a5_4_each_address_elsewhere(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
        name: str,
    ) -> None:
        values = {name: f"{EVIL}/x", "new_client_secret": server.client_secret}
        response = change(desk, provider, **values)
        assert "1 account was stopped" in messages(response)[0]
        row = again(account)
        assert (row.status, row.status_reason) == ("disabled", "provider_changed")
        assert row.refresh_due_at is None
        event = account.events.get(kind="disabled")
        assert (event.reason, event.actor) == ("provider_changed", desk.user)

    def test_another_path_or_one_more_endpoint_stops_nobody(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
    ) -> None:
        provider.revocation_endpoint = ""
        provider.save()
        response = change(
            desk,
            provider,
            token_endpoint=f"{server.token_endpoint}/v2",
            revocation_endpoint=server.revocation_endpoint,
            new_client_secret=server.client_secret,
        )
        assert len(messages(response)) == 1
        assert again(account).status == "active"
        again(account).reveal("refresh_token")

    def test_those_that_were_stopped_before_stay_as_they_are(
        self,
        desk: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
        monkeypatch: Any,
    ) -> None:
        monkeypatch.setattr(moving, "BATCH_SIZE", 2)
        states = [
            ("needs_reauth", "invalid_grant"),
            ("disabled", "by_admin"),
            ("revoked", "by_owner"),
        ]
        for status, reason in states:
            other = ConnectedAccountFactory(provider=provider)
            other.stored_row().update(
                status=status, status_reason=reason, refresh_due_at=None
            )
        ConnectedAccountFactory.create_batch(3, provider=provider)
        ConnectedAccountFactory()
        response = change(
            desk, provider, issuer=EVIL, new_client_secret=server.client_secret
        )
        assert "4 accounts were stopped" in messages(response)[0]
        rows = ConnectedAccount.objects.filter(provider=provider)
        found = list(rows.values_list("status", "status_reason"))
        assert sorted(found) == sorted(states + [("disabled", "provider_changed")] * 4)
        assert AccountEvent.objects.filter(kind="disabled").count() == 4
        assert ConnectedAccount.objects.exclude(provider=provider).get().status == (
            "active"
        )
