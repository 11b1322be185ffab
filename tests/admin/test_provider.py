"""Providers in the admin: what can be entered, changed and deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings

from oauth_accounts import clock
from oauth_accounts.forms import ProviderForm
from oauth_accounts.models import AccountEvent, ConnectedAccount, Provider
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.admin.desk import Desk, errors, messages, secret_of
from tests.settings import MAILED

pytestmark = pytest.mark.faces

NEW = {
    "name": "Git Forge",
    "slug": "forge",
    "client_id": "abc",
    "new_client_secret": "forge-secret-1",
    "issuer": "https://forge.example",
    "authorization_endpoint": "https://forge.example/authorize",
    "token_endpoint": "https://forge.example/token",
    "userinfo_endpoint": "https://forge.example/userinfo",
    "scopes": "repo\nuser:email\n\nrepo",
}


class TestAdd:
    def test_a_provider_is_made(self, admin: Desk) -> None:
        page = admin.submit("provider_add", **NEW)
        assert page.status_code == 200
        provider = Provider.objects.get()
        assert provider.scopes == ["repo", "user:email"]
        assert provider.code_challenge_methods_supported is None
        assert secret_of(provider) == "forge-secret-1"
        event = AccountEvent.objects.get()
        assert (event.kind, event.reason) == ("secret_changed", "client_secret")
        assert event.actor == admin.user
        assert b"forge-secret-1" not in page.content

    def test_words_of_scopes_stand_behind_them(self, admin: Desk) -> None:
        lines = "repo Read your repositories\n\nuser:email   Read your address  "
        admin.submit("provider_add", **NEW, scope_descriptions=lines)
        provider = Provider.objects.get()
        assert provider.scope_descriptions == {
            "repo": "Read your repositories",
            "user:email": "Read your address",
        }
        page = admin.page("provider_change", provider.pk)
        shown = page.find("textarea", attrs={"name": "scope_descriptions"}).get_text()
        assert shown.split("\n")[-2:] == [
            "repo Read your repositories",
            "user:email Read your address",
        ]
        assert (
            not ProviderForm(instance=provider)
            .fields["scope_descriptions"]
            .has_changed(provider.scope_descriptions, shown.strip())
        )

    def test_the_page_says_what_comes_after_saving(self, admin: Desk) -> None:
        text = admin.page("provider_add").get_text()
        assert "Save the provider to see what to register there." in text
        assert "/accounts/connected/callback/slug/" in text

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            (
                {"authorization_endpoint": "javascript:alert(1)"},
                "authorization_endpoint",
            ),
            ({"token_endpoint": "http://forge.example/token"}, "token_endpoint"),
            ({"token_endpoint": "http://[x"}, "token_endpoint"),
            ({"authorization_endpoint": "http://[x"}, "authorization_endpoint"),
            ({"issuer": "x" * 501}, "issuer"),
            ({"scopes": 'quo"te'}, "scopes"),
            ({"scope_descriptions": "repo"}, "scope_descriptions"),
            ({"scope_descriptions": "repo A\nrepo B"}, "scope_descriptions"),
            ({"scope_descriptions": 'quo"te A'}, "scope_descriptions"),
            ({"grants_url": "javascript:alert(1)"}, "grants_url"),
            ({"authorization_params": '{"state": "x"}'}, "authorization_params"),
            ({"authorization_params": '["x"]'}, "authorization_params"),
            ({"authorization_params": "nonsense"}, "authorization_params"),
            (
                {"code_challenge_methods_supported": "plain"},
                "code_challenge_methods_supported",
            ),
            ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
            (
                {"token_endpoint_auth_method": "private_key_jwt"},
                "token_endpoint_auth_method",
            ),
            ({"slug": "not a slug"}, "slug"),
            ({"issuer": "foo bar"}, "issuer"),
            ({"issuer": "forge.example"}, "issuer"),
            ({"issuer": "ftp://forge.example"}, "issuer"),
            ({"issuer": "https://forge.example/?tenant=1"}, "issuer"),
            ({"issuer": "https://me@forge.example"}, "issuer"),
            ({"scopes": "repo,user"}, "scopes"),
            ({"scopes": "repo\nuser, gist"}, "scopes"),
        ],
    )
    def test_bad_input_is_an_error_of_its_field(
        self, admin: Desk, changes: dict[str, str], field: str
    ) -> None:
        response = admin.submit("provider_add", **NEW | changes)
        assert response.status_code == 200
        assert list(errors(response)) == [field]
        assert not Provider.objects.exists()
        assert b"forge-secret-1" not in response.content

    @pytest.mark.parametrize(
        "query",
        ["state=x", "client_id=evil", "a=1&a=2", "prompt=login", "request_uri="],
    )
    def test_a1_6_parameters_are_there_once(self, admin: Desk, query: str) -> None:
        address = f"https://forge.example/authorize?{query}"
        params = '{"prompt": "consent"}'
        changes = {"authorization_endpoint": address, "authorization_params": params}
        response = admin.submit("provider_add", **NEW | changes)
        assert list(errors(response)) == ["authorization_endpoint"]

    def test_a_query_of_its_own_is_fine(self, admin: Desk) -> None:
        address = "https://forge.example/authorize?tenant=7"
        admin.submit("provider_add", **NEW | {"authorization_endpoint": address})
        assert Provider.objects.get().authorization_endpoint == address

    def test_a5_6_one_issuer_has_one_token_endpoint(self, admin: Desk) -> None:
        ProviderFactory(issuer=NEW["issuer"], token_endpoint="https://evil.example/t")
        response = admin.submit("provider_add", **NEW)
        assert list(errors(response)) == ["issuer"]

    def test_a_second_client_of_one_issuer_is_fine(self, admin: Desk) -> None:
        ProviderFactory(issuer=NEW["issuer"], token_endpoint=NEW["token_endpoint"])
        admin.submit("provider_add", **NEW)
        assert Provider.objects.count() == 2

    @override_settings(FERNET_KEYS=[])
    def test_without_keys_the_form_says_so(self, admin: Desk) -> None:
        response = admin.submit("provider_add", **NEW)
        assert errors(response) == {"__all__": ["FERNET_KEYS is empty."]}


class TestLocks:
    def test_a1_8_the_slug_cannot_be_changed(
        self, admin: Desk, provider: Provider
    ) -> None:
        page = admin.page("provider_change", provider.pk)
        assert page.find("input", attrs={"name": "slug"}) is None
        admin.submit("provider_change", provider.pk, slug="other")
        assert Provider.objects.get().slug == "fake"

    def test_exclusive_subjects_is_locked_while_accounts_exist(
        self, admin: Desk, account: ConnectedAccount, provider: Provider
    ) -> None:
        admin.submit("provider_change", provider.pk, exclusive_subjects="on")
        assert Provider.objects.get().exclusive_subjects is False

    def test_an_account_connected_meanwhile_locks_it_too(
        self, admin: Desk, provider: Provider, monkeypatch: Any
    ) -> None:
        values = {**NEW, "scope_separator": " ", "exclusive_subjects": "on"}
        values |= {
            "token_endpoint_auth_method": "client_secret_basic",
            "uid_path": "sub",
        }
        ConnectedAccountFactory(provider=provider)
        form = ProviderForm(values, instance=provider)
        assert form.errors["exclusive_subjects"] == [
            "This cannot be changed while accounts are connected."
        ]

    def test_without_accounts_it_can_be_changed(
        self, admin: Desk, provider: Provider
    ) -> None:
        admin.submit("provider_change", provider.pk, exclusive_subjects="on")
        assert Provider.objects.get().exclusive_subjects is True

    def test_providers_of_the_settings_are_read_only(
        self, admin: Desk, provider: Provider
    ) -> None:
        Provider.objects.update(source="settings")
        page = admin.page("provider_change", provider.pk)
        assert "OAUTH_ACCOUNTS_PROVIDERS" in page.get_text()
        assert page.find("input", attrs={"name": "name"}) is None
        assert [c.get_text() for c in page.select(".oauth-accounts-scopes code")]
        assert "blank (RFC 6749)" in page.get_text()
        assert "What users see" not in page.get_text()
        assert "register the redirect URI" not in page.get_text()
        assert admin.post("provider_change", provider.pk, name="x").status_code == 403
        assert admin.get("provider_delete", provider.pk).status_code == 403


class TestDelete:
    def test_a_provider_with_accounts_stays(
        self, admin: Desk, account: ConnectedAccount, provider: Provider
    ) -> None:
        response = admin.post("provider_delete", provider.pk, post="yes")
        assert "1 account belongs to it" in messages(response)[0]
        assert Provider.objects.exists()

    def test_a_provider_with_revocations_stays(
        self, admin: Desk, account: ConnectedAccount, provider: Provider
    ) -> None:
        account.delete()
        response = admin.post("provider_delete", provider.pk, post="yes")
        assert "record of 1 revocation" in messages(response)[0]
        assert Provider.objects.exists()

    def test_an_unused_provider_goes(self, admin: Desk, provider: Provider) -> None:
        provider.refresh_statistics.record("success")
        admin.post("provider_delete", provider.pk, post="yes")
        assert not Provider.objects.exists()

    def test_a_missing_one_is_no_error(self, admin: Desk, provider: Provider) -> None:
        assert admin.post("provider_delete", "nonsense").status_code == 200

    def test_there_is_no_deleting_in_bulk(
        self, admin: Desk, provider: Provider
    ) -> None:
        page = admin.page("provider_changelist")
        assert "delete_selected" not in str(page)


class TestState:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({}, "Ready"),
            ({"enabled": False}, "Nobody can connect"),
            ({"client_id": ""}, "Enter: client ID"),
            (
                {
                    "paused_until": clock.utcnow() + timedelta(hours=1),
                    "pause_reason": "invalid_client",
                },
                "The service refused the client ID or secret.",
            ),
        ],
    )
    def test_in_words(
        self, admin: Desk, provider: Provider, values: dict[str, Any], words: str
    ) -> None:
        for name, value in values.items():
            setattr(provider, name, value)
        provider.save(update_fields=list(values) or None)
        assert words in admin.page("provider_changelist").get_text()
        assert words in admin.page("provider_change", provider.pk).get_text()

    def test_the_redirect_uri_can_be_copied(
        self, admin: Desk, provider: Provider
    ) -> None:
        page = admin.page("provider_change", provider.pk)
        field = page.find("input", attrs={"data-oauth-accounts-copy": True})
        wanted = "http://localhost:8000/accounts/connected/callback/fake/"
        assert (field["value"], field.get("name")) == (wanted, None)
        assert field.has_attr("readonly")

    @override_settings(OAUTH_ACCOUNTS_BASE_URL=None)
    def test_without_a_base_url_the_page_says_what_to_set(
        self, admin: Desk, provider: Provider
    ) -> None:
        text = admin.page("provider_change", provider.pk).get_text()
        assert "Set OAUTH_ACCOUNTS_BASE_URL" in text

    def test_accounts_are_counted(self, admin: Desk, account: ConnectedAccount) -> None:
        page = admin.page("provider_changelist")
        assert page.find(class_="field-account_count").get_text() == "1"


@override_settings(DEBUG=False, ADMINS=MAILED)
def test_a8_9_a_crash_mails_no_secret(admin: Desk, monkeypatch: Any) -> None:
    provider = ProviderFactory()

    def crash(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("out of paper")

    monkeypatch.setattr(Provider, "save", crash)
    admin.client.raise_request_exception = False
    response = admin.submit("provider_change", provider.pk, new_client_secret="typed-9")
    assert response.status_code == 500
    (sent,) = mail.outbox
    everything = sent.body + str([body for body, _kind in sent.alternatives])
    assert "out of paper" in everything
    assert "typed-9" not in everything
