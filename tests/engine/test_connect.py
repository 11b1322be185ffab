"""From a click to an account: what is bound, what is refused, what is kept."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, connection, connections, transaction
from django.test import RequestFactory
from django.utils import timezone

from oauth_accounts import callback, connect, grant, outbox, signals
from oauth_accounts.exceptions import (
    AccountInUse,
    AuthorizationDenied,
    AuthorizationError,
    IdentityMismatch,
    InvalidState,
    OAuthAccountsError,
    ProviderMisconfigured,
    ProviderUnavailable,
    RefreshInTransaction,
    TokenUndecryptable,
)
from oauth_accounts.fields import Secret
from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
)
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer


class Browser:
    """One user's browser: keeps the cookie and plays the redirects."""

    def __init__(self, user):
        self.user = user
        self.cookie = None

    def request(self, url, **extra):
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        request = RequestFactory().get(path, **extra)
        request.user = self.user
        return request

    def start(self, provider, **options):
        started = connect.start(
            self.request("/"), provider, browser=self.cookie, **options
        )
        self.cookie = started.browser
        return started.url

    def finish(self, url, slug="fake"):
        return connect.finish(self.request(url), slug, self.cookie)

    def connect(self, provider, server, subject="alice", **options):
        url = self.start(provider, **options)
        return self.finish(server.authorize(url, subject=subject), provider.slug)


@pytest.fixture
def browser(owner):
    return Browser(owner)


@pytest.fixture
def other(transactional_db):
    return Browser(User.objects.create_user("other"))


def refused(browser, url, error=InvalidState, slug="fake"):
    with pytest.raises(error) as caught:
        browser.finish(url, slug)
    return caught.value.code


class TestStart:
    def test_the_request(self, browser, provider, server):
        query = parse_qs(urlsplit(browser.start(provider)).query)
        assert query["response_type"] == ["code"]
        assert query["code_challenge_method"] == ["S256"]
        assert query["client_id"] == [server.client_id]
        assert query["redirect_uri"] == [
            "http://localhost:8000/accounts/connected/callback/fake/"
        ]
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["state"][0])
        assert all(len(values) == 1 for values in query.values())

    def test_state_and_verifier_are_fresh_and_not_stored_in_clear(
        self, browser, provider
    ):
        first = parse_qs(urlsplit(browser.start(provider)).query)
        second = parse_qs(urlsplit(browser.start(provider)).query)
        assert first["state"] != second["state"]
        assert first["code_challenge"] != second["code_challenge"]
        attempt = AuthorizationAttempt.objects.earliest("created_at")
        verifier = attempt.reveal("code_verifier").get_value()
        digest = hashlib.sha256(verifier.encode()).digest()
        assert first["code_challenge"] == [
            base64.urlsafe_b64encode(digest).decode().rstrip("=")
        ]
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM oauth_accounts_authorizationattempt")
            dump = repr(cursor.fetchall())
        assert first["state"][0] not in dump
        assert verifier not in dump
        assert browser.cookie.get_value() not in dump

    def test_the_host_header_has_no_say(self, browser, provider, settings):
        settings.ALLOWED_HOSTS = ["*"]
        request = browser.request("/", HTTP_HOST="evil.example")
        url = connect.start(request, provider).url
        assert "evil" not in url

    def test_without_a_base_url_only_development_works(
        self, browser, provider, settings
    ):
        settings.OAUTH_ACCOUNTS_BASE_URL = None
        assert "http%3A%2F%2Ftestserver%2F" in browser.start(provider)
        settings.DEBUG = False
        with pytest.raises(ProviderMisconfigured) as caught:
            browser.start(provider)
        assert caught.value.code == "base_url_missing"

    def test_a_disabled_provider(self, browser, provider):
        provider.enabled = False
        with pytest.raises(ProviderMisconfigured) as caught:
            browser.start(provider)
        assert caught.value.code == "provider_disabled"
        assert AuthorizationAttempt.objects.count() == 0

    @pytest.mark.parametrize(
        "name", ["token_endpoint", "userinfo_endpoint", "client_id"]
    )
    def test_a_provider_that_lacks_something(self, browser, provider, name):
        setattr(provider, name, "")
        with pytest.raises(ProviderMisconfigured) as caught:
            browser.start(provider)
        assert caught.value.code == "provider_incomplete"

    def test_an_endpoint_forced_in_by_sql_leads_nowhere(self, browser, provider):
        Provider.objects.update(authorization_endpoint="javascript:alert(1)")
        with pytest.raises(ProviderMisconfigured):
            browser.start(Provider.objects.get())
        assert AuthorizationAttempt.objects.count() == 0

    def test_open_attempts_are_few(self, browser, provider):
        for _ in range(15):
            browser.start(provider)
        assert AuthorizationAttempt.objects.count() == connect.MAX_OPEN_ATTEMPTS

    def test_attempts_that_are_over_are_purged(self, browser, provider, server):
        browser.start(provider)
        assert connect.purge_attempts() == 0
        AuthorizationAttempt.objects.update(
            expires_at=timezone.now() - timedelta(seconds=1)
        )
        assert connect.purge_attempts() == 1


