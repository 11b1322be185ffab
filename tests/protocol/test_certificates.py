"""TLS as a stranger in the middle would have it: every certificate but the right one."""

from __future__ import annotations

import datetime
import ssl
import time
import warnings
from collections.abc import Iterator

import pytest
import requests
import trustme

from oauth_accounts.protocol import transport
from oauth_accounts.protocol.transport import GuardedSession
from tests.protocol.calls import OK, ask, failure
from tests.protocol.servers import ScriptedServer, drip, silence
from tests.protocol.test_floods import FLOODS

YEAR = datetime.timedelta(days=365)
NOW = datetime.datetime.now(datetime.UTC)

# What switches verification off elsewhere, or trusts another authority.
SWITCHES = (
    {"OAUTHLIB_INSECURE_TRANSPORT": "1"},
    {"PYTHONHTTPSVERIFY": "0"},
    {"REQUESTS_CA_BUNDLE": "stranger"},
    {"CURL_CA_BUNDLE": "stranger"},
    {"REQUESTS_CA_BUNDLE": ""},
    {"CURL_CA_BUNDLE": ""},
)


@pytest.fixture
def authority(tmp_path, monkeypatch) -> Iterator[trustme.CA]:
    """A certificate authority that this process trusts."""
    made = trustme.CA()
    bundle = tmp_path / "ca.pem"
    made.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    transport._adapters.clear()
    yield made
    for bounded in (True, False):
        transport.guarded_adapter(bounded=bounded).close()
    transport._adapters.clear()


@pytest.fixture
def stranger(tmp_path) -> trustme.CA:
    """An authority that nobody trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "stranger.pem")
    return made


def serve(certificate: trustme.LeafCert, **options) -> ScriptedServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for name, value in options.items():
        setattr(context, name, value)
    certificate.configure_cert(context)
    return ScriptedServer(OK, host="localhost", context=context)


def refuse(server: ScriptedServer) -> None:
    """Fail unless neither kind of session sends anything."""
    with server:
        assert failure(server.url).code == "unreachable"
        with pytest.raises(requests.ConnectionError):
            GuardedSession().get(server.url, verify=False)
        assert server.connections == 2
        assert server.requests == []


class TestCertificates:
    def test_the_right_one_passes(self, authority):
        with serve(authority.issue_cert("localhost")) as server:
            assert ask(server.url).status == 200
            assert GuardedSession().get(server.url).status_code == 200

    @pytest.mark.parametrize("environment", SWITCHES)
    def test_a3_4_unknown_authorities_whatever_the_environment(
        self, authority, stranger, tmp_path, monkeypatch, environment
    ):
        for name, value in environment.items():
            path = str(tmp_path / "stranger.pem")
            monkeypatch.setenv(name, path if value == "stranger" else value)
        refuse(serve(stranger.issue_cert("localhost")))

    def test_a3_4_the_environment_does_not_replace_what_is_trusted(
        self, authority, tmp_path, stranger, monkeypatch
    ):
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, str(tmp_path / "stranger.pem"))
        with serve(authority.issue_cert("localhost")) as server:
            assert ask(server.url).status == 200

    def test_a3_4_a_default_that_was_switched_off_in_python(
        self, authority, stranger, monkeypatch
    ):
        monkeypatch.setattr(
            ssl, "_create_default_https_context", ssl._create_unverified_context
        )
        refuse(serve(stranger.issue_cert("localhost")))

    def test_a3_4_one_that_signs_itself(self, authority):
        # As its own authority.
        refuse(serve(trustme.CA().issue_cert("localhost", common_name="localhost")))

    @pytest.mark.parametrize(
        "names", [["idp.example"], ["*.localhost"], ["127.0.0.1"], ["local"]]
    )
    def test_a3_4_other_hosts(self, authority, names):
        refuse(serve(authority.issue_cert(*names)))

    def test_a3_4_the_common_name_is_no_name(self, authority):
        refuse(serve(authority.issue_cert("idp.example", common_name="localhost")))

    def test_a3_4_expired_ones(self, authority):
        yesterday = NOW - datetime.timedelta(days=1)
        refuse(serve(authority.issue_cert("localhost", not_after=yesterday)))

    def test_a3_4_those_of_the_future(self, authority):
        refuse(serve(authority.issue_cert("localhost", not_before=NOW + YEAR)))

    def test_a3_4_one_for_a_name_is_none_for_its_address(self, authority):
        with serve(authority.issue_cert("localhost")) as server:
            assert failure(f"https://127.0.0.1:{server.port}").code == "unreachable"


class TestBounds:
    """The limits of a call hold for what comes through TLS."""

    def test_one_connection_serves_many_calls(self, authority):
        with serve(authority.issue_cert("localhost")) as server:
            assert [ask(server.url).status for _number in range(3)] == [200] * 3
            assert server.connections == 1

    @pytest.mark.parametrize("piece", [b"X: y\r\n", b"X"])
    def test_d8_the_deadline_is_total(self, authority, short, piece):
        with serve(authority.issue_cert("localhost")) as server:
            server.script = drip(b"HTTP/1.1 200 OK\r\n", piece)
            begin = time.monotonic()
            assert failure(server.url).code == "outcome_unknown"
            assert time.monotonic() - begin < short + 5

    @pytest.mark.parametrize("name", ["trailers", "chunk extensions", "hints"])
    def test_d9_what_never_ends_is_cut(self, authority, settings, name):
        settings.OAUTH_ACCOUNTS_HTTP_TIMEOUT = 30
        with serve(authority.issue_cert("localhost")) as server:
            server.script = FLOODS[name]
            begin = time.monotonic()
            assert failure(server.url).code == "outcome_unknown"
            assert time.monotonic() - begin < 25

    def test_d8_a_handshake_that_hangs_is_unreachable(self, server, short):
        server.script = silence
        url = server.url.replace("http:", "https:")
        assert failure(url).code == "unreachable"


class TestVersions:
    @pytest.fixture
    def old(self, authority) -> Iterator[ScriptedServer]:
        """A server that speaks TLS 1.1 at most, with a good certificate."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        authority.issue_cert("localhost").configure_cert(context)
        with ScriptedServer(OK, host="localhost", context=context) as server:
            yield server

    def test_a3_4_old_versions_are_refused(self, old):
        assert failure(old.url).code == "unreachable"
        assert old.requests == []

    def test_a3_4_the_configuration_of_openssl_does_not_allow_them(
        self, old, monkeypatch
    ):
        """Nor does it matter what a context has by default."""
        plain = ssl.create_default_context

        def lax(*args, **kwargs):
            context = plain(*args, **kwargs)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("ALL:@SECLEVEL=0")
            return context

        monkeypatch.setattr(ssl, "create_default_context", lax)
        transport._adapters.clear()
        assert failure(old.url).code == "unreachable"
        assert old.requests == []

    def test_tls_1_2_and_1_3_pass(self, authority):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            server = serve(authority.issue_cert("localhost"), maximum_version=version)
            with server:
                assert ask(server.url).status == 200


def test_the_keys_of_a_session_are_written_to_no_file(authority, tmp_path, monkeypatch):
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    transport._adapters.clear()
    with serve(authority.issue_cert("localhost")) as server:
        assert ask(server.url).status == 200
    lines = log.read_text().splitlines() if log.exists() else []
    assert [line for line in lines if not line.startswith("#")] == []
