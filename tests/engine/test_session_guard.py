"""A session is the project's own to set up; none of that leads around the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import trustme
from requests.adapters import HTTPAdapter

from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.protocol import transport
from oauth_accounts.session import AccountSession
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer
from tests.protocol.test_certificates import serve


@pytest.fixture
def live(make_account: Any) -> Any:
    return make_account(expires_in=3000)


@pytest.fixture
def evil() -> Iterator[FakeProvider]:
    """Another server, which must never see the token."""
    with FakeProvider() as fake:
        yield fake


class Spy(HTTPAdapter):
    """An adapter without a guard."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        raise AssertionError("sent without the guard")


class TestAdapters:
    def test_d1_a_mounted_adapter_is_not_used(self, live: Any) -> None:
        session = live.session()
        for prefix in ("https://", "http://", "http://127.0.0.1", ""):
            session.mount(prefix, Spy())
        assert session.get("me").status_code == 200
        session.adapters.clear()
        assert session.get("me").status_code == 200

    @pytest.mark.parametrize("arguments", [{}, {"verify": False}, {"verify": "/x"}])
    def test_a3_4_certificates_are_verified(self, live: Any, arguments: Any) -> None:
        transport._adapters.clear()
        with serve(trustme.CA().issue_cert("localhost")) as server:
            session = AccountSession(live, hosts=[server.url])
            session.verify = False
            session.trust_env = True
            with pytest.raises(requests.ConnectionError):
                session.get(server.url, **arguments)
            assert server.requests == []
        transport.guarded_adapter(bounded=False).close()

    def test_d12_proxies_are_not_used(
        self, live: Any, evil: FakeProvider, monkeypatch: Any
    ) -> None:
        proxies = dict.fromkeys(("http", "https", "all"), evil.issuer)
        for name, address in proxies.items():
            monkeypatch.setenv(f"{name}_proxy", address)
        session = live.session()
        session.trust_env = True
        session.proxies = proxies
        assert session.get("me").status_code == 200
        assert session.get("me", proxies=proxies).status_code == 200
        assert evil.requests == []

    @pytest.mark.parametrize("url", ["https://10.0.0.1/me", "https://idp.internal/me"])
    def test_d4_private_peers_are_refused(
        self, live: Any, monkeypatch: Any, url: str
    ) -> None:
        infos = [(2, 1, 6, "", ("10.0.0.1", 443))]
        monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: infos)
        session = AccountSession(live, hosts=[url.removesuffix("/me")])
        with pytest.raises(ProviderMisconfigured) as caught:
            session.get(url)
        assert caught.value.code in {"address_refused", "url_refused"}

    def test_d6_hosts_that_are_not_allowed(self, live: Any, settings: Any) -> None:
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["good.example"]
        session = AccountSession(live, hosts=["https://evil.example"])
        with pytest.raises(ProviderMisconfigured) as caught:
            session.get("https://evil.example/me")
        assert caught.value.code == "host_refused"


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a3_3_d7_b24_none_is_followed_however_it_is_asked_for(
        self,
        live: Any,
        server: FakeProvider,
        evil: FakeProvider,
        status: int,
        method: str,
    ) -> None:
        session = live.session()
        session.max_redirects = 30
        for target in (evil.issuer, server.issuer, "//" + evil.issuer[7:], "/other"):
            answer = Answer(status=status, headers={"Location": f"{target}/me"})
            server.script(answer, endpoint="api")
            response = session.request(method, "me", allow_redirects=True)
            assert response.status_code == status
            assert response.history == []
            assert response.next is None
            assert list(session.resolve_redirects(response, response.request)) == []
        assert evil.requests == []
        assert {request.path for request in server.requests} == {"/api/me"}


class TestToken:
    @pytest.mark.parametrize(
        "arguments",
        [
            {"auth": ("user", "password")},
            {"headers": {"Authorization": "Basic eDp5"}},
            {"headers": {"authorization": "Basic eDp5"}},
        ],
    )
    def test_the_token_is_what_is_sent(
        self, live: Any, server: FakeProvider, arguments: Any
    ) -> None:
        session = live.session()
        session.auth = ("user", "password")
        session.headers["Authorization"] = "Basic eDp5"
        assert session.get("me", **arguments).status_code == 200
        sent = server.requests[-1].headers.get_all("Authorization")
        assert [value.split()[0] for value in sent] == ["Bearer"]

    def test_a_request_that_is_sent_by_hand_has_no_token(
        self, live: Any, server: FakeProvider, evil: FakeProvider
    ) -> None:
        session = live.session()
        session.get("me")
        prepared = session.prepare_request(requests.Request("GET", evil.issuer))
        session.send(prepared)
        assert "Authorization" not in evil.requests[0].headers

    def test_what_prepares_the_address_anew_is_looked_at_again(
        self, live: Any, evil: FakeProvider
    ) -> None:
        session = live.session()
        session.params = {"next": f"//{evil.issuer[7:]}/"}
        assert session.get("me").status_code == 200
        assert evil.requests == []

    def test_a3_12_cookies_are_not_kept(self, live: Any, server: FakeProvider) -> None:
        session = live.session()
        cookie = {"Set-Cookie": "a=b; Path=/"}
        server.script(Answer(headers=cookie, json={}), endpoint="api")
        session.get("me")
        session.get("me")
        assert "Cookie" not in server.requests[-1].headers
        assert not session.cookies

    def test_a3_13_netrc_has_no_say(
        self, live: Any, server: FakeProvider, tmp_path: Any, monkeypatch: Any
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login a password b\n")
        monkeypatch.setenv("NETRC", str(netrc))
        session = live.session()
        session.trust_env = True
        assert session.get("me").status_code == 200
        assert server.requests[-1].headers["Authorization"].startswith("Bearer ")

    def test_a_hook_finds_no_token_where_the_response_is_kept(
        self, live: Any, server: FakeProvider
    ) -> None:
        kept = []
        session = live.session()
        session.hooks["response"].append(lambda response, **rest: kept.append(response))
        session.get("me")
        assert "Authorization" not in kept[0].request.headers
