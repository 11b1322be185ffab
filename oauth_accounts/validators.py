"""Validators of provider columns; what they refuse would be refused again at the call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _

from oauth_accounts.conf import conf
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.protocol.addresses import MAX_PORT
from oauth_accounts.protocol.transport import check_url

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}\Z")
# A host that is an IP address.
_NUMBERS = re.compile(r"[0-9.]+|\[[0-9A-Fa-f:.]+\]")
# Characters of what a user reads instead of a scope.
MAX_DESCRIPTION = 200

# Parameters of RFC 6749, 7636, 9101, 9126 and OpenID Connect that the client sets itself.
RESERVED_PARAMETERS = frozenset(
    {
        "access_token",
        "assertion",
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "grant_type",
        "nonce",
        "redirect_uri",
        "refresh_token",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)

_REFUSALS = {
    "url_refused": _(
        "This is not an address that can be called: it has characters or a host name "
        "that no https URL has."
    ),
    "host_refused": _("This host is not in OAUTH_ACCOUNTS_ALLOWED_HOSTS."),
}


def validate_endpoint(value: str) -> None:
    """Refuse a URL that the transport would not call."""
    try:
        check_url(value, allow_query=True)
    except ProviderMisconfigured as error:
        refused = error.code == "url_refused"
        text = _fault_of(value) if refused else _REFUSALS[error.code]
        raise ValidationError(text, code=error.code) from None


def _fault_of(value: str) -> StrPromise:
    """Say what is wrong with a URL, by what people get wrong most."""
    scheme, divided, rest = value.partition("://")
    host = rest.partition("/")[0]
    port = re.search(r":([0-9]{2,5})$", host)
    faults: tuple[tuple[bool, StrPromise], ...] = (
        (
            not divided or scheme.lower() not in {"http", "https"},
            _("Enter a whole address, which begins with https://."),
        ),
        ("@" in host, _("Enter the address without a user name.")),
        (
            "#" in rest,
            _("Enter the address without a fragment, which is what begins with #."),
        ),
        (
            scheme.lower() == "http",
            _(
                "Enter an address with https. Plain http works on loopback while DEBUG is "
                "on."
            ),
        ),
        (
            not host.isascii(),
            _("Write the host name in Latin letters, as punycode (xn--…)."),
        ),
        (
            _NUMBERS.fullmatch(host) is not None,
            _(
                "An address that is not public needs its network in "
                "OAUTH_ACCOUNTS_PRIVATE_HOSTS."
            ),
        ),
        (
            port is not None and int(port[1]) <= MAX_PORT,
            _("A port other than 443 needs its host in OAUTH_ACCOUNTS_PRIVATE_HOSTS."),
        ),
    )
    return next((text for is_it, text in faults if is_it), _REFUSALS["url_refused"])


def validate_issuer(value: str) -> None:
    """Refuse what no issuer can be (RFC 8414 section 2); there may be none."""
    schemes = "https?" if conf.DEBUG else "https"
    if value and not re.fullmatch(rf"{schemes}://[^\s?#@]+", value):
        raise ValidationError(
            _(
                "Enter an https URL without query, fragment or user name, such as "
                "https://login.tracker.example, or leave it empty."
            ),
            code="issuer",
        )


def validate_scopes(value: Any) -> None:
    """Refuse anything but a list of scope tokens (RFC 6749 section 3.3)."""
    if not isinstance(value, list) or not all(
        isinstance(scope, str) and _SCOPE.match(scope) for scope in value
    ):
        raise ValidationError(_("Enter a list of scopes."), code="scopes")


def validate_scope_descriptions(value: Any) -> None:
    """Refuse anything but an object of scope tokens with a line of text for each."""
    if not isinstance(value, dict) or not all(
        isinstance(scope, str) and _SCOPE.match(scope) and _is_line(text)
        for scope, text in value.items()
    ):
        raise ValidationError(
            _(
                "Enter an object of scopes, each with one line of text, at most "
                "%(length)s characters long."
            ),
            code="scope_descriptions",
            params={"length": MAX_DESCRIPTION},
        )


def _is_line(text: Any) -> bool:
    """Say whether a value is one line of printable text that says something."""
    if not isinstance(text, str) or len(text) > MAX_DESCRIPTION:
        return False
    return bool(text.strip()) and text.isprintable()


def validate_link(value: str) -> None:
    """Refuse what is no page that a user's browser may be sent to by a link."""
    refusal = _("Enter an https URL without user name.")
    schemes = ["https", "http"] if conf.DEBUG else ["https"]
    URLValidator(schemes=schemes, message=refusal)(value)
    if "@" in urlsplit(value).netloc:
        raise ValidationError(refusal, code="link")


def validate_parameters(value: Any) -> None:
    """Refuse parameters that are not text, or that the client sets itself."""
    if not isinstance(value, dict) or not all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    ):
        raise ValidationError(
            _("Enter an object whose values are text."), code="parameters"
        )
    if reserved := sorted(RESERVED_PARAMETERS.intersection(value)):
        raise ValidationError(
            _("These parameters are set by the client itself: %(names)s"),
            code="reserved",
            params={"names": ", ".join(reserved)},
        )


def validate_authorization_query(endpoint: str, params: Mapping[str, str]) -> None:
    """
    Refuse an address whose query would give a parameter a second value.

    endpoint: the authorization endpoint. params: what is added to every authorization.
    RFC 6749 section 3.1: parameters must not be included more than once.
    """
    try:
        names = [name for name, _text in parse_qsl(urlsplit(endpoint).query, True)]
    except ValueError:
        # Not a URL, which the field's own validator says.
        return
    taken = RESERVED_PARAMETERS.union(params)
    if clashing := sorted(
        {name for name in names if name in taken or names.count(name) > 1}
    ):
        raise ValidationError(
            _("These parameters of the address are set elsewhere or twice: %(names)s"),
            code="reserved",
            params={"names": ", ".join(clashing)},
        )
