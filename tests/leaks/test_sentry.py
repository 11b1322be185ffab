"""
C3: what an error tracker is sent, with sentry-sdk itself and all it can tell.

A site and a worker run in processes of their own; what sentry-sdk would send goes to a file.
It ignores Django's `sensitive_variables`, and takes the local variables of every frame.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from oauth_accounts import tasks
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.server import FakeProvider
from oauth_accounts.testing.wire import Answer
from tests.command import wait_until
from tests.faults.celeries import FAST_START, CeleryProcess, publisher
from tests.leaks.markers import Secrets
from tests.test_docs_quickstart import free_port

pytestmark = pytest.mark.faces

SESSION = "django.contrib.sessions.middleware.SessionMiddleware.process_response"
CALLBACK = [
    "oauth_accounts.callback.clean_provider_code",
    "oauth_accounts.callback.check",
    "cryptography.fernet.MultiFernet.decrypt",
    "requests.adapters.HTTPAdapter.send",
    "http.client.HTTPConnection.endheaders",
    "oauth_accounts.protocol.answers._from_pairs",
    "oauth_accounts.protocol.tokens._scopes",
    "oauth_accounts.identity.read_identity",
    "cryptography.fernet.Fernet.encrypt",
    "oauth_accounts.grant._record",
    "django.contrib.messages.success",
    SESSION,
]
START = [
    "oauthlib.oauth2.WebApplicationClient.prepare_request_uri",
    "cryptography.fernet.Fernet.encrypt",
    "oauth_accounts.connect._may_exceed",
    SESSION,
]
WORK = ["oauth_accounts.protocol.tokens._scopes", "oauth_accounts.writeback._update"]


class Tracker:
    """
    What the processes of a test would have sent.

    folder: for its files.
    """

    def __init__(self, folder: Path) -> None:
        self.envelopes, self.minted = folder / "envelopes", folder / "minted"
        for file in (self.envelopes, self.minted):
            file.touch()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tests.leaks.tracked",
            "TEST_ENVELOPES": str(self.envelopes),
            "TEST_MINTED": str(self.minted),
        }

    def text(self) -> str:
        return self.envelopes.read_bytes().decode()

    def items(self) -> list[dict[str, Any]]:
        """Return what was sent: events, transactions, and headers."""
        lines = [line for line in self.text().splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def text_without_requests(self) -> str:
        """Return all that was sent but query and cookies, which no app can keep back."""
        items = self.items()
        for request in filter(None, (item.get("request") for item in items)):
            request.pop("query_string", None)
            request.pop("cookies", None)
        return json.dumps(items)

    def errors(self) -> list[str]:
        """Return the kinds of the exceptions that were reported."""
        events = (item.get("exception") for item in self.items())
        return [event["values"][-1]["type"] for event in events if event]

    def secrets(self, server: FakeProvider) -> Secrets:
        """Return what was a secret while the processes ran."""
        minted = self.minted.read_text().split()
        tokens = [
            token
            for grant in server.grants
            for token in grant.access_tokens + grant.refresh_tokens
        ]
        forms = [request.form for request in server.token_requests]
        sent = [
            form[name]
            for form in forms
            for name in ("code", "code_verifier", "refresh_token")
            if name in form
        ]
        return Secrets({server.client_secret, *minted, *tokens, *sent})


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(tmp_path)


class Site:
    """The site in a process of its own, and Ada's browser."""

    scrubs: bool

    def __init__(self, tracker: Tracker, environment: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = tracker.envelopes.with_name("site.log")
        command = ["-m", "django", "runserver", "--noreload", f"127.0.0.1:{port}"]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                # Older releases of Django do not flush what they say to a file.
                env={
                    **environment,
                    **tracker.environment,
                    "TEST_SITE": self.url,
                    "PYTHONUNBUFFERED": "1",
                },
                stdout=out,
                stderr=out,
            )
        self.browser = requests.Session()
        self.browser.trust_env = False

    def await_it(self) -> None:
        wait_until(
            lambda: "Quit the server" in self.log.read_text(),
            self.log.read_text,
            seconds=180,
        )

    def log_in(self, user: User) -> None:
        client = Client()
        client.force_login(user)
        for name, morsel in client.cookies.items():
            self.browser.cookies.set(name, morsel.value)
        self.browser.cookies.set("csrftoken", "a" * 32)

    def post(self, path: str, target: str = "", **data: str) -> requests.Response:
        return self.browser.post(
            self.url + path,
            data={"csrfmiddlewaretoken": "a" * 32, **data},
            headers=_break(target) | {"Origin": self.url},
            allow_redirects=False,
        )

    def get(self, url: str, target: str = "") -> requests.Response:
        return self.browser.get(url, headers=_break(target), allow_redirects=False)

    def end(self) -> None:
        self.browser.close()
        self.process.terminate()
        self.process.wait(30)


