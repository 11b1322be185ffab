from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from oauth_accounts import checks
from tests.test_keyring import MALFORMED, NEW, OLD

# Checks of JSON columns ask the database from Django 6.1 on.
pytestmark = [pytest.mark.faces, pytest.mark.django_db]

PRODUCTION = {
    "DEBUG": False,
    "FERNET_KEYS": [NEW, OLD],
    "OAUTH_ACCOUNTS_BASE_URL": "https://www.example.com",
    # What `check --deploy` asks of any site.
    "SECRET_KEY": "Zq3v-9xkTfWm2LrYd7Bs8Ne4Hc6Jp1Ga5Uo0_iXyKlMnRtVwAz",
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 3600,
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
    "SECURE_HSTS_PRELOAD": True,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "MAILERS": {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}},
}


def set_all(settings, values):
    for name, value in values.items():
        setattr(settings, name, value)


def own(messages):
    return [m for m in messages if (m.id or "").startswith("oauth_accounts.")]


def ids(messages) -> list[str]:
    """Return the ids of this app's messages, each once."""
    return sorted({m.id.removeprefix("oauth_accounts.") for m in own(messages)})


@pytest.fixture
def production(settings, monkeypatch):
    set_all(settings, PRODUCTION)
    for name in checks.FORBIDDEN_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return settings


