"""Secrets of providers in the admin: they go in and never come out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry

from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import Desk, errors, messages, secret_of

pytestmark = pytest.mark.faces


class TestSecrets:
    @pytest.mark.parametrize("permission", ["change", "view"])
    def test_a5_7_b33_no_page_shows_a_secret(
        self,
        staff: Callable[..., Desk],
        provider: Provider,
        server: FakeProvider,
        permission: str,
    ) -> None:
        desk = staff(f"{permission}_provider")
        html = desk.get("provider_change", provider.pk).content.decode()
        assert server.client_secret not in html
        assert server.client_secret[-12:] not in html
        assert "One is stored." in html
        assert "None is stored." in html
        assert bytes(provider.client_secret.ciphertext).decode() not in html
        assert ("new_client_secret" in html) == (permission == "change")

    def test_a5_7_blank_keeps_the_secret(
        self, admin: Desk, provider: Provider, server: FakeProvider
    ) -> None:
        before = Provider.objects.get().client_secret
        admin.submit("provider_change", provider.pk, name="Renamed")
        assert Provider.objects.get().name == "Renamed"
        assert secret_of(provider) == server.client_secret
        assert Provider.objects.get().client_secret == before
        assert not AccountEvent.objects.exists()

    def test_a_new_secret_is_recorded_and_ends_a_pause(
        self, admin: Desk, provider: Provider
    ) -> None:
        provider.pause(900, "invalid_client")
        response = admin.submit(
            "provider_change",
            provider.pk,
            new_client_secret="entered-7",
            new_private_key="line 1\nline 2",
        )
        assert b"entered-7" not in response.content
        assert secret_of(provider) == "entered-7"
        assert provider.paused_until is None
        found = AccountEvent.objects.filter(kind="secret_changed", actor=admin.user)
        assert {event.reason for event in found} == {"client_secret", "private_key"}

    def test_a_secret_can_be_removed(self, admin: Desk, provider: Provider) -> None:
        admin.submit(
            "provider_change",
            provider.pk,
            remove_client_secret="on",
            token_endpoint_auth_method="none",
        )
        provider.refresh_from_db()
        assert provider.client_secret is None
        assert AccountEvent.objects.get().reason == "client_secret"

    def test_entered_secrets_are_not_sent_back_with_errors(
        self, admin: Desk, provider: Provider
    ) -> None:
        response = admin.submit(
            "provider_change",
            provider.pk,
            name="",
            new_client_secret="typed-1",
            new_private_key="typed-2",
            remove_client_secret="on",
        )
        assert list(errors(response)) == ["name"]
        assert b"typed-" not in response.content
        assert b"remove_client_secret" in response.content
        assert b"remove_private_key" not in response.content

    @pytest.mark.parametrize("field", ENDPOINT_FIELDS)
    def test_a5_4_b25_a_new_address_needs_the_secret_again(
        self,
        admin: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
        field: str,
    ) -> None:
        page = admin.page("provider_change", provider.pk)
        if page.find(attrs={"name": field}) is None:
            # Not offered at all, so it cannot be changed here either.
            admin.submit(
                "provider_change", provider.pk, **{field: "https://evil.example"}
            )
            assert getattr(Provider.objects.get(), field) == ""
            return
        response = admin.submit(
            "provider_change", provider.pk, **{field: "https://evil.example/x"}
        )
        assert list(errors(response)) == ["new_client_secret"]
        assert getattr(Provider.objects.get(), field) != "https://evil.example/x"

    def test_a5_4_with_the_secret_the_accounts_have_to_connect_again(
        self,
        admin: Desk,
        provider: Provider,
        server: FakeProvider,
        account: ConnectedAccount,
    ) -> None:
        with FakeProvider() as other:
            response = admin.submit(
                "provider_change",
                provider.pk,
                token_endpoint=other.token_endpoint,
                new_client_secret=server.client_secret,
                confirm_move="on",
            )
            assert "1 account was stopped" in messages(response)[0]
            assert f"rebind {provider.slug}" in messages(response)[0]
            assert secret_of(provider) == server.client_secret
            admin.act("refresh_now", account, confirmed="yes")
            assert other.requests == []
        account.refresh_from_db()
        assert account.status_reason == "provider_changed"
        # What was shown to be known has not changed.
        said = LogEntry.objects.get().get_change_message().lower()
        assert "token endpoint" in said
        assert "secret" not in said

    def test_moving_without_accounts_needs_no_warning(
        self, admin: Desk, provider: Provider
    ) -> None:
        response = admin.submit(
            "provider_change",
            provider.pk,
            issuer="https://moved.example",
            new_client_secret="again",
        )
        assert len(messages(response)) == 1
        assert secret_of(provider) == "again"