def _break(target: str) -> dict[str, str]:
    return {"X-Break": target} if target else {}


@pytest.fixture(params=["0", "1"], ids=["plain", "scrubbed"])
def site(
    request: pytest.FixtureRequest,
    tracker: Tracker,
    child_environment: dict[str, str],
    provider: Provider,
) -> Iterator[Site]:
    site = Site(tracker, {**child_environment, "TEST_SCRUB": request.param})
    try:
        site.await_it()
        site.scrubs = request.param == "1"
        site.log_in(User.objects.create_superuser("ada"))
        yield site
    finally:
        site.end()


CONNECT = "/accounts/connected/connect/fake/"


def test_c3_the_site(site: Site, tracker: Tracker, server: FakeProvider) -> None:
    assert settings.DEBUG
    for target in START:
        assert site.post(CONNECT, target).status_code == 500
    for target in CALLBACK:
        started = site.post(CONNECT)
        back = server.authorize(started.headers["Location"])
        assert site.get(back, target).status_code == 500
    server.script(Answer(status=503, body="no"))
    started = site.post(CONNECT)
    site.get(server.authorize(started.headers["Location"]))
    account = ConnectedAccount.objects.latest("created_at")
    address = f"/accounts/connected/disconnect/{account.pk}/"
    assert site.post(address, "oauth_accounts.revoke.keep").status_code == 500
    secret = "secret-that-was-entered-4c1f9d"
    fields = {"slug": "new", "name": "New", "new_client_secret": secret}
    added = site.post(
        "/admin/oauth_accounts/provider/add/",
        "oauth_accounts.models.Provider.clean",
        **fields,
    )
    assert added.status_code == 500

    assert tracker.errors().count("Boom") == len(START) + len(CALLBACK) + 2
    assert '"vars"' in tracker.text()
    secrets = Secrets({*tracker.secrets(server), secret})
    assert len(secrets) > 40
    sent = tracker.text() if site.scrubs else tracker.text_without_requests()
    assert secrets.found_in(sent=sent) == []


@pytest.mark.parametrize("target", WORK)
def test_c3_a_worker(
    tracker: Tracker,
    child_environment: dict[str, str],
    make_account: Any,
    server: FakeProvider,
    tmp_path: Path,
    target: str,
) -> None:
    account = make_account()
    url = f"filesystem://{tmp_path}"
    environment = {
        **child_environment,
        **tracker.environment,
        "TEST_SITE": "http://localhost",
        "TEST_BROKER_URL": url,
        "TEST_BREAK": target,
    }
    options = ("worker", "-P", "solo", *FAST_START, "-l", "debug")
    with publisher(url):
        assert tasks.enqueue(tasks.refresh_account, str(account.pk))
        worker = CeleryProcess(
            environment, tmp_path / "log", *options, app="tests.leaks.broken_worker"
        )
        try:
            worker.says("raised unexpected")
        finally:
            worker.end()
    assert tracker.errors() == ["Boom"]
    assert '"vars"' in tracker.text()
    assert "refresh_account" in tracker.text()
    secrets = tracker.secrets(server)
    assert len(secrets) >= 5
    assert secrets.found_in(sent=tracker.text(), log=worker.text()) == []