class TestConnect:
    def test_a_new_account(self, browser, provider, server, owner):
        heard = []

        def hear(account, request, **kwargs):
            heard.append((account.pk, request.user))

        signals.account_connected.connect(hear)
        finished = browser.connect(provider, server, next_path="/after/")
        signals.account_connected.disconnect(hear)
        account = ConnectedAccount.objects.get()
        assert finished.account == account
        assert finished.created
        assert finished.next == "/after/"
        assert (account.owner, account.connected_by, account.uid) == (
            owner,
            owner,
            "alice",
        )
        assert server.is_live(account.get_access_token())
        assert account.refresh_due_at is not None
        assert account.status == "active"
        assert heard == [(account.pk, owner)]
        event = account.events.get()
        assert (event.kind, event.actor) == ("connected", owner)
        [exchange] = server.token_requests
        assert exchange.form["redirect_uri"].endswith("/callback/fake/")
        assert len(server.requests) == 2

    def test_the_same_account_again_is_the_same_row(self, browser, provider, server):
        first = browser.connect(provider, server).account
        first.revoke()
        again = browser.connect(provider, server)
        assert not again.created
        assert again.account.pk == first.pk
        stored = ConnectedAccount.objects.get()
        assert stored.status == "active"
        assert stored.generation > first.generation - 1
        assert server.is_live(stored.get_access_token())
        assert (
            list(stored.events.values_list("kind", flat=True)).count("reconnected") == 1
        )

    def test_two_accounts_of_one_provider(self, browser, provider, server):
        browser.connect(provider, server, "alice")
        browser.connect(provider, server, "Alice")
        browser.connect(provider, server, "alice ")
        assert ConnectedAccount.objects.count() == 3

    def test_two_owners_may_connect_the_same_account(
        self, browser, other, provider, server
    ):
        browser.connect(provider, server)
        other.connect(provider, server)
        assert ConnectedAccount.objects.count() == 2

    def test_an_exclusive_account_has_one_owner(self, browser, other, provider, server):
        Provider.objects.update(exclusive_subjects=True)
        provider.refresh_from_db()
        mine = browser.connect(provider, server).account
        url = server.authorize(other.start(provider), subject="alice")
        assert refused(other, url, AccountInUse) == "account_in_use"
        assert ConnectedAccount.objects.get().owner == browser.user
        late = PendingRevocation.objects.get()
        assert late.reason == "account_in_use"
        assert late.reveal("refresh_token") != mine.reveal("refresh_token")

    def test_an_identity_is_never_an_email(self, browser, other, provider, server):
        server.profiles["bob"] = {"email": "alice@example.com"}
        browser.connect(provider, server, "alice")
        account = other.connect(provider, server, "bob").account
        assert account.owner == other.user
        assert account.label == "alice@example.com"
        assert ConnectedAccount.objects.count() == 2

    def test_parallel_callbacks_for_one_subject_make_one_row(
        self, browser, provider, server, monkeypatch
    ):
        urls = [server.authorize(browser.start(provider)) for _ in range(4)]
        errors, barrier = [], threading.Barrier(4)
        find = grant._find

        def find_together(*arguments):
            found = find(*arguments)
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(5)
            return found

        monkeypatch.setattr(grant, "_find", find_together)

        def come_back(url):
            try:
                browser.finish(url)
            except OAuthAccountsError as error:
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=come_back, args=(url,)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert ConnectedAccount.objects.count() == 1

    def test_a_row_that_can_neither_be_made_nor_found(
        self, browser, provider, server, monkeypatch
    ):
        def fail(*arguments):
            raise IntegrityError

        monkeypatch.setattr(grant, "_create", fail)
        url = server.authorize(browser.start(provider))
        assert refused(browser, url, AuthorizationError) == "not_stored"


