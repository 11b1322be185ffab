"""Static request parameters of a provider, and the names they may not take."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from oauth_accounts.exceptions import ProviderMisconfigured

# What the client sets itself: a provider's static parameters may not, for two values
# of one parameter are an attack or a mistake, and readers differ in which one they take.
AUTHORIZATION_PARAMS = frozenset(
    {
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)
TOKEN_PARAMS = frozenset(
    {
        "client_assertion",
        "client_assertion_type",
        "client_id",
        "client_secret",
        "code",
        "code_verifier",
        "grant_type",
        "redirect_uri",
        "refresh_token",
    }
)


def static_params(params: Mapping[str, str], reserved: frozenset[str]) -> str:
    """
    Encode the parameters a provider wants in addition to those of the protocol.

    reserved: names that are refused.
    Raises ProviderMisconfigured "params_refused".
    """
    strings = all(isinstance(text, str) for item in params.items() for text in item)
    if not strings or reserved & set(params):
        raise ProviderMisconfigured("params_refused")
    try:
        return urlencode(dict(params))
    except UnicodeError:
        pass
    raise ProviderMisconfigured("params_refused")
