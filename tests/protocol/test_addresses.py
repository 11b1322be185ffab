from __future__ import annotations

import contextlib
import time
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.protocol.addresses import is_peer_allowed, is_public
from oauth_accounts.protocol.transport import GuardedSession, check_url
from tests.protocol.calls import CALLS, authorize, client_of, refusal

REFUSED = [
    "",
    "https://",
    "https:///path",
    "//idp.example/token",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://idp.example/",
    "http://idp.example/token",
    "http://localhost@evil.example/",
    "http://localhost:80@evil.example/",
    "http://localhost.evil.example/",
    "http://127.0.0.1.nip.io/",
    "http://[x",
    "https://[x",
    "https://[::1",
    "https://user@idp.example/",
    "https://user:pass@idp.example/",
    "https://@idp.example/",
    "https://idp.example/#fragment",
    "https://idp.example/#",
    "https://idp.example\\@evil.example/",
    "https:\\\\idp.example/",
    "https://idp.example/a b",
    " https://idp.example/",
    "https://idp.example/\n",
    "https://idp.example/\x00",
    "https://idp.exam\tple/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://127.1/",
    "https://0177.0.0.1/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest",
    "https://10.0.0.1/",
    "https://idp.example./",
    "https://idp.example.:443/",
    "https://idp..example/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://1.2.3/",
    "https://1.2.3.4.5/",
    "https://127.0.0.1./",
    "https://①②⑦.0.0.1/",
    "https://localhost。evil.example/",
    "https://idp。example/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::1].evil.example/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[v1.x]/",
    "https://[cafe]/",
    "https://[93.184.215.14]/",
    "https://[cafe.example]/",
    "https://idp.example:443:443/",
    "https://idp.example:+443/",
    "https://idp.example:4_43/",
    "https://idp.example:٤٤٣/",
    "https://idp.example;evil/",
    "https://idp.example&evil.example/",
    "https:idp.example/",
    "https:/idp.example/",
    "https:///idp.example/",
    "https://-idp.example/",
    "https://idp.example:0/",
    "https://idp.example:/",
    "https://idp.example:0443/",
    "https://idp.example:65536/",
    "https://idp.example:99999/",
    "https://idp.example:8443/",
    "https://idp.example:80/",
    "https://bücher.example/",
    "https://ＩＤＰ.example/",
    "https://idp.example/<script>",
    'https://idp.example/"',
    "https://idp.example/ü",
    "https://idp%2eexample/",
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 127}example/",
    f"https://idp.example/{'a' * 9000}",
]
ACCEPTED = [
    "https://idp.example",
    "https://idp.example/token",
    "HTTPS://IDP.Example/Token",
    "https://idp.example:443/token",
    "https://xn--bcher-kva.example/o/token;v=1",
    "https://my_tenant.idp.example/~x/a%20b",
    "https://93.184.215.14/token",
    "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/token",
]


