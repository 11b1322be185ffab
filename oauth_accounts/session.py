"""A requests session that is always authorised."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.utils import requote_uri

from oauth_accounts import reactions
from oauth_accounts.exceptions import ProviderMisconfigured
from oauth_accounts.fields import Secret
from oauth_accounts.frames import forget_frames
from oauth_accounts.protocol.addresses import check_url
from oauth_accounts.protocol.transport import GuardedSession

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount

# requests' own default is to wait for ever (connect, read; seconds).
DEFAULT_TIMEOUT = (3.05, 30.0)

Origin = tuple[str, str, int | None]

# A relative reference may have "://" further on, in its query.
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|//")
# Parsers disagree about where these end a host, and some drop them silently.
_AMBIGUOUS = re.compile(r"[\\\s\x00-\x20\x7f-\x9f\ud800-\udfff]")


class BearerAuth(requests.auth.AuthBase):
    """
    Send an access token in the Authorization header (RFC 6750 section 2.1).

    origins: those that may get it. Raises ProviderMisconfigured for any other.
    """

    def __init__(self, token: Secret, origins: Collection[Origin]) -> None:
        self.token = token
        self.origins = origins

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Here once more: preparing a URL rewrites it, and only the result is dialled.
        _check_target(request.url or "", self.origins)
        request.headers["Authorization"] = f"Bearer {self.token.get_value()}"
        return request


class AccountSession(GuardedSession):
    """
    Calls the provider's API in the name of an account.

    Relative URLs are resolved on the account's or the provider's `api_base_url`. Every call
    carries a token that is fresh; one that the API refuses with 401 is refreshed and the
    call repeated, once. Redirects are returned, not followed.

    account: the connected account.
    hosts: further origins, as "https://api.example.com", that may get the token.

    Raises ProviderMisconfigured when `api_base_url` was changed by SQL ("provider_changed",
    or "api_base_url_changed" for that of the account), and TokenUndecryptable.
    """

    def __init__(
        self, account: ConnectedAccount, *, hosts: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.account = account
        self.base_url = _base_url(account)
        self._origins = {_origin(url) for url in (self.base_url, *hosts) if url}

    def request(
        self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """
        Send a request with a fresh token; arguments are those of `requests.request`.

        Raises TokenError when there is no token to send, and ProviderMisconfigured when
        the URL is none that may get it.
        """
        target = self._resolve(url.decode() if isinstance(url, bytes) else url)
        kwargs.setdefault("timeout", DEFAULT_TIMEOUT)
        token = Secret(self.account.get_access_token())
        response = self._send_with(token, method, target, *args, **kwargs)
        if response.status_code != 401 or not _is_replayable(response.request):
            return response
        if not self.account.replace_rejected(token):
            return response
        response.close()
        token = Secret(self.account.get_access_token())
        return self._send_with(token, method, target, *args, **kwargs)

    def _send_with(
        self, token: Secret, method: str | bytes, url: str, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send, and leave the token neither on the response nor on an exception."""
        kwargs["auth"] = BearerAuth(token, self._origins)
        try:
            response = super().request(method, url, *args, **kwargs)
        except BaseException as error:
            # Also what requests does not wrap: a task's time limit, a body that fails.
            _forget_token(getattr(error, "request", None))
            forget_frames(error)
            raise
        _forget_token(response.request)
        return response

    def _resolve(self, url: str) -> str:
        if _AMBIGUOUS.search(url):
            raise ProviderMisconfigured("url_refused")
        if not _ABSOLUTE.match(url):
            if not self.base_url:
                raise ProviderMisconfigured("api_base_url_missing")
            # What is quoted or cut off below would hide what it is.
            check_url(self.base_url, allow_query=True)
            url = f"{self.base_url.rstrip('/')}/{url.lstrip('/')}"
        target = requote_uri(url.partition("#")[0])
        _check_target(target, self._origins)
        return target


def _base_url(account: ConnectedAccount) -> str:
    """Return the API's address, if it is one that trusted code wrote."""
    if account.api_base_url:
        account.require_pinned()
        return account.api_base_url
    try:
        account.provider.require_pinned()
    except ProviderMisconfigured:
        reactions.provider_changed(account)
        raise
    return account.provider.api_base_url


def _check_target(url: str, origins: Collection[Origin]) -> None:
    if _origin(url) not in origins:
        raise ProviderMisconfigured("origin_refused")
    # A URL of this grammar means the same to every parser.
    check_url(url.partition("#")[0], allow_query=True)


def _forget_token(request: Any) -> None:
    # Error trackers print the attributes of what they find in a frame.
    if request is not None:
        request.headers.pop("Authorization", None)


def _origin(url: str) -> Origin:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ProviderMisconfigured("url_refused") from None
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or ""), port or default


def _is_replayable(request: requests.PreparedRequest) -> bool:
    """Say whether the body can be sent again: a stream is at its end by now."""
    return request.body is None or isinstance(request.body, str | bytes)