class TestReconnect:
    def test_it_heals_an_account(self, browser, provider, server):
        account = browser.connect(provider, server).account
        account.stored_row().update(
            status="needs_reauth", status_reason="invalid_grant", refresh_due_at=None
        )
        finished = browser.connect(provider, server, account=account)
        assert finished.account.pk == account.pk
        assert finished.account.status == "active"
        assert finished.account.status_reason == ""

    def test_it_must_be_the_same_account(self, browser, provider, server):
        account = browser.connect(provider, server).account
        kept = account.reveal("refresh_token")
        url = server.authorize(
            browser.start(provider, account=account), subject="mallory"
        )
        assert refused(browser, url, IdentityMismatch) == "identity_mismatch"
        account.refresh_from_db()
        assert account.reveal("refresh_token") == kept
        assert PendingRevocation.objects.count() == 1

    def test_it_must_be_the_same_provider(self, browser, provider, server):
        account = browser.connect(provider, server).account
        fields = server.as_provider_fields()
        elsewhere = Provider.objects.create(slug="elsewhere", **fields)
        url = server.authorize(browser.start(elsewhere, account=account))
        assert refused(browser, url, IdentityMismatch, "elsewhere")
        assert ConnectedAccount.objects.get().generation == account.generation

    def test_a_wrong_account_that_is_connected_too_keeps_its_grant(
        self, browser, provider, server
    ):
        account = browser.connect(provider, server, "alice").account
        browser.connect(provider, server, "bob")
        url = server.authorize(browser.start(provider, account=account), subject="bob")
        refused(browser, url, IdentityMismatch)
        assert PendingRevocation.objects.count() == 0

    def test_what_an_admin_disabled_stays_disabled(self, browser, provider, server):
        account = browser.connect(provider, server).account
        account.stored_row().update(
            status="disabled", status_reason="by_admin", refresh_due_at=None
        )
        url = server.authorize(browser.start(provider))
        assert refused(browser, url, AuthorizationError) == "disabled_by_admin"
        account.refresh_from_db()
        assert account.status == "disabled"

    def test_an_account_that_changed_hands(self, browser, other, provider, server):
        account = browser.connect(provider, server).account
        url = server.authorize(browser.start(provider, account=account))
        account.stored_row().update(owner=other.user)
        refused(browser, url, AccountInUse)

    def test_an_account_that_is_deleted_meanwhile(
        self, browser, provider, server, monkeypatch
    ):
        account = browser.connect(provider, server).account
        url = server.authorize(browser.start(provider))
        find = grant._find

        def find_and_lose(*arguments):
            found = find(*arguments)
            ConnectedAccount.objects.filter(pk=account.pk).delete()
            return found

        monkeypatch.setattr(grant, "_find", find_and_lose)
        assert refused(browser, url, AuthorizationError) == "account_deleted"


