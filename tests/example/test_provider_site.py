"""The example's authorization server, run as the demo runs it."""

from __future__ import annotations

import sqlite3

import jwt
import pytest
import requests
from bs4 import BeautifulSoup

from tests.example.provider_browser import (
    CLIENT_ID,
    CLIENT_SECRET,
    VERIFIER,
    Browser,
    Client,
    answer_in,
)


@pytest.fixture
def client(provider_site):
    return Client(provider_site.base)


@pytest.fixture
def browser(provider_site):
    driver = Browser(provider_site.base)
    yield driver
    driver.http.close()


@pytest.fixture
def consent_page(browser, client):
    """The page that asks the logged-in user."""
    back = browser.log_in(browser.get(client.authorization_url()))
    return browser.get(back.headers["Location"])


@pytest.fixture
def tokens(browser, client, consent_page):
    """Tokens of a grant just given."""
    code = answer_in(browser.submit(consent_page, "allow"))["code"]
    return client.redeem(code).json()


def refuses(response):
    return (
        response.status_code == 401
        and 'error="invalid_token"' in (response.headers["WWW-Authenticate"])
    )


def test_whole_life_of_a_grant(provider_site, browser, client, consent_page):
    answer = answer_in(browser.submit(consent_page, "allow"))
    assert (answer["state"], answer["iss"]) == ("st", provider_site.base)

    first = client.redeem(answer["code"]).json()
    assert (first["expires_in"], first["token_type"]) == (20, "Bearer")
    assert set(first["scope"].split()) == {"profile", "notes"}
    assert client.api("me/", first["access_token"]).json()["username"] == "ada"
    assert len(client.api("notes/", first["access_token"]).json()["notes"]) == 3
    profile = client.api("userinfo/", first["access_token"]).json()
    assert (profile["sub"], profile["name"]) == ("1", "Ada Lovelace")

    second = client.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert client.api("me/", second["access_token"]).ok

    assert client.revoke(second["refresh_token"]).status_code == 200
    assert refuses(client.api("me/", second["access_token"]))
    refused = client.refresh(second["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_openid_brings_a_signed_id_token(provider_site, browser, client, consent_page):
    page = browser.get(client.authorization_url(scope="openid profile", nonce="n-1"))
    assert "Know for certain who you are" in page.text
    code = answer_in(browser.submit(page, "allow"))["code"]
    first = client.redeem(code).json()
    metadata = browser.get("/.well-known/openid-configuration").json()
    [key] = browser.get(metadata["jwks_uri"]).json()["keys"]
    claims = jwt.decode(
        first["id_token"],
        jwt.PyJWK(key),
        algorithms=["RS256"],
        audience=CLIENT_ID,
        issuer=provider_site.base,
    )
    assert (claims["sub"], claims["nonce"]) == ("1", "n-1")
    second = client.refresh(first["refresh_token"]).json()
    later = jwt.decode(second["id_token"], options={"verify_signature": False})
    assert (later["iss"], later["sub"]) == (claims["iss"], claims["sub"])


def test_replayed_refresh_token_ends_the_family(client, tokens):
    second = client.refresh(tokens["refresh_token"]).json()
    assert client.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert refuses(client.api("me/", second["access_token"]))
    assert client.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"


def test_code_works_once(browser, client, consent_page):
    code = answer_in(browser.submit(consent_page, "allow"))["code"]
    assert client.redeem(code).status_code == 200
    assert client.redeem(code).json()["error"] == "invalid_grant"


def test_user_may_refuse(provider_site, browser, consent_page):
    answer = answer_in(browser.submit(consent_page))
    assert (answer["error"], answer["state"]) == ("access_denied", "st")
    assert answer["iss"] == provider_site.base
    assert "code" not in answer


def test_consent_page_says_who_asks_for_what(consent_page):
    page = BeautifulSoup(consent_page.text, "html.parser")
    assert page.html["lang"] == "en"
    assert page.title.text.startswith("Allow access?")
    assert page.h1.text == "Allow Example site to use your account?"
    assert [item.text for item in page.main.find_all("li")] == [
        "See your name and e-mail address",
        "Read your notes",
    ]
    assert [button.text for button in page.find_all("button")] == ["Allow", "Refuse"]
    assert not page.find_all("link", rel="stylesheet")
    assert consent_page.headers["X-Frame-Options"] == "DENY"


def test_fields_of_the_login_page_have_labels(browser):
    page = BeautifulSoup(browser.get("/accounts/login/").text, "html.parser")
    labelled = {label["for"] for label in page.find_all("label")}
    visible = page.find("main").find_all("input", type=["text", "password"])
    assert {field["id"] for field in visible} == labelled != set()


def test_wrong_password_is_said_aloud(browser):
    page = browser.get("/accounts/login/")
    refused = browser.submit(page, username="ada", password="difference-engine")
    assert BeautifulSoup(refused.text, "html.parser").find(role="alert")


def test_pkce_is_required(browser, client, consent_page):
    response = browser.get(client.authorization_url(code_challenge=None))
    assert answer_in(response)["error"] == "invalid_request"


def test_plain_challenge_buys_no_code(browser, client, consent_page):
    plain = {"code_challenge_method": "plain", "code_challenge": VERIFIER}
    page = browser.get(client.authorization_url(**plain))
    answer = answer_in(browser.submit(page, "allow"))
    assert answer["error"] == "invalid_request"
    assert "code" not in answer


def test_foreign_redirect_uri_gets_a_page_and_no_redirect(
    browser, client, consent_page
):
    url = client.authorization_url(redirect_uri="http://127.0.0.1:9/callback/other")
    page = browser.get(url)
    assert page.status_code == 400
    assert BeautifulSoup(page.text, "html.parser").find(role="alert")


def test_scope_that_was_not_granted_is_refused(browser, client, consent_page):
    page = browser.get(client.authorization_url(scope="profile"))
    code = answer_in(browser.submit(page, "allow"))["code"]
    access_token = client.redeem(code).json()["access_token"]
    assert client.api("me/", access_token).ok
    response = client.api("notes/", access_token)
    assert response.status_code == 403
    assert "insufficient_scope" in response.headers["WWW-Authenticate"]


def test_api_wants_a_token(provider_site):
    response = requests.get(f"{provider_site.base}/api/me/", timeout=20)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_user_may_withdraw_access(browser, client, tokens):
    home = browser.get("/")
    assert "Example site" in home.text
    assert browser.submit(home).headers["Location"] == "/"
    assert refuses(client.api("me/", tokens["access_token"]))
    assert client.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert "No application has access" in browser.get("/").text


def test_metadata_names_the_addresses(provider_site, browser):
    base = provider_site.base
    document = browser.get("/.well-known/oauth-authorization-server").json()
    assert document["issuer"] == base
    assert document["authorization_endpoint"] == f"{base}/o/authorize/"
    assert document["token_endpoint"] == f"{base}/o/token/"
    assert document["revocation_endpoint"] == f"{base}/o/revoke_token/"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert document["authorization_response_iss_parameter_supported"] is True


def test_cookies_have_names_of_their_own(browser, consent_page):
    assert set(browser.http.cookies.keys()) == {
        "provider_sessionid",
        "provider_csrftoken",
    }


def test_database_holds_no_token_and_no_secret(provider_site, tokens):
    with sqlite3.connect(provider_site.state_dir / "provider.sqlite3") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    assert CLIENT_ID in dump
    for secret in (tokens["access_token"], tokens["refresh_token"], CLIENT_SECRET):
        assert secret not in dump


def test_keys_can_be_read_by_their_owner_only(provider_site):
    for name in ("provider.key", "provider.pem"):
        assert (provider_site.state_dir / name).stat().st_mode & 0o077 == 0


def test_prepare_may_be_repeated(provider_site, client, tokens):
    again = provider_site.prepare()
    assert again.returncode == 0, again.stderr
    assert "'ada'" in again.stdout
    assert CLIENT_SECRET not in again.stdout + again.stderr
    assert client.refresh(tokens["refresh_token"]).status_code == 200
    with sqlite3.connect(provider_site.state_dir / "provider.sqlite3") as database:
        count = "SELECT count(*) FROM {}"
        for table in ("oauth2_provider_application", "auth_user"):
            assert database.execute(count.format(table)).fetchone() == (1,)
    database.close()


def test_prepare_says_what_is_missing(provider_site):
    no_secret = provider_site.prepare(EXAMPLE_CLIENT_SECRET="")
    assert no_secret.returncode == 1
    assert "EXAMPLE_CLIENT_SECRET" in no_secret.stderr
    bad_uri = provider_site.prepare(redirect_uri="javascript:alert(1)")
    assert bad_uri.returncode == 1
    assert "redirect uri" in bad_uri.stderr
    assert "Traceback" not in bad_uri.stderr
