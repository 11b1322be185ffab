from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import override_settings

from oauth_accounts import clock
from oauth_accounts.fields import Secret
from oauth_accounts.models import AccountEvent, Provider
from oauth_accounts.models.provider import missing_configuration
from oauth_accounts.models.provider_columns import ENDPOINT_FIELDS
from oauth_accounts.testing.factories import ConnectedAccountFactory, ProviderFactory
from oauth_accounts.validators import RESERVED_PARAMETERS
from tests.rows import again

GOOD = "https://provider.example/path?tenant=1"
REFUSED_URLS = [
    "http://provider.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://provider.example/",
    "//provider.example/",
    "/path",
    "https://",
    "https://user@provider.example/",
    "https://user:pass@provider.example/",
    "https://provider.example/#fragment",
    "https://provider.example\\@evil.example/",
    "https://provider.example/ x",
    "https://provider.example/\n",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::1",
]


@pytest.fixture
def provider(db):
    return ProviderFactory()


def problems(**values) -> dict[str, list[str]]:
    try:
        ProviderFactory.build(**values).full_clean(validate_unique=False)
    except ValidationError as error:
        return error.message_dict
    return {}


class TestValidation:
    def test_a_provider_of_the_factory_is_valid(self):
        assert problems() == {}

    @pytest.mark.parametrize("name", [n for n in ENDPOINT_FIELDS if n != "issuer"])
    def test_every_endpoint_is_validated(self, name, settings):
        settings.DEBUG = False

        assert problems(**{name: GOOD}) == {}
        assert set(problems(**{name: "http://provider.example/"})) == {name}

    @pytest.mark.parametrize("url", REFUSED_URLS)
    def test_urls_that_the_transport_would_not_call(self, url, settings):
        settings.DEBUG = False

        assert set(problems(token_endpoint=url)) == {"token_endpoint"}

    def test_plain_http_on_loopback_while_debug_is_on(self, settings):
        settings.DEBUG = True
        assert problems(token_endpoint="http://127.0.0.1:8000/token") == {}
        settings.DEBUG = False
        assert set(problems(token_endpoint="http://127.0.0.1:8000/token"))

    @pytest.mark.parametrize(
        "scopes",
        ["read", {"read": 1}, [1], [None], ["two words"], ['qu"ote'], ["é"], [""]],
    )
    def test_scopes_that_are_none(self, scopes):
        assert set(problems(scopes=scopes)) == {"scopes"}

    @pytest.mark.parametrize("scopes", [[], ["read"], ["https://a.example/scope.read"]])
    def test_scopes(self, scopes):
        assert problems(scopes=scopes) == {}

    @pytest.mark.parametrize("name", RESERVED_PARAMETERS)
    def test_parameters_that_the_client_sets_itself(self, name):
        for field in ("authorization_params", "token_params", "refresh_params"):
            assert name in problems(**{field: {name: "x"}})[field][0]

    @pytest.mark.parametrize("value", [["a"], "a", {"a": 1}, {"a": None}, {"a": ["b"]}])
    def test_parameters_that_are_no_text(self, value):
        assert set(problems(token_params=value)) == {"token_params"}

    def test_parameters(self):
        assert problems(authorization_params={"access_type": "offline"}) == {}

    @pytest.mark.parametrize(
        "value",
        [
            ["read"],
            "read",
            [],
            "",
            {"read": ""},
            {"read": " "},
            {"read": 1},
            {"two words": "Read"},
            {"read": "two\nlines"},
            {"read": "x" * 201},
        ],
    )
    def test_words_of_scopes_that_are_none(self, value):
        assert set(problems(scope_descriptions=value)) == {"scope_descriptions"}

    @pytest.mark.parametrize("value", [None, {}, {"read": "Read your notes"}])
    def test_words_of_scopes(self, value):
        assert problems(scope_descriptions=value) == {}

    @pytest.mark.parametrize(
        "value",
        [
            "javascript:alert(1)",
            "http://as.example/apps",
            "https://user@as.example/",
            "//as.example",
            "as.example",
        ],
    )
    @override_settings(DEBUG=False)
    def test_pages_that_no_user_is_sent_to(self, value):
        assert set(problems(grants_url=value)) == {"grants_url"}

    def test_pages_of_granted_access(self):
        assert problems(grants_url="https://as.example/apps?tab=1") == {}
        with override_settings(DEBUG=True):
            # As the endpoints of a provider on loopback.
            assert problems(grants_url="http://127.0.0.1:8001/apps/") == {}

    @pytest.mark.parametrize(
        "query",
        ["state=x", "client_id=evil", "a=1&a=2", "access_type=online", "a=1&request="],
    )
    def test_an_address_that_would_give_a_parameter_twice(self, query):
        found = problems(
            authorization_endpoint=f"https://as.example/authorize?{query}",
            authorization_params={"access_type": "offline"},
        )

        assert set(found) == {"authorization_endpoint"}

    def test_an_address_that_is_none(self):
        assert set(problems(authorization_endpoint="https://[bad?state=x")) == {
            "authorization_endpoint"
        }

    def test_an_address_with_a_query_of_its_own(self):
        assert problems(authorization_endpoint="https://as.example/a?tenant=1&b=") == {}

    def test_pkce_with_s256_is_not_given_up(self):
        assert problems(code_challenge_methods_supported=["plain", "S256"]) == {}
        for methods in (["plain"], []):
            assert set(problems(code_challenge_methods_supported=methods)) == {
                "code_challenge_methods_supported"
            }

    @pytest.mark.parametrize("name", ["issuer", "jwks_uri"])
    def test_a4_3_openid_without_what_id_tokens_are_checked_with(self, name):
        values = {"jwks_uri": "https://as.example/jwks", "scopes": ["read", "openid"]}
        assert problems(**values) == {}
        [text] = problems(**values | {name: ""})[name]
        assert "ID tokens are always checked" in text
        assert problems(**values | {name: "", "scopes": ["read"]}) == {}
        assert set(problems(**values | {name: "", "scopes": "openid"})) == {"scopes"}
        assert set(problems(**values | {name: "", "scopes": None})) == set()

    def test_a_public_client_has_no_secret(self):
        assert set(problems(token_endpoint_auth_method="none")) == {
            "token_endpoint_auth_method"
        }
        assert problems(token_endpoint_auth_method="none", client_secret=None) == {}