TRIGGERS = {
    "E001 keys unset": ({"FERNET_KEYS": None}, ["E001"]),
    "E003 transport": ({}, ["E003"], "OAUTHLIB_INSECURE_TRANSPORT"),
    "E003 scope": ({}, ["E003"], "OAUTHLIB_RELAX_TOKEN_SCOPE"),
    "E004 plain http": (
        {"OAUTH_ACCOUNTS_BASE_URL": "http://www.example.com"},
        ["E004"],
    ),
    "E004 no scheme": ({"OAUTH_ACCOUNTS_BASE_URL": "www.example.com"}, ["E004"]),
    "E004 no host": ({"OAUTH_ACCOUNTS_BASE_URL": "https://"}, ["E004"]),
    "E004 user": ({"OAUTH_ACCOUNTS_BASE_URL": "https://me@example.com"}, ["E004"]),
    "E004 query": ({"OAUTH_ACCOUNTS_BASE_URL": "https://a.example/?x=1"}, ["E004"]),
    "E004 fragment": ({"OAUTH_ACCOUNTS_BASE_URL": "https://a.example/#x"}, ["E004"]),
    "E004 port": ({"OAUTH_ACCOUNTS_BASE_URL": "https://a.example:x"}, ["E004"]),
    "E004 bracket": ({"OAUTH_ACCOUNTS_BASE_URL": "https://[a"}, ["E004"]),
    "E004 no text": ({"OAUTH_ACCOUNTS_BASE_URL": 7}, ["E004"]),
    "E004 bytes": ({"OAUTH_ACCOUNTS_BASE_URL": b"https://a.example"}, ["E004"]),
    "E004 empty": ({"OAUTH_ACCOUNTS_BASE_URL": ""}, ["E004"]),
    "E005 margin": ({"OAUTH_ACCOUNTS_REFRESH_MARGIN": -1}, ["E005"]),
    "E005 margin is no number": ({"OAUTH_ACCOUNTS_REFRESH_MARGIN": "soon"}, ["E005"]),
    "E005 margin is endless": (
        {"OAUTH_ACCOUNTS_REFRESH_MARGIN": float("inf")},
        ["E005"],
    ),
    "E005 attempt": ({"OAUTH_ACCOUNTS_ATTEMPT_TTL": 601}, ["E005"]),
    "E005 timeout": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": 0}, ["E005"]),
    "E005 timeout and lease": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": 31}, ["E005"]),
    "E005 concurrency": ({"OAUTH_ACCOUNTS_CONCURRENCY": 0}, ["E005"]),
    "E005 calls": ({"OAUTH_ACCOUNTS_CALLS_PER_PROVIDER": 0}, ["E005"]),
    "E005 nan": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": float("nan")}, ["E005"]),
    "E005 none": ({"OAUTH_ACCOUNTS_HTTP_TIMEOUT": None}, ["E005"]),
    "E006 no app": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "shop.Shop"}, ["E006"]),
    "E006 no model": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "auth.Shop"}, ["E006"]),
    "E006 no label": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "Shop"}, ["E006"]),
    "E007 unset": ({"OAUTH_ACCOUNTS_OWNER_MODEL": "auth.Group"}, ["E007"]),
    "E007 no callable": ({"OAUTH_ACCOUNTS_GET_OWNER": 7}, ["E007"]),
    "E007 no such path": (
        {"OAUTH_ACCOUNTS_GET_OWNER": "tests.nowhere.owner"},
        ["E007"],
    ),
    "E007 no path": ({"OAUTH_ACCOUNTS_GET_OWNER": "owner"}, ["E007"]),
    "E008 pickle": ({"CELERY_ACCEPT_CONTENT": ["json", "pickle"]}, ["E008"]),
    "E008 pickle of results": ({"CELERY_RESULT_ACCEPT_CONTENT": ["pickle"]}, ["E008"]),
    "E008 its type": (
        {"CELERY_ACCEPT_CONTENT": ["application/x-python-serialize"]},
        ["E008"],
    ),
    "E008 a single format": ({"CELERY_ACCEPT_CONTENT": "pickle"}, ["E008"]),
    "E008 tasks": ({"CELERY_TASK_SERIALIZER": "pickle"}, ["E008"]),
    "E008 results": ({"CELERY_RESULT_SERIALIZER": "pickle"}, ["E008"]),
    "E008 events": ({"CELERY_EVENT_SERIALIZER": "pickle"}, ["E008"]),
    "E008 in a dict": ({"CELERY": {"accept_content": {"pickle"}}}, ["E008"]),
    "E008 in a dict, loud": ({"CELERY": {"RESULT_SERIALIZER": "pickle"}}, ["E008"]),
    "E008 in a dict, by its old name": (
        {"CELERY": {"CELERY_TASK_SERIALIZER": "pickle"}},
        ["E008"],
    ),
    "E012 no such name": ({"OAUTH_ACCOUNTS_SUCCESS_URL": "welcome"}, ["E012"]),
    "E012 no such namespace": ({"OAUTH_ACCOUNTS_SUCCESS_URL": "shop:home"}, ["E012"]),
    "E012 none": ({"OAUTH_ACCOUNTS_SUCCESS_URL": None}, ["E012"]),
    "E013 text": ({"OAUTH_ACCOUNTS_PRIVATE_HOSTS": "sso.internal"}, ["E013"]),
    "E013 none": ({"OAUTH_ACCOUNTS_PRIVATE_HOSTS": None}, ["E013"]),
    "E013 no text in it": ({"OAUTH_ACCOUNTS_PRIVATE_HOSTS": [7]}, ["E013"]),
    "E014 a list": ({"OAUTH_ACCOUNTS_PROVIDERS": ["tracker"]}, ["E014"]),
    "E014 no dict in it": ({"OAUTH_ACCOUNTS_PROVIDERS": {"tracker": 5}}, ["E014"]),
    "E014 no slug": ({"OAUTH_ACCOUNTS_PROVIDERS": {5: {}}}, ["E014"]),
    "E015 text": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": "github.com"}, ["E015"]),
    "E015 no text in it": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": [7]}, ["E015"]),
    "E015 a URL": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": ["https://a.example"]}, ["E015"]),
    "E015 a port": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": ["a.example:443"]}, ["E015"]),
    "E015 a star": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": ["*.a.example"]}, ["E015"]),
    "E015 a dot": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": ["."]}, ["E015"]),
    "E015 a dot behind": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": ["a.example."]}, ["E015"]),
    "E015 nothing": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": [""]}, ["E015"]),
    "E015 a network": ({"OAUTH_ACCOUNTS_ALLOWED_HOSTS": ["10.0.0.0/8"]}, ["E015"]),
    "E016 text": ({"OAUTH_ACCOUNTS_NOTICES": "connected"}, ["E016"]),
    "E016 none": ({"OAUTH_ACCOUNTS_NOTICES": None}, ["E016"]),
    "E016 an unknown kind": ({"OAUTH_ACCOUNTS_NOTICES": ["reauth"]}, ["E016"]),
    "E016 no text in it": ({"OAUTH_ACCOUNTS_NOTICES": [["connected"]]}, ["E016"]),
    "E017 recipients": ({"OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS": 7}, ["E017"]),
    "E017 no such path": (
        {"OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS": "tests.nowhere.people"},
        ["E017"],
    ),
    "E017 language": ({"OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE": ["de"]}, ["E017"]),
    "E017 no path": ({"OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE": "de"}, ["E017"]),
    "E017 sender": ({"OAUTH_ACCOUNTS_NOTICES_FROM": "Site"}, ["E017"]),
    "E017 sender in two lines": (
        {"OAUTH_ACCOUNTS_NOTICES_FROM": "a@example.com\nBcc: b@example.com"},
        ["E017"],
    ),
    "E018 no address of the site": (
        {
            "DEBUG": True,
            "OAUTH_ACCOUNTS_NOTICES": ["connected"],
            "OAUTH_ACCOUNTS_BASE_URL": None,
        },
        ["E018"],
    ),
    "W009 elsewhere": (
        {
            "OAUTH_ACCOUNTS_ALLOWED_HOSTS": ["a.example"],
            "OAUTH_ACCOUNTS_PROVIDERS": {
                "tracker": {
                    "authorization_endpoint": "https://a.example/authorize",
                    "token_endpoint": "https://b.example/token",
                    "api_base_url": "https://[",
                    "userinfo_endpoint": 7,
                }
            },
        },
        ["W009"],
    ),
    "W003 no base URL": ({"OAUTH_ACCOUNTS_BASE_URL": None}, ["W003"]),
    "W010 sessions in cookies": (
        {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
        ["W010"],
    ),
    "W011 a strict cookie": ({"SESSION_COOKIE_SAMESITE": "Strict"}, ["W011"]),
}
NO_HINT = {"E005", "E007", "E017"}
# What is set to DEBUG, and which loggers are at DEBUG then.
LOGGERS = {
    "": ["oauthlib", "requests_oauthlib", "urllib3"],
    "oauthlib": ["oauthlib"],
    "requests_oauthlib.oauth2_session": ["requests_oauthlib"],
    "urllib3.connectionpool": ["urllib3"],
}