class TestURLs:
    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize("url", REFUSED)
    def test_d2_ambiguous_and_foreign_urls_are_refused(self, settings, url, debug):
        settings.DEBUG = debug
        for allow_query in (False, True):
            with pytest.raises(ProviderMisconfigured) as caught:
                check_url(url, allow_query=allow_query)
            assert caught.value.code == "url_refused"

    @pytest.mark.parametrize("url", [url for url in REFUSED if url])
    def test_d2_no_call_is_made_and_no_browser_sent_there(self, url):
        names = ("authorization", "token", "revocation", "userinfo")
        client = client_of("", **{f"{name}_endpoint": url for name in names})
        for work in (authorize, *CALLS):
            assert refusal(work, client) == "url_refused"

    @pytest.mark.parametrize("url", ACCEPTED)
    def test_ordinary_urls_pass(self, settings, url):
        settings.DEBUG = False
        check_url(url)

    def test_a_query_passes_only_where_it_may_be(self):
        check_url("https://idp.example/authorize?p=1&q=a/b?c", allow_query=True)
        check_url("https://idp.example?p=1", allow_query=True)
        with pytest.raises(ProviderMisconfigured):
            check_url("https://idp.example/token?p=1")

    @pytest.mark.parametrize("value", [None, 5, b"https://idp.example/", ["https"]])
    def test_what_is_no_string_is_refused(self, value):
        with pytest.raises(ProviderMisconfigured):
            check_url(value)

    @pytest.mark.parametrize(
        "url",
        [
            "http://localhost:8000/token",
            "http://LOCALHOST/token",
            "http://127.0.0.1:8000/token",
            "http://127.9.9.9/token",
            "http://[::1]:8000/token",
            "https://localhost:8443/token",
        ],
    )
    def test_d3_loopback_is_for_debug(self, settings, url):
        check_url(url)
        settings.DEBUG = False
        if url.startswith("http:"):
            settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["localhost", "127.0.0.0/8", "::1"]
        with pytest.raises(ProviderMisconfigured):
            check_url(url)

    @pytest.mark.parametrize(
        ("entry", "url"),
        [
            ("IdP.example", "https://idp.example:8443/token"),
            ("10.1.0.0/16", "https://10.1.2.3/token"),
            ("10.1.0.0/16", "https://10.1.2.3:8443/token"),
            ("10.1.2.3", "https://10.1.2.3/token"),
            ("fd00::/8", "https://[fd00::5]:8443/token"),
            ("10.1.0.0/16", "https://[::ffff:10.1.2.3]/token"),
        ],
    )
    def test_listed_hosts_may_be_private_and_use_any_port(self, settings, entry, url):
        settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["other.example", entry]
        check_url(url)
        settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["other.example", "192.168.0.0/16"]
        with pytest.raises(ProviderMisconfigured):
            check_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://" + "a" * 100_000,
            "https://" + "a." * 50_000,
            "https://" + "a-" * 4_000,
            "https://idp.example/" + "%" * 8_000 + "\x00",
            "https://" + "1." * 4_000 + "/",
            "https://[" + ":" * 8_000 + "]/",
        ],
    )
    def test_b28_long_urls_are_refused_quickly(self, url):
        begin = time.perf_counter()
        with pytest.raises(ProviderMisconfigured):
            check_url(url)
        assert time.perf_counter() - begin < 0.1

    @given(st.one_of(st.text(), st.text().map("https://".__add__)))
    def test_any_text_is_accepted_or_refused(self, url):
        # Nothing else is raised, whatever the text.
        with contextlib.suppress(ProviderMisconfigured):
            check_url(url, allow_query=True)


NOT_PUBLIC = """
    100.100.100.200 168.63.129.16 ::ffff:169.254.169.254 64:ff9b::808:808
    64:ff9b:1:a9fe:a9:fe00:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 2002:808:808::1
    fd20:ce::254 fe80::a9fe:a9fe ::169.254.169.254 100.127.255.255
    0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.192
    192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 203.0.113.1 224.0.1.1 240.0.0.1
    255.255.255.255 :: ::1 ::7f00:1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::a9fe:a9fe
    64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:a9fe:a9fe:: 3fff::1 5f00::1 fc00::1
    fd00:ec2::254 fe80::1 fec0::1 ff02::1
""".split()
CREDENTIALS = """
    169.254.169.254 192.0.0.192 100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254
    fe80::a9fe:a9fe ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe
    2002:a9fe:a9fe:: 2001:0:a9fe:a9fe:: 0.0.0.0 :: 224.0.0.1 255.255.255.255
""".split()
PUBLIC = "1.1.1.1 8.8.8.8 93.184.215.14 2606:4700::1111 2a00:1450:4001::200e".split()