class TestRefused:
    """Every one burns the attempt it matched, stores nothing and leaves one event."""

    @pytest.fixture
    def url(self, browser, provider, server):
        return server.authorize(browser.start(provider))

    @pytest.fixture(autouse=True)
    def nothing_is_stored(self, transactional_db):
        yield
        assert ConnectedAccount.objects.count() == 0
        assert AccountEvent.objects.filter(kind="rejected").count() >= 1

    def test_no_state(self, browser, provider, url):
        for query in ("", "state=", "state=wrong", "state=%00", "state=" + "x" * 43):
            refused(browser, f"/callback/?{query}&code=c")

    def test_no_attempt_at_all(self, browser, provider):
        refused(browser, "/callback/?code=c")

    def test_another_browser(self, browser, url):
        browser.cookie = Secret("x" * 43)
        assert refused(browser, url) == "other_browser"
        browser.cookie = None
        assert refused(browser, url) == "state_unknown_or_used"

    def test_no_cookie(self, browser, url):
        browser.cookie = None
        assert refused(browser, url) == "other_browser"

    def test_another_user_in_the_same_browser(self, browser, other, url):
        other.cookie = browser.cookie
        assert refused(other, url) == "other_user"

    def test_nobody(self, browser, url):
        browser.user = AnonymousUser()
        assert refused(browser, url) == "other_user"

    def test_too_late(self, browser, url):
        AuthorizationAttempt.objects.update(expires_at=timezone.now())
        assert refused(browser, url) == "expired"

    def test_the_callback_of_another_provider(self, browser, provider, url):
        with FakeProvider() as elsewhere:
            Provider.objects.create(slug="evil", **elsewhere.as_provider_fields())
            assert refused(browser, url, slug="evil") == "other_provider"
            assert elsewhere.requests == []

    def test_a_provider_that_changed_meanwhile(self, browser, url):
        Provider.objects.update(token_endpoint="https://evil.example/token")
        assert refused(browser, url) == "provider_changed"

    def test_a_provider_that_was_disabled_meanwhile(self, browser, url):
        Provider.objects.update(enabled=False)
        assert refused(browser, url) == "provider_changed"

    @pytest.mark.parametrize(
        "more",
        [
            "&code=second",
            "&state=second",
            "&access_token=front",
            "&id_token=front",
        ],
    )
    def test_doubled_and_front_channel_parameters(self, browser, url, server, more):
        error = InvalidState if "state" in more else AuthorizationError
        refused(browser, url + more, error)
        assert server.token_requests == []

    def test_more_parameters_than_django_reads(self, browser, url, server):
        request = browser.request(url + "&x=1" * 1500, REQUEST_URI=url, RAW_URI=url)
        with pytest.raises(InvalidState):
            connect.finish(request, "fake", browser.cookie)
        assert request.GET.urlencode() == ""
        for name in ("QUERY_STRING", "REQUEST_URI", "RAW_URI"):
            assert request.META[name] == ""
        assert server.token_requests == []
        parameters = callback.take_parameters(browser.request(url + "&x=1" * 1500))
        assert parameters.malformed
        assert parameters.state is None
        assert parameters.code is None

    @pytest.mark.parametrize("code", ["", "%00", "%0A", "%C3%A9", "x" * 20_000])
    def test_codes_that_are_none(self, browser, url, server, code):
        url = re.sub(r"code=[^&]*", f"code={code}", url)
        assert refused(browser, url, AuthorizationError) == "malformed_response"
        assert server.token_requests == []

    def test_a_missing_code(self, browser, url):
        url = re.sub(r"&code=[^&]*", "", url)
        assert refused(browser, url, AuthorizationError) == "code_missing"

    @pytest.mark.parametrize("iss", ["https://other.example", "", "{}/", "{}:443"])
    def test_another_issuer(self, browser, provider, url, iss):
        url = re.sub(r"iss=[^&]*", "iss=" + iss.format(provider.issuer), url)
        assert refused(browser, url, AuthorizationError) == "issuer_mismatch"

    def test_a_missing_issuer_of_a_provider_that_promised_it(
        self, browser, provider, server
    ):
        Provider.objects.update(authorization_response_iss_parameter_supported=True)
        url = server.authorize(browser.start(Provider.objects.get()))
        url = re.sub(r"&?iss=[^&]*", "", url)
        assert refused(browser, url, AuthorizationError) == "issuer_missing"

    def test_a_denial(self, browser, provider, server):
        url = server.authorize(browser.start(provider), deny=True)
        assert refused(browser, url, AuthorizationDenied) == "access_denied"
        assert refused(browser, url) == "state_unknown_or_used"

    def test_an_error_wins_over_a_code_and_is_not_quoted(self, browser, url, server):
        with pytest.raises(AuthorizationDenied) as caught:
            browser.finish(url + "&error=%3Cscript%3E&error_description=boo")
        assert caught.value.code == "unknown"
        assert caught.value.provider_code == "unknown"
        assert server.token_requests == []

    def test_a_code_that_the_provider_refuses(self, browser, url, server):
        server.script(Answer(status=400, json={"error": "invalid_grant"}))
        assert refused(browser, url, AuthorizationError) == "code_refused"
        assert refused(browser, url) == "state_unknown_or_used"
        assert len(server.token_requests) == 1

    def test_a_provider_that_is_down(self, browser, url, server):
        server.script(Answer(status=500))
        refused(browser, url, ProviderUnavailable)

    def test_an_answer_that_is_lost(self, browser, url, server):
        server.script(Answer(drop=True))
        refused(browser, url, ProviderUnavailable)
        assert len(server.token_requests) == 1

    @pytest.mark.parametrize(
        "userinfo",
        [
            {},
            {"sub": None},
            {"sub": ""},
            {"sub": True},
            {"sub": "a\nb"},
            {"sub": "x" * 256},
        ],
    )
    def test_nobody_in_particular(self, browser, url, server, userinfo):
        server.script(Answer(json=userinfo), endpoint="userinfo")
        assert refused(browser, url, AuthorizationError) == "identity_missing"
        late = PendingRevocation.objects.get()
        assert server.is_live(late.reveal("refresh_token").get_value())

    @pytest.mark.parametrize(
        "change", [{"access_token": None}, {"token_type": "mac"}, {"access_token": 5}]
    )
    def test_the_refresh_token_of_an_answer_that_cannot_be_used_is_revoked(
        self, browser, url, server, change
    ):
        def spoilt(request):
            made = server.respond(request)
            made.json.update(change)
            return made

        server.script(spoilt)
        assert refused(browser, url, ProviderUnavailable) == "bad_answer"
        late = PendingRevocation.objects.get()
        assert (late.access_token, late.reason) == (None, "bad_answer")
        token = late.reveal("refresh_token").get_value()
        assert server.is_live(token)
        assert outbox.deliver_due() == 1
        assert not server.is_live(token)
        assert ConnectedAccount.objects.count() == 0

    @pytest.mark.parametrize("answer", [Answer(json={}), Answer(body=b"garbage")])
    def test_an_answer_without_any_token_leaves_nothing_to_revoke(
        self, browser, url, server, answer
    ):
        server.script(answer)
        assert refused(browser, url, ProviderUnavailable) == "bad_answer"
        assert PendingRevocation.objects.count() == 0

    def test_a_verifier_whose_key_is_gone(self, browser, url, settings):
        settings.FERNET_KEYS = ["another-key-that-opens-nothing-here-0a1b2c"]
        with pytest.raises(TokenUndecryptable):
            browser.finish(url)


