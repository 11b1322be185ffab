from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from oauth_accounts.conf import Settings, conf

DEFAULTS = {
    "OAUTH_ACCOUNTS_BASE_URL": None,
    "OAUTH_ACCOUNTS_PROVIDERS": {},
    "OAUTH_ACCOUNTS_REFRESH_MARGIN": 300,
    "OAUTH_ACCOUNTS_ATTEMPT_TTL": 600,
    "OAUTH_ACCOUNTS_HTTP_TIMEOUT": 15.0,
    "OAUTH_ACCOUNTS_CONCURRENCY": 32,
    "OAUTH_ACCOUNTS_PRIVATE_HOSTS": (),
    "OAUTH_ACCOUNTS_ALLOWED_HOSTS": None,
    "OAUTH_ACCOUNTS_CALLS_PER_PROVIDER": 8,
    "OAUTH_ACCOUNTS_SUCCESS_URL": "oauth_accounts:list",
}
NAMES = [name for name in vars(Settings) if name.startswith("OAUTH_ACCOUNTS_")]


def owner_of(request):
    return "the owner"


@pytest.fixture
def bare(settings):
    """Settings that say nothing about this app."""
    for name in NAMES:
        if hasattr(settings, name):
            delattr(settings, name)
    return settings


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults(bare, name):
    assert getattr(conf, name) == DEFAULTS[name]


def test_the_user_model_owns_by_default(bare):
    assert conf.OAUTH_ACCOUNTS_OWNER_MODEL == bare.AUTH_USER_MODEL


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("OAUTH_ACCOUNTS_BASE_URL", "https://a.example/", "https://a.example"),
        ("OAUTH_ACCOUNTS_BASE_URL", 7, None),
        ("OAUTH_ACCOUNTS_PROVIDERS", {"a": {}}, {"a": {}}),
        ("OAUTH_ACCOUNTS_REFRESH_MARGIN", "60", 60),
        ("OAUTH_ACCOUNTS_ATTEMPT_TTL", 60, 60),
        ("OAUTH_ACCOUNTS_HTTP_TIMEOUT", 3, 3.0),
        ("OAUTH_ACCOUNTS_CONCURRENCY", "8", 8),
        ("OAUTH_ACCOUNTS_PRIVATE_HOSTS", ["10.0.0.0/8"], ["10.0.0.0/8"]),
        ("OAUTH_ACCOUNTS_ALLOWED_HOSTS", ["a.example"], ["a.example"]),
        ("OAUTH_ACCOUNTS_ALLOWED_HOSTS", "a.example", ()),
        ("OAUTH_ACCOUNTS_SUCCESS_URL", "/done/", "/done/"),
        ("OAUTH_ACCOUNTS_OWNER_MODEL", "shop.Shop", "shop.Shop"),
    ],
)
def test_values_are_read_when_asked_for(bare, name, value, read):
    before = getattr(conf, name)

    setattr(bare, name, value)

    assert getattr(conf, name) == read
    delattr(bare, name)
    assert getattr(conf, name) == before


@pytest.mark.parametrize("on", [True, False])
def test_debug_is_read_live(settings, on):
    settings.DEBUG = on

    assert conf.DEBUG is on


class TestGetOwner:
    def test_the_user_of_the_request_by_default(self, bare):
        request = RequestFactory().get("/")
        request.user = object()

        assert conf.OAUTH_ACCOUNTS_GET_OWNER(request) is request.user

    @pytest.mark.parametrize("value", [owner_of, "tests.test_conf.owner_of"])
    def test_a_callable_or_its_path(self, bare, value):
        bare.OAUTH_ACCOUNTS_GET_OWNER = value

        assert conf.OAUTH_ACCOUNTS_GET_OWNER is owner_of

    def test_it_is_required_when_the_owner_is_no_user(self, bare):
        bare.OAUTH_ACCOUNTS_OWNER_MODEL = "shop.Shop"

        with pytest.raises(ImproperlyConfigured, match="OAUTH_ACCOUNTS_GET_OWNER"):
            _ = conf.OAUTH_ACCOUNTS_GET_OWNER