class TestPeers:
    @pytest.mark.parametrize("address", NOT_PUBLIC)
    def test_d5_addresses_inside_are_not_public(self, address):
        assert not is_public(ip_address(address))
        if not ip_address(address).is_loopback:
            assert not is_peer_allowed("idp.example", ip_address(address))

    @pytest.mark.parametrize("address", PUBLIC)
    def test_addresses_outside_are(self, address):
        assert is_public(ip_address(address))
        assert is_peer_allowed("idp.example", ip_address(address))

    def test_loopback_peers_need_debug_and_a_loopback_name(self, settings):
        loopback = ip_address("127.0.0.1")
        assert is_peer_allowed("localhost", loopback)
        assert not is_peer_allowed("idp.example", loopback)
        assert not is_peer_allowed("localhost", ip_address("10.0.0.1"))
        settings.DEBUG = False
        assert not is_peer_allowed("localhost", loopback)

    def test_d4_a_listed_name_opens_private_addresses_for_itself(self, settings):
        settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["IdP.corp"]
        for address in ("10.0.0.1", "192.168.1.1", "fd00::1", "::ffff:10.0.0.1"):
            assert is_peer_allowed("idp.corp", ip_address(address))
            for name in ("other.corp", "sub.idp.corp", "idp.corp.evil.example", ""):
                assert not is_peer_allowed(name, ip_address(address))

    def test_d4_a_listed_network_opens_nothing_else_on_a_name(self, settings):
        settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["10.1.0.0/16", "no network"]
        assert is_peer_allowed("idp.corp", ip_address("10.1.2.3"))
        assert is_peer_allowed("idp.corp", ip_address("::ffff:10.1.2.3"))
        assert not is_peer_allowed("idp.corp", ip_address("10.2.0.1"))
        assert not is_peer_allowed("idp.corp", ip_address("64:ff9b::a01:203"))

    @pytest.mark.parametrize("address", CREDENTIALS)
    def test_d5_a_listed_name_does_not_lead_to_the_credentials_of_a_cloud(
        self, settings, address
    ):
        settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["idp.corp"]
        found = ip_address(address)
        assert not is_peer_allowed("idp.corp", found)
        network = str(getattr(found, "ipv4_mapped", None) or found)
        settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["idp.corp", network]
        assert is_peer_allowed("idp.corp", found)


class TestAllowedHosts:
    @pytest.mark.parametrize(
        ("hosts", "url"),
        [
            (["idp.example"], "https://idp.example/token"),
            (("IdP.Example",), "https://idp.example/token"),
            ({"other.example", "idp.example"}, "HTTPS://IDP.EXAMPLE/token"),
            ([".example"], "https://sub.idp.example/token"),
            ([".idp.example"], "https://idp.example/token"),
            ([".idp.example"], "https://a.b.idp.example/token"),
            (["93.184.215.14"], "https://93.184.215.14/token"),
            (["2606:4700::1111"], "https://[2606:4700::1111]/token"),
            (None, "https://idp.example/token"),
        ],
    )
    def test_d6_a8_5_hosts_on_the_list_are_called(self, settings, hosts, url):
        settings.DEBUG = False
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = hosts
        check_url(url)

    @pytest.mark.parametrize(
        "hosts",
        [
            [],
            ["other.example"],
            ["example"],
            ["sub.idp.example"],
            [".sub.idp.example"],
            ["dp.example"],
            ["*.example"],
            ["*"],
            [""],
            ["https://idp.example"],
            [None, 5],
            "idp.example",
            b"idp.example",
            5,
        ],
    )
    def test_d6_a8_5_others_are_refused(self, settings, hosts):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = hosts
        for debug in (False, True):
            settings.DEBUG = debug
            with pytest.raises(ProviderMisconfigured) as caught:
                check_url("https://idp.example/token")
            assert caught.value.code == "host_refused"

    @pytest.mark.parametrize("entry", ["idp.example", ".idp.example"])
    def test_d6_names_that_only_look_like_it(self, settings, entry):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = [entry]
        for host in ("evilidp.example", "idp.example.evil.example", "idp-example"):
            with pytest.raises(ProviderMisconfigured):
                check_url(f"https://{host}/token")

    @pytest.mark.parametrize("work", [authorize, *CALLS])
    def test_d6_a8_5_no_call_is_made_elsewhere(self, settings, work):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["idp.example"]
        assert refusal(work, client_of("https://evil.example")) == "host_refused"

    def test_d6_a8_5_nor_one_of_an_account_session(self, settings):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["idp.example"]
        with pytest.raises(ProviderMisconfigured) as caught:
            GuardedSession().get("https://evil.example/me")
        assert caught.value.code == "host_refused"

    def test_d6_a_private_host_has_to_be_in_both_lists(self, settings):
        settings.OAUTH_ACCOUNTS_PRIVATE_HOSTS = ["sso.corp"]
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["idp.example"]
        with pytest.raises(ProviderMisconfigured):
            check_url("https://sso.corp:8443/token")
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["sso.corp"]
        check_url("https://sso.corp:8443/token")

    def test_d6_loopback_is_for_debug_whatever_the_list(self, settings):
        settings.OAUTH_ACCOUNTS_ALLOWED_HOSTS = ["idp.example"]
        check_url("http://127.0.0.1:8000/token")