def test_a_provider_without_issuer_ignores_iss(browser, provider, server, caplog):
    caplog.set_level("INFO", "oauth_accounts")
    provider.issuer = ""
    provider.client_secret = server.client_secret
    provider.save()
    with_iss = server.authorize(browser.start(provider))
    assert "iss=" in with_iss
    assert browser.finish(with_iss)
    assert "has no issuer" in caplog.text
    without = re.sub(r"iss=[^&]*&?", "", server.authorize(browser.start(provider)))
    assert browser.finish(without)


def test_a_long_code_passes(browser, provider, server):
    url = server.authorize(browser.start(provider))
    server.script(Answer(status=400, json={"error": "invalid_grant"}))
    url = re.sub(r"code=[^&]*", "code=" + "x" * 4096, url)
    assert refused(browser, url, AuthorizationError) == "code_refused"
    assert len(server.token_requests[0].form["code"]) == 4096


def test_a_numeric_subject_is_text(browser, provider, server):
    server.script(Answer(json={"sub": 4711, "name": "N\x00umber"}), endpoint="userinfo")
    account = browser.connect(provider, server).account
    assert (account.uid, account.label) == ("4711", "Number")


def test_nested_subjects_are_found(browser, provider, server):
    Provider.objects.update(uid_path="data.user.id", label_path="")
    answer = Answer(json={"data": {"user": {"id": "n-1"}}})
    server.script(answer, endpoint="userinfo")
    assert browser.connect(Provider.objects.get(), server).account.uid == "n-1"
    server.script(Answer(json={"data": "flat"}), endpoint="userinfo")
    url = server.authorize(browser.start(Provider.objects.get()))
    assert refused(browser, url, AuthorizationError) == "identity_missing"


def test_one_of_many_parallel_callbacks_wins(browser, provider, server):
    url = server.authorize(browser.start(provider))
    outcomes = []

    def come_back():
        try:
            outcomes.append(browser.finish(url).created)
        except InvalidState:
            outcomes.append(None)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=come_back) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 1
    assert outcomes.count(None) == 19
    assert len(server.token_requests) == 1


def test_the_query_string_is_wiped(browser, provider, server):
    url = server.authorize(browser.start(provider))
    request = browser.request(url, REQUEST_URI=url)
    connect.finish(request, "fake", browser.cookie)
    assert "code=" not in repr((request.GET, request.META, request.environ))
    assert "state=" not in repr((request.GET, request.META, request.environ))


@pytest.mark.postgres
@pytest.mark.mariadb
def test_a_rollback_neither_revives_the_attempt_nor_loses_the_account(
    browser, provider, server
):
    url = server.authorize(browser.start(provider))
    with transaction.atomic():
        browser.finish(url)
        transaction.set_rollback(True)
    assert ConnectedAccount.objects.count() == 1
    assert refused(browser, url) == "state_unknown_or_used"
    assert len(server.token_requests) == 1


@pytest.mark.sqlite
def test_sqlite_refuses_a_callback_inside_a_transaction_before_the_call(
    browser, provider, server
):
    url = server.authorize(browser.start(provider))
    with transaction.atomic():
        User.objects.create_user("writer")
        assert refused(browser, url, AuthorizationError) == "in_transaction"
    assert server.token_requests == []


def test_a_transaction_that_forbids_storing_has_the_tokens_revoked(
    browser, provider, server, monkeypatch
):
    url = server.authorize(browser.start(provider))
    run, calls = callback.durable.run, []

    def refuse_the_second(alias, work, locks=None):
        calls.append(work)
        if len(calls) == 2:
            raise RefreshInTransaction
        return run(alias, work, locks)

    monkeypatch.setattr(callback.durable, "run", refuse_the_second)
    assert refused(browser, url, AuthorizationError) == "in_transaction"
    assert PendingRevocation.objects.count() == 1
