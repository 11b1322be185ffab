"""OpenID Connect through the real callback: no account without an ID token that is right."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.protocol.claims import unverified_claims
from oauth_accounts.testing.server import Answer, FakeProvider
from tests.views.browser import (
    Browser,
    assert_protected,
    callback_url,
    connect_url,
    reconnect_url,
)


@pytest.fixture
def openid(provider: Provider) -> Provider:
    """The provider, asked for ID tokens."""
    Provider.objects.update(scopes=["openid", "read"])
    provider.refresh_from_db()
    return provider


def query_of(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def refuse(browser: Browser, server: FakeProvider, path: str | None = None) -> str:
    """Come back from the provider, be turned away, and return the reason recorded."""
    before = list(ConnectedAccount.objects.order_by("pk").values())
    response = browser.get(path or browser.consent(browser.start()))
    assert response.status_code in {400, 409, 502, 503}
    assert_protected(response)
    assert list(ConnectedAccount.objects.order_by("pk").values()) == before
    event = AccountEvent.objects.latest("created_at")
    assert event.kind == "rejected"
    return event.reason


def assert_revoked(server: FakeProvider, reason: str) -> None:
    """Fail unless the tokens of the last grant are on their way to be revoked, and unused."""
    [pending] = PendingRevocation.objects.all()
    assert pending.reason == reason
    grant = server.grants[-1]
    assert pending.reveal("refresh_token").get_value() == grant.refresh_tokens[-1]
    assert pending.reveal("access_token").get_value() == grant.access_tokens[-1]


def userinfo_requests(server: FakeProvider) -> list[Any]:
    return [request for request in server.requests if request.path == "/userinfo"]


class TestNonce:
    def test_a4_1_it_is_fresh_and_stored_sealed(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        first, second = query_of(browser.start()), query_of(browser.start())
        assert len(first["nonce"]) == 1
        assert first["nonce"] != second["nonce"]
        assert len(first["nonce"][0]) >= 22
        assert first["nonce"][0] not in {first["state"][0], first["code_challenge"][0]}
        attempt = AuthorizationAttempt.objects.earliest("created_at")
        assert attempt.reveal("nonce").get_value() == first["nonce"][0]
        assert first["nonce"][0].encode() not in attempt.nonce.ciphertext

    def test_none_is_sent_where_no_id_token_is_asked_for(
        self, browser: Browser, provider: Provider
    ) -> None:
        assert "nonce" not in query_of(browser.start())
        assert AuthorizationAttempt.objects.get().nonce is None

    def test_a1_6_a_form_cannot_set_it(
        self, browser: Browser, openid: Provider
    ) -> None:
        assert query_of(browser.start(nonce="evil"))["nonce"] != ["evil"]

    def test_a4_1_the_right_one(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        address = browser.start()
        assert browser.get(browser.consent(address)).status_code == 302
        account = ConnectedAccount.objects.get()
        claims = unverified_claims(account.reveal("id_token"))
        assert (account.uid, claims["sub"]) == ("alice", "alice")
        assert [claims["nonce"]] == query_of(address)["nonce"]

    @pytest.mark.parametrize("nonce", [None, "", "wrong", ["list"]])
    def test_a4_1_a_missing_or_wrong_one(
        self, browser: Browser, openid: Provider, server: FakeProvider, nonce: Any
    ) -> None:
        server.id_tokens.claims["nonce"] = nonce
        assert refuse(browser, server) == "id_token_nonce"
        assert_revoked(server, "id_token_nonce")
        # Nothing was asked with the token before the ID token was found wanting.
        assert userinfo_requests(server) == []

    def test_a4_1_that_of_a_previous_attempt(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        first = query_of(browser.start())["nonce"][0]
        server.id_tokens.claims["nonce"] = first
        assert refuse(browser, server) == "id_token_nonce"
        assert_revoked(server, "id_token_nonce")

    def test_a4_1_an_id_token_of_a_previous_connect(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        account = browser.connect()
        before = account.reveal("id_token").get_value()
        server.id_tokens.make = lambda claims: before
        assert refuse(browser, server) == "id_token_nonce"
        account.refresh_from_db()
        assert account.reveal("id_token").get_value() == before


class TestAnswers:
    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"iss": "https://evil.example"}, "id_token_issuer"),
            ({"aud": "another"}, "id_token_audience"),
            ({"azp": "another"}, "id_token_audience"),
            ({"exp": 1}, "id_token_time"),
            ({"at_hash": "wrong"}, "id_token_hash"),
            ({"sub": None}, "id_token_subject"),
        ],
    )
    def test_a4_2_a4_4_a4_5_claims_that_are_wrong(
        self,
        browser: Browser,
        openid: Provider,
        server: FakeProvider,
        claims: dict[str, Any],
        reason: str,
    ) -> None:
        server.id_tokens.claims.update(claims)
        assert refuse(browser, server) == reason
        assert_revoked(server, reason)
        assert userinfo_requests(server) == []

    def test_a4_3_a_signature_of_somebody_else(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        stranger = FakeProvider()
        key_id = server.id_tokens.jwks["keys"][0]["kid"]
        server.id_tokens.make = lambda claims: stranger.id_tokens.sign(
            claims, kid=key_id
        )
        assert refuse(browser, server) == "id_token_signature"
        assert_revoked(server, "id_token_signature")

    @pytest.mark.parametrize("token", [None, "", 5])
    def test_a4_1_none_came(
        self, browser: Browser, openid: Provider, server: FakeProvider, token: Any
    ) -> None:
        server.id_tokens.make = lambda claims: token
        assert refuse(browser, server) == "id_token_missing"
        assert_revoked(server, "id_token_missing")

    def test_a4_3_keys_that_cannot_be_read_are_an_outage(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        server.script(Answer(status=500), endpoint="jwks")
        response = browser.get(browser.consent(browser.start()))
        assert response.status_code == 503
        assert int(response["Retry-After"]) <= 61
        assert_revoked(server, "keys_unavailable")

    def test_a4_3_no_row_can_go_without_keys(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        path = browser.consent(browser.start())
        openid.jwks_uri = ""
        openid.save()
        assert refuse(browser, server, path) == "provider_incomplete"
        assert_revoked(server, "provider_incomplete")

    def test_an_id_token_that_was_not_asked_for_is_not_stored(
        self, browser: Browser, provider: Provider, server: FakeProvider
    ) -> None:
        answer = server.respond

        def add(request: Any) -> Answer:
            return Answer(json={**answer(request).json, "id_token": "a.b.c"})

        server.script(add)
        assert browser.connect().id_token is None
        assert not any(request.path.startswith("/jwks/") for request in server.requests)

    def test_connecting_again_without_openid_forgets_the_id_token(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        assert browser.connect().id_token is not None
        Provider.objects.update(scopes=["read"])
        account = browser.connect()
        assert account.id_token is None
        assert ConnectedAccount.objects.count() == 1


class TestSubject:
    @pytest.mark.parametrize("other", ["mallory", "Alice", "alice ", None, 5])
    def test_a4_6_userinfo_about_somebody_else(
        self, browser: Browser, openid: Provider, server: FakeProvider, other: Any
    ) -> None:
        server.profiles["alice"] = {"sub": other}
        assert refuse(browser, server) == "userinfo_subject"
        assert_revoked(server, "userinfo_subject")

    def test_a4_6_the_subject_is_compared_wherever_the_id_is(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        Provider.objects.update(uid_path="id")
        server.profiles["alice"] = {"id": 7}
        assert browser.connect().uid == "7"
        server.profiles["alice"] = {"id": 7, "sub": "mallory"}
        assert refuse(browser, server) == "userinfo_subject"

    def test_a2_17_reconnecting_somebody_else(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        account = browser.connect()
        server.subject = "mallory"
        started = browser.post(reconnect_url(account))
        path = browser.consent(started["Location"])
        assert refuse(browser, server, path) == "identity_mismatch"

    def test_b18_names_are_no_identity(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        names = {"preferred_username": "ali", "email": "ali@example.com"}
        server.profiles["alice"] = dict(names)
        account = browser.connect()
        # The same subject under another name is the same account.
        server.profiles["alice"] = {"preferred_username": "al", "email": "al@x.example"}
        browser.connect()
        account.refresh_from_db()
        assert ConnectedAccount.objects.count() == 1
        assert account.profile["preferred_username"] == "al"
        assert account.label == "al@x.example"
        # Another subject under the old name is another account.
        server.subject = "mallory"
        server.profiles["mallory"] = dict(names)
        other = browser.connect()
        assert ConnectedAccount.objects.count() == 2
        assert (other.uid, other.label) == ("mallory", "ali@example.com")

    def test_b18_without_openid(
        self, browser: Browser, provider: Provider, server: FakeProvider
    ) -> None:
        server.profiles["alice"] = {"preferred_username": "ali"}
        browser.connect()
        server.profiles["alice"] = {"preferred_username": "al"}
        server.profiles["bob"] = {"preferred_username": "ali"}
        browser.connect()
        server.subject = "bob"
        browser.connect()
        assert sorted(ConnectedAccount.objects.values_list("uid", flat=True)) == [
            "alice",
            "bob",
        ]


class TestSwappedCodes:
    """B23: the code of one attempt of a user, brought back with the state of another."""

    def swapped(self, browser: Browser, server: FakeProvider) -> str:
        first, second = browser.start(), browser.start()
        mine = dict(parse_qsl(urlsplit(browser.consent(first)).query))
        server.subject = "mallory"
        theirs = dict(parse_qsl(urlsplit(browser.consent(second)).query))
        query = {**mine, "code": theirs["code"]}
        return f"{callback_url()}?{urlencode(query)}"

    def test_b23_the_provider_sees_another_verifier(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        path = self.swapped(browser, server)
        assert refuse(browser, server, path) == "code_refused"
        assert server.grants == []
        assert len(server.token_requests) == 1

    def test_b23_a_provider_that_does_not_look_is_found_out_by_the_nonce(
        self,
        browser: Browser,
        openid: Provider,
        server: FakeProvider,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(
            "oauth_accounts.testing.grants.s256", lambda verifier: AnyChallenge()
        )
        path = self.swapped(browser, server)
        assert refuse(browser, server, path) == "id_token_nonce"
        assert_revoked(server, "id_token_nonce")


class AnyChallenge:
    """Equal to every challenge, as at a provider that ignores PKCE."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


class TestConfiguration:
    def test_a5_3_no_request_of_a_user_asks_for_metadata(
        self, browser: Browser, openid: Provider, server: FakeProvider
    ) -> None:
        # A server that has been taken over would like to be asked.
        changed = {**server.metadata, "token_endpoint": "https://evil.example/token"}
        server.script(*[Answer(json=changed)] * 9, endpoint="metadata")
        account = browser.connect()
        account.refresh()
        browser.post(reconnect_url(account))
        assert len(server.token_requests) == 2
        assert not any("well-known" in request.path for request in server.requests)
        openid.refresh_from_db()
        assert openid.token_endpoint == server.token_endpoint

    @pytest.mark.parametrize("name", ["issuer", "jwks_uri"])
    def test_a4_3_nobody_connects_where_nothing_can_be_checked(
        self, browser: Browser, openid: Provider, name: str, caplog: Any
    ) -> None:
        setattr(openid, name, "")
        openid.save()
        assert browser.post(connect_url()).status_code == 503
        assert "ended with provider_incomplete" in caplog.text
        assert not AuthorizationAttempt.objects.exists()