@pytest.fixture
def level():
    """Set levels of loggers, `level(name, level)`."""
    before = {}

    def set_level(name, level):
        logger = logging.getLogger(name)
        before.setdefault(logger, logger.level)
        logger.setLevel(level)

    yield set_level
    for logger, number in before.items():
        logger.setLevel(number)


class TestTriggers:
    @pytest.mark.parametrize("case", TRIGGERS)
    def test_each_is_reported(self, case, production, monkeypatch):
        values, expected, *environment = TRIGGERS[case]
        set_all(production, values)
        for name in environment:
            monkeypatch.setenv(name, "1")

        messages = run_checks(include_deployment_checks=True)

        assert ids(messages) == expected
        for message in own(messages):
            assert message.hint or expected[0] in NO_HINT

    @pytest.mark.parametrize("keys", MALFORMED)
    def test_each_malformed_key_is_reported(self, keys, production):
        value, problem = MALFORMED[keys]
        production.SECRET_KEY = "signing-key-made-up-for-this-test-5a81c0de77"
        production.FERNET_KEYS = value

        messages = run_checks()

        assert ids(messages) == ["E002"]
        assert problem in own(messages)[0].msg
        assert "token_urlsafe" in own(messages)[0].hint

    def test_w002_keys_used_as_they_are(self, production):
        production.FERNET_USE_HKDF = False
        production.FERNET_KEYS = ["a" * 16 + "bcdefgh-_x0123456789012345w="]

        assert ids(run_checks()) == ["W002"]

    def test_w010_is_for_sites_that_are_deployed(self, production):
        production.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"

        assert ids(run_checks()) == []

    @pytest.mark.parametrize("name", LOGGERS)
    def test_w012_a_logger_at_debug(self, name, production, level):
        level(name, logging.DEBUG)

        (message,) = own(run_checks())

        assert message.id == "oauth_accounts.W012"
        assert all(part in message.msg for part in LOGGERS[name])
        assert message.hint
        production.DEBUG = True
        assert "W012" not in ids(run_checks())

    def test_both_variables_are_named(self, production, monkeypatch):
        for name in checks.FORBIDDEN_ENVIRONMENT:
            monkeypatch.setenv(name, "1")

        assert [m.msg.split()[3] for m in checks.check_environment()] == list(
            checks.FORBIDDEN_ENVIRONMENT
        )

    def test_every_id_has_a_trigger(self):
        folder = Path(checks.__file__).parent
        source = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
        tested = {case[:4] for case in TRIGGERS}
        tested |= {"E002", "E009", "E010", "E011", "W001", "W002", "W012"}
        tested |= {"W004", "W005", "W006", "W013"}  # test_checks_sweeps
        tested |= {"W007"}  # test_checks_canary
        tested |= {"W008"}  # test_checks_database

        assert set(re.findall(r'id="oauth_accounts\.(\w+)"', source)) == tested