class TestSlug:
    def test_it_cannot_be_changed(self, provider):
        slug = provider.slug

        with pytest.raises(TypeError, match="keyword arguments only"):
            provider.save(False)
        for row in (provider, again(provider)):
            row.slug = "renamed"
            with pytest.raises(ValueError, match="cannot be changed"):
                row.save()

        assert Provider.objects.get().slug == slug

    def test_it_can_be_deferred(self, provider):
        row = Provider.objects.only("name").get()
        row.name = "renamed"

        row.save()

        assert again(provider).name == "renamed"

    def test_it_is_unique(self, provider):
        with pytest.raises(IntegrityError), transaction.atomic():
            ProviderFactory(slug=provider.slug)


class TestExclusiveSubjects:
    def test_locked_while_accounts_hang_on_it(self, provider):
        account = ConnectedAccountFactory(provider=provider)
        provider.exclusive_subjects = True

        with pytest.raises(ValidationError, match="while accounts are connected"):
            provider.full_clean()

        account.delete()
        provider.full_clean()


class TestState:
    def test_a_row_read_before_changes_nothing_of_it(self, provider):
        Provider.objects.update(max_refreshes_per_minute=60)
        stale = again(provider)
        provider.pause(900, "invalid_client")
        stale.count_slot()
        stale.name = "Renamed"

        stale.save()

        found = again(provider)
        assert (found.is_paused(), found.name) == (True, "Renamed")
        assert (found.pause_count, found.refresh_slots_at is None) == (1, False)

    def test_it_is_written_where_it_is_named(self, provider):
        provider.paused_until = clock.utcnow() + timedelta(minutes=1)

        provider.save(update_fields=["paused_until"])

        assert again(provider).is_paused()

    def test_it_is_written_with_a_new_row(self, db):
        until = clock.utcnow() + timedelta(minutes=1)
        row = ProviderFactory.build(paused_until=until)

        row.save(force_insert=True)

        assert again(row).is_paused()

    def test_the_router_is_told_which_row_it_is(self, provider, settings):
        settings.DATABASE_ROUTERS = [ByInstance()]

        assert provider.pause(60, "rate_limited")
        provider.resume()

        assert not again(provider).is_paused()
        for event in AccountEvent.objects.all():
            assert event.provider == provider


class ByInstance:
    """A router that finds the database of a provider by its row alone."""

    def db_for_write(self, model, instance=None, **hints):
        assert model is not Provider or instance is not None
        return "default"


class TestMargin:
    def test_its_own_or_the_projects(self, settings):
        settings.OAUTH_ACCOUNTS_REFRESH_MARGIN = 77

        assert ProviderFactory.build().margin() == 77
        assert ProviderFactory.build(refresh_margin=0).margin() == 0

    @pytest.mark.parametrize("value", [None, "soon", [], float("inf"), float("nan")])
    def test_a_setting_that_is_no_number(self, settings, value):
        settings.OAUTH_ACCOUNTS_REFRESH_MARGIN = value

        assert ProviderFactory.build().margin() == 300


class TestDurations:
    @pytest.mark.parametrize(
        "name", ["default_lifetime", "refresh_margin", "keepalive_interval"]
    )
    def test_none_is_longer_than_ten_years(self, name):
        ten_years = 10 * 365 * 24 * 3600

        assert problems(**{name: ten_years}) == {}
        assert set(problems(**{name: ten_years + 1})) == {name}
        assert set(problems(**{name: -1})) == {name}


class TestConfiguration:
    def test_what_is_missing(self):
        assert missing_configuration(ProviderFactory.build()) == []
        bare = Provider(slug="bare")
        assert missing_configuration(bare) == [
            "client_id",
            "authorization_endpoint",
            "token_endpoint",
            "client_secret",
            "userinfo_endpoint",
        ]
        bare.token_endpoint_auth_method = "none"
        assert "client_secret" not in missing_configuration(bare)
        bare.scopes = ["openid"]
        assert {"issuer", "jwks_uri"} < set(missing_configuration(bare))

    def test_the_client_gets_the_secret_and_hides_it(self, provider):
        client = again(provider).oauth_client()

        assert client.config.client_secret == provider.reveal("client_secret")
        assert "<secret>" in repr(client.config)

    def test_a_secret_before_it_is_saved(self):
        assert Provider().reveal("client_secret") is None
        assert Provider(client_secret=Secret("x")).reveal("client_secret") == Secret(
            "x"
        )

    def test_str(self):
        assert str(Provider(name="Example")) == "Example"
