"""
C3, A8.9: what Django tells about an error nobody expected, on its page and in its mail.

Something raises at each depth of each view. With DEBUG on, Django's page shows every local
variable and the whole request; with DEBUG off the administrators get the same by mail, where
Django's filter is at work.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.signals import got_request_exception
from django.utils.log import AdminEmailHandler

from oauth_accounts.models import Provider
from tests.leaks.breaking import Boom, broken
from tests.leaks.markers import Secrets
from tests.settings import MAILED
from tests.views.browser import (
    Browser,
    disconnect_url,
    list_url,
    reconnect_url,
)

SESSION = "django.contrib.sessions.middleware.SessionMiddleware.process_response"
FERNET = "cryptography.fernet.Fernet.encrypt"
START = [
    "oauth_accounts.connect.new_code_verifier",
    "oauth_accounts.connect.redirect_uri",
    "oauthlib.oauth2.WebApplicationClient.prepare_request_uri",
    "oauthlib.oauth2.rfc6749.parameters.add_params_to_uri",
    FERNET,
    "oauth_accounts.models.AuthorizationAttempt.save_base",
    "oauth_accounts.connect._may_exceed",
    "oauth_accounts.pages.remember_browser",
    SESSION,
]
CALLBACK = [
    "oauth_accounts.callback.clean_provider_code",
    "oauth_accounts.callback.clock.utcnow",
    "oauth_accounts.callback.check",
    "cryptography.fernet.MultiFernet.decrypt",
    "oauth_accounts.protocol.client.client_authentication",
    "requests.sessions.Session.prepare_request",
    "requests.adapters.HTTPAdapter.send",
    "urllib3.connectionpool.HTTPConnectionPool._make_request",
    "http.client.HTTPConnection.endheaders",
    "oauth_accounts.protocol.transport._read_bounded",
    "oauth_accounts.protocol.transport.parse_retry_after",
    "oauth_accounts.protocol.answers._from_pairs",
    "oauth_accounts.protocol.client.parse_token_answer",
    "oauth_accounts.protocol.tokens._scopes",
    "oauth_accounts.protocol.tokens._lifetime",
    "oauth_accounts.identity.read_identity",
    "oauth_accounts.identity._text",
    "oauth_accounts.grant._create",
    "oauth_accounts.models.token_columns.keyring.current_key_id",
    FERNET,
    "oauth_accounts.models.ConnectedAccount.save_base",
    "oauth_accounts.grant._record",
    "oauth_accounts.reactions.announce",
    "django.contrib.messages.success",
    SESSION,
]
DISCONNECT = [
    "oauth_accounts.revoke.keep",
    "oauth_accounts.models.PendingRevocation.save_base",
    "django.contrib.messages.success",
    SESSION,
]
LIST = ["oauth_accounts.pages.base_template", "oauth_accounts.cards.Card", SESSION]

pytestmark = [pytest.mark.faces, pytest.mark.usefixtures("loopback")]


@pytest.fixture(params=[True, False], ids=["page", "mail"])
def reports(request: Any, settings: Any, secrets: Secrets) -> Iterator[Any]:
    """Look through what Django and others tell of the one error of a test."""
    settings.DEBUG, settings.ADMINS = request.param, MAILED
    handler = AdminEmailHandler(include_html=True)
    logging.getLogger("django.request").addHandler(handler)
    frames: list[str] = []

    def keep(sender: Any, **kwargs: Any) -> None:
        frames.append(reported())

    got_request_exception.connect(keep)

    def search(response: Any, error: str = Boom.__name__) -> None:
        assert response.status_code == 500
        places: dict[str, Any] = {"page": response.content, "frames": "".join(frames)}
        if not settings.DEBUG:
            # Django's own handler sends text, the one above HTML too.
            htmls = [html for sent in mail.outbox for html, _type in sent.alternatives]
            places |= {"mail": "".join(sent.body for sent in mail.outbox)}
            places |= {"html": "".join(htmls)}
        assert secrets.found_in(**places) == []
        told = "frames" if settings.DEBUG else "mail"
        assert error in str(places[told])

    yield search
    got_request_exception.disconnect(keep)
    logging.getLogger("django.request").removeHandler(handler)


def reported() -> str:
    """Return the error under way with the local variables of all frames, as trackers do."""
    error = sys.exception()
    assert error is not None
    lines = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(lines.format())


@pytest.mark.parametrize("target", LIST)
def test_c3_a8_9_the_list(browser: Browser, reports: Any, target: str) -> None:
    browser.connect()
    with broken(target):
        response = browser.get(list_url())
    reports(response)


@pytest.mark.parametrize("target", START)
def test_c3_a8_9_connect(browser: Browser, reports: Any, target: str) -> None:
    with broken(target):
        response = browser.post("/accounts/connected/connect/fake/")
    reports(response)


@pytest.mark.parametrize("target", START[-4:])
def test_c3_a8_9_reconnect(browser: Browser, reports: Any, target: str) -> None:
    account = browser.connect()
    with broken(target):
        response = browser.post(reconnect_url(account))
    reports(response)


@pytest.mark.parametrize("target", CALLBACK)
def test_c3_a8_9_callback(browser: Browser, reports: Any, target: str) -> None:
    path = browser.consent(browser.start())
    with broken(target):
        response = browser.get(path)
    reports(response)


@pytest.mark.parametrize("target", DISCONNECT)
def test_c3_a8_9_disconnect(browser: Browser, reports: Any, target: str) -> None:
    account = browser.connect()
    with broken(target):
        response = browser.post(disconnect_url(account))
    reports(response)


ENTERED = "secret-that-was-entered-4c1f9d"
FORM = [
    "oauth_accounts.forms.ProviderForm._check_issuer",
    "oauth_accounts.forms.ProviderForm._require_keys",
    "oauth_accounts.models.Provider.clean",
    "oauth_accounts.keyring.seal",
    FERNET,
    "oauth_accounts.models.Provider.save_base",
    "oauth_accounts.models.AccountEvent.save_base",
    "django.contrib.admin.options.ModelAdmin.log_addition",
    "django.contrib.admin.options.ModelAdmin.message_user",
]
ACTIONS = {
    "refresh_now": [
        "oauth_accounts.bulk._act",
        "requests.adapters.HTTPAdapter.send",
        "oauth_accounts.protocol.tokens._scopes",
        "oauth_accounts.writeback._update",
        "oauth_accounts.keyring.seal",
    ],
    "revoke_selected": ["oauth_accounts.revoke.keep", SESSION],
}


@pytest.mark.parametrize("target", FORM)
def test_c3_a8_9_a_provider_is_added(
    desk: Any, server: Any, secrets: Secrets, reports: Any, target: str
) -> None:
    secrets.add(ENTERED)
    fields = server.as_provider_fields() | {"client_secret": None}
    texts = {name: text for name, text in fields.items() if isinstance(text, str)}
    desk.get("provider_add")
    with broken(target):
        response = desk.submit(
            "provider_add",
            slug="new",
            **texts,
            new_client_secret=ENTERED,
            new_private_key=ENTERED,
        )
    reports(response)


@pytest.mark.parametrize("target", [*FORM[:7], FORM[8]])
def test_c3_a8_9_a_provider_is_changed(
    desk: Any, provider: Provider, secrets: Secrets, reports: Any, target: str
) -> None:
    secrets.add(ENTERED)
    values = {"issuer": "https://new.example", "new_client_secret": ENTERED}
    with broken(target):
        response = desk.submit("provider_change", provider.pk, **values)
    reports(response)


@pytest.mark.parametrize(
    ("action", "target"),
    [(action, target) for action, targets in ACTIONS.items() for target in targets],
)
def test_c3_a8_9_an_action_of_the_admin(
    browser: Browser, desk: Any, reports: Any, action: str, target: str
) -> None:
    account = browser.connect()
    with broken(target):
        response = desk.act(action, account, confirmed="yes")
    reports(response)


PAGES = ["provider_changelist", "provider_add"]
PAGES_OF_ONE = ["change", "delete", "history"]


@pytest.mark.parametrize("page", PAGES)
def test_c3_a8_9_a_page_of_the_admin(
    browser: Browser, desk: Any, reports: Any, page: str
) -> None:
    browser.connect()
    with broken("django.contrib.admin.sites.AdminSite.each_context"):
        response = desk.get(page)
    reports(response)


@pytest.mark.parametrize("page", PAGES_OF_ONE)
def test_c3_a8_9_a_page_of_the_admin_about_an_account(
    browser: Browser, desk: Any, reports: Any, page: str
) -> None:
    account = browser.connect()
    with broken("django.contrib.admin.sites.AdminSite.each_context"):
        response = desk.get(f"connectedaccount_{page}", account.pk)
    reports(response)


OPENID = [
    "oauth_accounts.protocol.id_token.find_key",
    "oauth_accounts.protocol.id_token._problem",
    "oauth_accounts.protocol.id_token._is_for",
    "oauth_accounts.identity.read_identity",
    "oauth_accounts.grant._create",
]


@pytest.mark.parametrize("target", OPENID)
def test_c3_a8_9_callback_with_an_id_token(
    browser: Browser, server: Any, secrets: Secrets, reports: Any, target: str
) -> None:
    Provider.objects.update(scopes=["openid"], jwks_uri=server.jwks_uri)
    path = browser.consent(browser.start())
    with broken(target):
        response = browser.get(path)
    issued = [token for grant in server.grants for token in grant.access_tokens]
    assert len(issued) == 1
    secrets.update(issued)
    reports(response)