class TestClean:
    def test_a_good_configuration_says_nothing(self, production):
        assert ids(run_checks(include_deployment_checks=True)) == []

    @pytest.mark.parametrize(
        "url", ["https://a.example", "https://a.example/", "https://a.example:8443"]
    )
    def test_base_urls(self, production, url):
        production.OAUTH_ACCOUNTS_BASE_URL = url

        assert ids(run_checks()) == []

    def test_notices(self, production):
        production.OAUTH_ACCOUNTS_NOTICES = ("reauth_required", "disconnected")
        production.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS = len
        production.OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE = "builtins.str"
        production.OAUTH_ACCOUNTS_NOTICES_FROM = "Site <site@example.com>"

        assert ids(run_checks()) == []

    @pytest.mark.parametrize("url", ["/welcome/", "oauth_accounts:list", "./"])
    def test_success_urls(self, production, url):
        production.OAUTH_ACCOUNTS_SUCCESS_URL = url

        assert ids(run_checks()) == []

    @pytest.mark.parametrize("urls", ["tests.nowhere", "tests.settings", None])
    def test_without_urls_no_url_is_looked_for(self, production, urls):
        production.OAUTH_ACCOUNTS_SUCCESS_URL = "shop:home"
        if urls is None:
            del production.ROOT_URLCONF
        else:
            production.ROOT_URLCONF = urls

        assert checks.check_success_url() == []

    @pytest.mark.parametrize("value", [(), {"10.0.0.0/8"}, ("sso.internal",)])
    def test_private_hosts(self, production, value):
        production.OAUTH_ACCOUNTS_PRIVATE_HOSTS = value

        assert ids(run_checks()) == []

    @pytest.mark.parametrize(
        "value",
        [None, [], ("github.com",), {".example.com", "xn--bcher-kva.example", "::1"}],
    )
    def test_allowed_hosts(self, production, value):
        production.OAUTH_ACCOUNTS_ALLOWED_HOSTS = value

        assert ids(run_checks()) == []

    @pytest.mark.parametrize("value", [None, (), ["json"], "json", 7])
    def test_celerys_content(self, production, value):
        production.CELERY_ACCEPT_CONTENT = value
        production.CELERY = {"accept_content": value, "beat_scheduler": "pickle"}

        assert ids(run_checks()) == []

    def test_loggers(self, production, level):
        level("urllib3", logging.INFO)
        level("other", logging.DEBUG)

        assert ids(run_checks()) == []

    def test_debug_allows_what_production_does_not(self, production, monkeypatch):
        production.DEBUG = True
        production.FERNET_KEYS = None
        production.OAUTH_ACCOUNTS_BASE_URL = "http://localhost:8000"
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")

        messages = run_checks()

        assert ids(messages) == ["W001"]
        assert "token_urlsafe" in own(messages)[0].hint
        production.OAUTH_ACCOUNTS_BASE_URL = None
        assert ids(run_checks()) == ["W001"]


class TestRegistered:
    """Through the command that people run."""

    def test_check_deploy_is_clean_on_a_good_configuration(self, production, capsys):
        call_command("check", "oauth_accounts", deploy=True, fail_level="WARNING")

        assert "no issues" in capsys.readouterr().out

    def test_check_fails_on_a_bad_one(self, production):
        production.FERNET_KEYS = "one long string that is not a list of keys at all"

        with pytest.raises(SystemCheckError, match=r"oauth_accounts\.E002"):
            call_command("check")

    def test_the_key_is_not_in_what_check_prints(self, production):
        production.FERNET_KEYS = secret = "one-long-string-that-is-no-list-of-keys-7d8f"

        with pytest.raises(SystemCheckError) as caught:
            call_command("check")

        assert secret not in str(caught.value)
