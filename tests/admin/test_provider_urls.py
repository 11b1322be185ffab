"""D2: addresses that may not be called are refused in the form, in the row and at the call."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.forms import ProviderForm
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from tests.admin.desk import Desk, errors
from tests.rows import again, alter

pytestmark = [pytest.mark.django_db, pytest.mark.faces]
URLS = [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://as.example/x",
    "gopher://as.example/x",
    "http://as.example/x",
    "HTTP://as.example/x",
    "//as.example/x",
    "as.example/x",
    "https:as.example/x",
    "https:/as.example/x",
    "https:///x",
    "https://user@as.example/x",
    "https://user:pass@as.example/x",
    "https://as.example@evil.example/x",
    "http://localhost@evil.example/x",
    "http://localhost.evil.example/x",
    "http://127.0.0.1.evil.example/x",
    "https://as.example\\@evil.example/x",
    "https://as.example\\.evil.example/x",
    "https://as.example/x#fragment",
    "https://as.example/a b",
    "https://as.example/a\tb",
    "https://as.example/a\nb",
    "https://2130706433/x",
    "https://0x7f.1/x",
    "https://0177.0.0.1/x",
    "https://127.1/x",
    "https://as.example./x",
    "https://as.example:8443/x",
    "https://as.example:0/x",
    "https://[::1",
    "https://[x/",
    "https://ás.example/x",
]
CALLED = [name for name in ENDPOINT_FIELDS if name != "issuer"]


@pytest.fixture
def deaf(monkeypatch: Any, settings: Any) -> None:
    """A process that may not call anybody."""
    settings.DEBUG = False

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("somebody was dialled")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def sent(provider: Provider, **changes: str) -> dict[str, Any]:
    """Return what a browser would send for a provider."""
    form = ProviderForm(instance=provider)
    initial = {
        name: field.prepare_value(form.get_initial_for_field(field, name))
        for name, field in form.fields.items()
    }
    kept = {n: v for n, v in initial.items() if v not in (None, False)}
    return {**kept, "new_client_secret": "again", **changes}


@pytest.mark.parametrize("url", URLS)
def test_d2_d3_a1_12_b26_b27_the_form_refuses_each(deaf: None, url: str) -> None:
    provider = ProviderFactory()
    form = ProviderForm(sent(provider, **dict.fromkeys(CALLED, url)), instance=provider)
    # A text input of a browser sends no line break, and a form strips the ends.
    assert set(CALLED) <= set(form.errors)


def test_d2_the_form_takes_what_may_be_called(deaf: None) -> None:
    provider = ProviderFactory()
    address = "https://as.example/path?tenant=1"
    form = ProviderForm(
        sent(provider, **dict.fromkeys(CALLED, address)), instance=provider
    )
    assert form.is_valid(), form.errors


@pytest.mark.parametrize("url", URLS)
def test_d2_d3_a1_12_b26_written_by_sql_each_is_refused_at_the_call(
    deaf: None, url: str
) -> None:
    """By the pin; and where code has vouched for it, by the door to the network."""
    provider = ProviderFactory()
    account = ConnectedAccountFactory(provider=provider)
    alter(provider, **dict.fromkeys(CALLED, url))
    with pytest.raises(ProviderMisconfigured) as caught:
        again(provider).oauth_client()
    assert caught.value.code == "provider_changed"

    vouched = again(provider)
    vouched.pin()
    vouched.client_secret = "again"
    vouched.save()
    client = again(provider).oauth_client()
    secret = Secret("x")
    calls = (
        lambda: client.authorization_url(
            redirect_uri="https://rp.example/",
            state=secret,
            code_verifier=secret,
            scopes=[],
        ),
        lambda: client.refresh(secret),
        lambda: client.exchange_code(
            code=secret, redirect_uri="", code_verifier=secret
        ),
        lambda: client.revoke(secret, "access_token"),
        lambda: client.userinfo(secret),
        lambda: ConnectedAccount.objects.get(pk=account.pk).session().get("me"),
    )
    for call in calls:
        with pytest.raises(ProviderMisconfigured):
            call()


def test_a1_3_the_response_type_cannot_be_entered(
    admin: Desk, provider: Provider
) -> None:
    """Neither as a field nor among the parameters nor in the address."""
    page = admin.page("provider_change", provider.pk)
    assert page.find(attrs={"name": "response_type"}) is None
    for kind in ("token", "id_token", "code token", "code"):
        response = admin.submit(
            "provider_change",
            provider.pk,
            authorization_params=f'{{"response_type": "{kind}"}}',
        )
        assert list(errors(response)) == ["authorization_params"]
    address = f"{provider.authorization_endpoint}?response_type=token"
    response = admin.submit(
        "provider_change",
        provider.pk,
        authorization_endpoint=address,
        new_client_secret="x",
    )
    assert list(errors(response)) == ["authorization_endpoint"]


@pytest.mark.parametrize("name", ["issuer", *CALLED])
def test_b28_a_huge_address_costs_nothing(deaf: None, name: str) -> None:
    provider = ProviderFactory()
    huge = "https://as.example/" + "a%" * 50_000 + "\\"
    began = time.process_time()
    form = ProviderForm(sent(provider, **{name: huge}), instance=provider)
    assert name in form.errors
    # A regular expression that goes wrong takes minutes, not a part of a second.
    assert time.process_time() - began < 5


def test_a1_8_a_slug_cannot_be_renamed_by_code_or_form(
    admin: Desk, provider: Provider
) -> None:
    provider.slug = "renamed"
    with pytest.raises(ValueError, match="cannot be changed"):
        provider.save()
    admin.submit("provider_change", provider.pk, slug="renamed")
    assert Provider.objects.get().slug == "fake"
