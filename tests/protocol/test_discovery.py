"""Metadata of authorization servers: where it is looked for, and what of it is believed."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_accounts.exceptions import (
    OAuthAccountsError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from oauth_accounts.protocol import discovery
from oauth_accounts.protocol.discovery import Metadata, discover, well_known_urls
from tests.protocol.servers import ScriptedServer, answer, cut

NOTHING = answer(404, body=b"<h1>Not found</h1>")
OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


def document(issuer, /, **changes):
    values = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize?tenant=1",
        "token_endpoint": f"{issuer}/token",
        "response_types_supported": ["code"],
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def serve(server, path, content):
    """Answer with a document at one path, and with 404 elsewhere."""
    found = content if isinstance(content, bytes) else answer(200, content)
    server.reply = lambda received: found if received.target == path else NOTHING


def code(issuer, kind=ProviderMisconfigured):
    with pytest.raises(kind) as caught:
        discover(issuer)
    return caught.value.code


def asked(server):
    return [received.target for received in server.requests]


class TestPlaces:
    @pytest.mark.parametrize("ending", ["", "/"])
    def test_a5_2_an_issuer_without_a_path(self, ending):
        assert well_known_urls(f"https://as.example{ending}") == [
            f"https://as.example{OPENID}",
            f"https://as.example{OAUTH}",
        ]

    @pytest.mark.parametrize("ending", ["", "/"])
    def test_a5_2_a_path_is_followed_and_preceded(self, ending):
        assert well_known_urls(f"https://as.example/a/b{ending}") == [
            f"https://as.example/a/b{OPENID}",
            f"https://as.example{OAUTH}/a/b",
            f"https://as.example{OPENID}/a/b",
        ]

    @pytest.mark.parametrize("number", range(3))
    def test_a5_2_each_place_is_asked_in_turn(self, server, number):
        issuer = f"{server.url}/tenant"
        places = [url.removeprefix(server.url) for url in well_known_urls(issuer)]
        serve(server, places[number], document(issuer))
        assert discover(issuer).token_endpoint == f"{issuer}/token"
        # Those after it are asked for a revocation endpoint, which it does not name.
        assert asked(server) == places
        assert {received.method for received in server.requests} == {"GET"}

    def test_a5_2_a_page_in_a_place_is_not_the_end(self, server):
        # Some sites answer every address with their start page.
        server.reply = lambda received: (
            answer(200, document(server.url))
            if received.target == OAUTH
            else answer(200, body=b"<!doctype html>")
        )
        assert discover(server.url).issuer == server.url


class TestTwoDocuments:
    """OpenID Connect Discovery has no revocation endpoint; RFC 8414 has."""

    def serve_both(self, server, openid, oauth):
        found = {OPENID: answer(200, openid), OAUTH: oauth}
        server.reply = lambda received: found.get(received.target, NOTHING)

    def test_the_second_completes_the_first(self, server):
        more = {"revocation_endpoint": f"{server.url}/r", "jwks_uri": f"{server.url}/b"}
        openid = document(server.url, jwks_uri=f"{server.url}/a")
        self.serve_both(server, openid, answer(200, document(server.url, **more)))
        metadata = discover(server.url)
        assert metadata.revocation_endpoint == f"{server.url}/r"
        assert metadata.jwks_uri == f"{server.url}/a"

    def test_it_is_not_asked_when_nothing_is_missing(self, server):
        openid = document(server.url, revocation_endpoint=f"{server.url}/r")
        self.serve_both(server, openid, answer(200, document(server.url)))
        assert discover(server.url).revocation_endpoint == f"{server.url}/r"
        assert asked(server) == [OPENID]

    @pytest.mark.parametrize(
        "changes", [{"token_endpoint": "/other"}, {"issuer": "https://other.example"}]
    )
    def test_a5_1_another_server_is_not_believed(self, server, changes):
        changes = {
            n: f"{server.url}{v}" if v[0] == "/" else v for n, v in changes.items()
        }
        other = document(server.url, revocation_endpoint=f"{server.url}/r", **changes)
        self.serve_both(server, document(server.url), answer(200, other))
        assert discover(server.url).revocation_endpoint == ""

    @pytest.mark.parametrize(
        "second", [b"nonsense\r\n\r\n", answer(302), answer(200, body=b"[")]
    )
    def test_one_that_cannot_be_read_takes_nothing_away(self, server, second):
        self.serve_both(server, document(server.url), second)
        assert discover(server.url).token_endpoint == f"{server.url}/token"


class TestWhatIsRead:
    def test_every_member(self, server):
        names = [*discovery.ENDPOINTS, *discovery.FLAGS, *discovery.LISTS]
        assert {"issuer", *names} == {field.name for field in fields(Metadata)}
        values = {
            **{name: f"{server.url}/{name}" for name in discovery.ENDPOINTS},
            **dict.fromkeys(discovery.FLAGS, True),
            **{name: ["S256", name] for name in discovery.LISTS},
        }
        serve(server, OPENID, document(server.url, **values))
        metadata = discover(server.url)
        for name in discovery.ENDPOINTS:
            assert getattr(metadata, name) == f"{server.url}/{name}"
        assert metadata.authorization_response_iss_parameter_supported is True
        assert metadata.require_pushed_authorization_requests is True
        assert metadata.scopes_supported == ("S256", "scopes_supported")
        methods = metadata.code_challenge_methods_supported
        assert methods == ("S256", "code_challenge_methods_supported")

    def test_what_is_not_said_is_not_made_up(self, server):
        serve(server, OPENID, document(server.url, jwks_uri=None, userinfo_endpoint=""))
        metadata = discover(server.url)
        assert metadata == Metadata(
            issuer=server.url,
            authorization_endpoint=f"{server.url}/authorize?tenant=1",
            token_endpoint=f"{server.url}/token",
        )
        assert metadata.code_challenge_methods_supported is None

    def test_unknown_members_are_ignored(self, server):
        serve(
            server,
            OPENID,
            document(server.url, registration_endpoint="javascript:1", x={"y": [1]}),
        )
        assert discover(server.url).issuer == server.url

    @pytest.mark.parametrize(
        "changes",
        [
            {"token_endpoint": None},
            {"authorization_endpoint": None},
            {"token_endpoint": 5},
            {"jwks_uri": ["https://as.example/jwks"]},
            {"scopes_supported": "openid"},
            {"scopes_supported": ["openid", 5]},
            {"scopes_supported": ["two words"]},
            {"scopes_supported": ["\x1b[2J"]},
            {"code_challenge_methods_supported": {"S256": True}},
            {"require_pushed_authorization_requests": "yes"},
            {"authorization_response_iss_parameter_supported": 1},
        ],
    )
    def test_d14_members_that_are_not_what_they_have_to_be(self, server, changes):
        serve(server, OPENID, document(server.url, **changes))
        assert code(server.url) == "discovery_bad_document"


class TestIssuer:
    @pytest.mark.parametrize(
        "other",
        [
            lambda issuer: f"{issuer}/",
            lambda issuer: issuer.replace("127.0.0.1", "localhost"),
            lambda issuer: issuer.replace("http", "HTTP"),
            lambda issuer: f"{issuer}/tenant",
            lambda issuer: [issuer],
            lambda issuer: None,
        ],
    )
    def test_a5_1_another_issuer_is_not_believed(self, server, other):
        serve(server, OPENID, document(server.url, issuer=other(server.url)))
        assert code(server.url) == "discovery_bad_document"

    def test_a5_1_a_slash_at_the_end_is_part_of_it(self, server):
        serve(server, OPENID, document(server.url, issuer=f"{server.url}/"))
        assert discover(f"{server.url}/").issuer == f"{server.url}/"

    def test_a5_1_the_document_of_another_place_may_be_right(self, server):
        issuer = f"{server.url}/tenant"
        wrong = answer(200, document("https://evil.example"))
        right = answer(200, document(issuer))
        server.reply = lambda received: (
            right if received.target.startswith(OAUTH) else wrong
        )
        assert discover(issuer).token_endpoint == f"{issuer}/token"

    @pytest.mark.parametrize(
        "issuer",
        [
            "http://as.example",
            "https://as.example/?a=b",
            "https://as.example/#a",
            "https://user@as.example",
            "https://169.254.169.254",
            "https://[::ffff:10.0.0.1]",
            "https://as.example:6379",
            "file:///etc/passwd",
            "as.example",
            "",
        ],
    )
    def test_b26_an_issuer_that_must_not_be_called(self, issuer, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", pytest.fail)
        assert code(issuer) == "discovery_refused"


class TestHostileServers:
    @pytest.mark.parametrize("name", discovery.ENDPOINTS)
    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)",
            "http://as.example/token",
            "https://169.254.169.254/latest",
            "https://evil@as.example/",
            "https://as.example:22/",
            "https://as.example/#fragment",
        ],
    )
    def test_b26_every_address_in_it_is_checked(self, server, name, url):
        serve(server, OPENID, document(server.url, **{name: url}))
        assert code(server.url) == "discovery_refused"

    def test_d4_d14_a_host_that_resolves_to_an_internal_address(self, monkeypatch):
        inside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [inside])
        assert code("https://as.example") == "discovery_refused"

    def test_d14_a_closed_port_and_one_that_is_silent_look_the_same(self, short):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            hanging = f"http://127.0.0.1:{port}"
            assert code(hanging, ProviderUnavailable) == "discovery_unreachable"
        assert code(hanging, ProviderUnavailable) == "discovery_unreachable"

    def test_d14_a_server_that_hangs_up(self, server):
        server.script = cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        assert code(server.url, ProviderUnavailable) == "discovery_unreachable"
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_d7_redirects_are_not_followed(self, server, status):
        with ScriptedServer(answer(200, document(server.url))) as elsewhere:
            server.script = answer(status, headers=(f"Location: {elsewhere.url}/",))
            assert code(server.url) == "discovery_bad_document"
            assert elsewhere.connections == 0

    @pytest.mark.parametrize("status", [204, 400, 401, 404, 429, 500, 503])
    def test_d14_a_document_needs_the_status_200(self, server, status):
        server.script = answer(status, document(server.url))
        assert code(server.url) == "discovery_bad_document"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{",
            b"\xff\xfe{}",
            b"[" * 100_000,
            b'{"issuer": ' + b"9" * 100_000 + b"}",
            b'{"issuer": NaN}',
            b'{"issuer": "a", "issuer": "b"}',
            b"<html>",
        ],
    )
    def test_d10_hostile_bytes(self, server, body):
        server.script = answer(200, body=body)
        assert code(server.url) == "discovery_bad_document"

    def test_d9_a_document_may_have_512_kb_and_no_more(self, server):
        bare = len(json.dumps(document(server.url, padding="")))
        room = 524_288 - bare
        serve(server, OPENID, document(server.url, padding="x" * room))
        assert discover(server.url).issuer == server.url
        serve(server, OPENID, document(server.url, padding="x" * (room + 1)))
        assert code(server.url, ProviderUnavailable) == "discovery_unreachable"

    def test_errors_name_no_address(self, server):
        server.script = answer(200, document("https://evil.example"))
        with pytest.raises(OAuthAccountsError) as caught:
            discover(server.url)
        assert server.url not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None


MEMBER = st.sampled_from([*discovery.ENDPOINTS, *discovery.FLAGS, *discovery.LISTS])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
GOOD = document("https://as.example")


@given(st.dictionaries(MEMBER, JSON))
def test_d10_any_document_is_read_or_refused(changes):
    with contextlib.suppress(ProviderMisconfigured):
        metadata = discovery._read({**GOOD, **changes}, GOOD["issuer"])
        assert metadata is None or metadata.issuer == GOOD["issuer"]
