"""Which URLs and which peers this app may talk to."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from oauth_accounts.conf import conf
from oauth_accounts.exceptions import ProviderMisconfigured

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_LENGTH = 8192
HTTPS_PORT = 443
MAX_PORT = 65_535

# One grammar instead of a parser: what urlsplit, urllib3 and a browser would read in
# different ways (userinfo, backslashes, controls, odd brackets) does not match at all.
# Names in other scripts have to be given in punycode for the same reason.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[A-Za-z0-9._-]+|\[(?P<six>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]*)?"
    r"(?P<query>\?[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?",
    re.IGNORECASE | re.ASCII,
)
# The last label starts with a letter: "2130706433" and "0x7f.1" are addresses to some.
_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_MAX_NAME_LENGTH = 253

_LOOPBACK: tuple[Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)
# is_global alone calls some of these public: a cloud metadata service and addresses
# that carry an IPv4 address inside (NAT64, 6to4, Teredo) are reached through them.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(block)
    for block in (
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "224.0.0.0/4",  # multicast
        "168.63.129.16/32",  # the host of a virtual machine at Azure
        "2001::/23",  # IETF protocol assignments with Teredo, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
    )
)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Where clouds hand out credentials, IPv4 addresses in disguise, and what is no host at all:
# a name that is listed does not open these, in case others rule over it. A network does.
_NOT_BY_NAME: tuple[Network, ...] = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "224.0.0.0/3",
        "::/128",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
        "fe80::/10",
        "ff00::/8",
    )
)


def check_url(url: str, *, allow_query: bool = False) -> None:
    """
    Refuse a URL that this app must not call or send a browser to.

    https only; http is for loopback while DEBUG is on. A port other than 443 needs the
    host's name or network in OAUTH_ACCOUNTS_PRIVATE_HOSTS.

    allow_query: whether the URL may have a query component.
    Raises ProviderMisconfigured "url_refused" or, for a host that is not in
    OAUTH_ACCOUNTS_ALLOWED_HOSTS, "host_refused"; nothing else whatever the string.
    """
    match = _match(url, allow_query)
    if match is None:
        raise ProviderMisconfigured("url_refused")
    host, port = match["host"].lower().strip("[]"), int(match["port"] or HTTPS_PORT)
    if conf.DEBUG and is_loopback_name(host):
        return
    if match["scheme"].lower() == "http" or not _is_host(host):
        raise ProviderMisconfigured("url_refused")
    if port != HTTPS_PORT and not is_listed(host, _literal(host)):
        raise ProviderMisconfigured("url_refused")
    if not conf.is_host_allowed(host):
        raise ProviderMisconfigured("host_refused")


def _match(url: object, allow_query: bool) -> re.Match[str] | None:
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH:
        return None
    match = _URL.fullmatch(url)
    if match is None or (match["query"] is not None and not allow_query):
        return None
    # "[cafe]" would do for a name, and some parsers raise on it.
    if match["six"] is not None and ":" not in match["six"]:
        return None
    return match if int(match["port"] or HTTPS_PORT) <= MAX_PORT else None


def _is_host(host: str) -> bool:
    literal = _literal(host)
    if literal is not None:
        return is_peer_allowed(host, literal)
    return len(host) <= _MAX_NAME_LENGTH and _NAME.fullmatch(host) is not None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback_name(host: str) -> bool:
    """Return whether a host, as written in a URL, can only mean this machine."""
    literal = _literal(host)
    if literal is None:
        return host == "localhost"
    return any(literal in network for network in _LOOPBACK)


def is_peer_allowed(host: str, address: Address) -> bool:
    """
    Return whether a connection to this address may be used for this host.

    host: the name in the URL, lower case, without brackets.
    address: what it resolved to.
    """
    if is_public(address) or is_listed(host, address):
        return True
    return conf.DEBUG and is_loopback_name(host) and _is_in(address, _LOOPBACK)


@lru_cache(maxsize=1024)
def is_public(address: Address) -> bool:
    """Return whether an address belongs to a host on the public internet."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not _is_in(address, _NOT_PUBLIC)


def is_listed(host: str, address: Address | None) -> bool:
    """Return whether OAUTH_ACCOUNTS_PRIVATE_HOSTS names this host or its network."""
    for entry in conf.OAUTH_ACCOUNTS_PRIVATE_HOSTS:
        network = _network(entry)
        if network is None:
            if entry.lower() == host and not _is_in(address, _NOT_BY_NAME):
                return True
        elif _is_in(address, (network,)):
            return True
    return False


@lru_cache(maxsize=256)
def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _is_in(address: Address | None, networks: tuple[Network, ...]) -> bool:
    if address is None:
        return False
    # An IPv4-mapped address (::ffff:10.0.0.1) is dialled as the IPv4 address.
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped
    actual = mapped or address
    return any(
        actual.version == network.version and actual in network for network in networks
    )
