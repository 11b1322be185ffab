"""Entries of OAUTH_ACCOUNTS_PROVIDERS that are refused."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from oauth_accounts.models import Provider
from oauth_accounts.models.sync import sync_providers
from tests.configured import EXAMPLE, SECRET

pytestmark = [pytest.mark.faces, pytest.mark.django_db]
INVALID = {
    "not a dict": (["example"], "must be a dict of slugs"),
    "values are no dict": ({"a": None}, "must be a dict of slugs"),
    "slug is no text": ({7: EXAMPLE}, "must be a dict of slugs"),
    "slug": ({"two words": EXAMPLE}, "slug"),
    "unknown key": ({"a": {**EXAMPLE, "tokn_endpoint": "x"}}, "tokn_endpoint"),
    "id": ({"a": {**EXAMPLE, "id": "x"}}, "unknown keys: id"),
    "source": ({"a": {**EXAMPLE, "source": "admin"}}, "unknown keys: source"),
    "endpoint": (
        {"a": {**EXAMPLE, "token_endpoint": "http://as.example"}},
        "token_end",
    ),
    "scopes": ({"a": {**EXAMPLE, "scopes": "read write"}}, "scopes"),
    "openid without keys": (
        {"a": {**EXAMPLE, "scopes": ["openid"]}},
        "jwks_uri: The scope openid needs it",
    ),
    "choice": ({"a": {**EXAMPLE, "protocol": "saml"}}, "protocol"),
    "parameter": ({"a": {**EXAMPLE, "token_params": {"state": "x"}}}, "token_params"),
    "unknown key that is no text": (
        {"a": {**EXAMPLE, "nope": 1, 2: 3}},
        "unknown keys: 2, nope",
    ),
    "secret is no text": ({"a": {**EXAMPLE, "client_secret": 5}}, "client_secret has"),
    "secret is a list": (
        {"a": {**EXAMPLE, "client_secret": [SECRET]}},
        "client_secret has to be text",
    ),
    "secret is bytes": (
        {"a": {**EXAMPLE, "client_secret": SECRET.encode()}},
        "client_secret has to be text",
    ),
    "secret cannot be stored": (
        {"a": {**EXAMPLE, "client_secret": f"{SECRET}\ud800"}},
        "client_secret holds characters",
    ),
    "name is no text": ({"a": {**EXAMPLE, "name": 5}}, "name has to be text"),
    "name is an empty list": ({"a": {**EXAMPLE, "name": []}}, "name has to be text"),
    "endpoint is no text": (
        {"a": {**EXAMPLE, "token_endpoint": 5}},
        "token_endpoint has to be text",
    ),
    "endpoint is none": (
        {"a": {**EXAMPLE, "token_endpoint": None}},
        "token_endpoint cannot be None",
    ),
    "scopes are none": ({"a": {**EXAMPLE, "scopes": None}}, "scopes cannot be None"),
    "text that no database takes": (
        {"a": {**EXAMPLE, "client_id": "a\0b"}},
        "client_id holds characters",
    ),
    "protocol for later": (
        {"a": {**EXAMPLE, "protocol": "oauth1"}},
        "protocol 'oauth1' is not supported yet",
    ),
    "grant for later": (
        {"a": {**EXAMPLE, "grant_type": "client_credentials"}},
        "grant_type 'client_credentials' is not supported yet",
    ),
    "authentication for later": (
        {"a": {**EXAMPLE, "token_endpoint_auth_method": "private_key_jwt"}},
        "token_endpoint_auth_method 'private_key_jwt' is not supported yet",
    ),
    "switch": ({"a": {**EXAMPLE, "enabled": "perhaps"}}, "enabled"),
    "far too long": (
        {"a": {**EXAMPLE, "default_lifetime": 10**30}},
        "default_lifetime",
    ),
    "number": ({"a": {**EXAMPLE, "refresh_margin": "soon"}}, "refresh_margin"),
}


class TestInvalid:
    @pytest.mark.parametrize("case", INVALID)
    def test_it_is_said_where_and_nothing_is_written(self, case, settings):
        value, problem = INVALID[case]
        good = {"good": EXAMPLE} if isinstance(value, dict) else {}
        settings.OAUTH_ACCOUNTS_PROVIDERS = {**good, **value} if good else value

        with pytest.raises(ImproperlyConfigured) as caught:
            sync_providers()

        assert "OAUTH_ACCOUNTS_PROVIDERS" in str(caught.value)
        assert problem in str(caught.value)
        assert SECRET not in str(caught.value)
        assert not Provider.objects.exists()

    def test_missing_keys(self, configured, settings):
        settings.DEBUG = False
        del settings.FERNET_KEYS

        with pytest.raises(ImproperlyConfigured, match="FERNET_KEYS is not set"):
            sync_providers()

        assert not Provider.objects.exists()
