"""B: what went wrong elsewhere and has no place in the flow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.urls import urlpatterns
from tests.admin.desk import Desk, errors
from tests.security.stage import Stage
from tests.views.browser import list_url

FIELDS = {
    "name": "Git Forge",
    "slug": "forge",
    "client_id": "abc",
    "new_client_secret": "forge-secret-1",
    "authorization_endpoint": "https://forge.example/authorize",
    "token_endpoint": "https://forge.example/token",
    "userinfo_endpoint": "https://forge.example/userinfo",
}
# Django's own field takes no more than this many characters of any address.
LONG = "https://forge.example/" + "a" * 100_000
BAD = (
    "http://localhost:80@attacker.example/",
    "http://127.0.0.1:80@attacker.example/",
    "http://[x",
    "http://[::1",
    "https://user:password@forge.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "https://forge.example\\@attacker.example/",
    LONG,
)


@pytest.fixture
def root(transactional_db: None) -> Desk:
    return Desk(User.objects.create_superuser("root"))


@pytest.mark.parametrize(
    "field", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint"]
)
def test_a1_12_b26_b27_b28_bad_addresses_in_the_admin(root: Desk, field: str) -> None:
    for address in BAD:
        begun = time.monotonic()
        response = root.submit("provider_add", **FIELDS | {field: address})
        # Minutes, where an expression goes back and forth; a page takes a moment.
        assert time.monotonic() - begun < 30
        assert response.status_code == 200
        assert list(errors(response)) == [field], address
    assert not Provider.objects.exists()


def test_a1_3_nobody_can_enter_another_response_type(root: Desk) -> None:
    page = root.page("provider_add")
    assert page.find(attrs={"name": "response_type"}) is None
    for kind in ("token", "id_token", "code token"):
        params = f'{{"response_type": "{kind}"}}'
        response = root.submit("provider_add", **FIELDS, authorization_params=params)
        assert list(errors(response)) == ["authorization_params"]
        address = FIELDS["authorization_endpoint"] + f"?response_type={kind}"
        changes = {"authorization_endpoint": address.replace(" ", "+")}
        response = root.submit("provider_add", **FIELDS | changes)
        assert list(errors(response)) == ["authorization_endpoint"]


def test_b11_there_is_no_other_address(stage: Stage) -> None:
    names = {pattern.name for pattern in urlpatterns}
    assert names == {"list", "connect", "callback", "reconnect", "disconnect"}


def test_b28_a_huge_next(stage: Stage) -> None:
    path = stage.way_back(stage.a, next="/" + "a/" * 50_000)
    assert stage.accept(stage.a, path)["Location"] == list_url()
    assert stage.a.get(list_url(), next="//" * 10_000).status_code == 200


def test_b32_no_page_runs_a_script_or_talks_to_a_window(
    stage: Stage, project_root: Path
) -> None:
    account = stage.connect(stage.a)
    pages = [stage.a.get(list_url()), stage.a.get(reverse("oauth_accounts:list"))]
    pages.append(stage.reject(stage.a, "/accounts/connected/callback/as1/"))
    folder = project_root / "oauth_accounts"
    texts = [page.content.decode() for page in pages]
    texts += [path.read_text() for path in folder.glob("templates/**/*.html")]
    # The copy button on a provider's page in the admin; nothing for users has one.
    scripts = list(folder.glob("static/**/*.js"))
    texts += [path.read_text() for path in scripts]
    for word in ("<script", "postMessage", "window.opener", "localStorage"):
        assert [text for text in texts if word in text] == []
    assert [path.name for path in scripts] == ["admin-copy.js"]
    assert all("script-src" not in p["Content-Security-Policy"] for p in pages)
    assert ConnectedAccount.objects.get() == account


@pytest.mark.parametrize("name", ["callback", "reconnect", "connect"])
def test_a1_14_no_page_may_be_framed(stage: Stage, name: str, settings: Any) -> None:
    # Whatever the project does about its own pages.
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "clickjacking" not in m]
    account = stage.connect(stage.a)
    key: Any = account.pk if name == "reconnect" else "as1"
    url = reverse(f"oauth_accounts:{name}", args=[key])
    for response in (stage.a.post(url), stage.a.get(url), stage.x.post(url)):
        assert response["X-Frame-Options"] == "DENY"
        assert "no-store" in response["Cache-Control"]
