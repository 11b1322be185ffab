"""
The whole life of an account, and then a search for its secrets wherever they could be.

Tokens, code, state, verifier and client secret are looked for raw, quoted, in base64 and in
hex: in every row of every table, in all log records at DEBUG, in the pages of users and
administrators with their headers and cookies, in mails, and in Celery messages.
"""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from celery import Celery, current_app
from celery._state import _set_current_app
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from oauth_accounts import notices, outbox, sweep, tasks
from oauth_accounts.conf import NOTICES
from oauth_accounts.exceptions import ProviderUnavailable
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.testing.wire import Answer
from tests.brokers import configure
from tests.leaks.markers import disguises, dump, find


@pytest.fixture
def messages(tmp_path):
    """Bodies and headers of what is sent to the broker."""
    before = current_app._get_current_object()
    app = configure(Celery("leaks"), f"filesystem://{tmp_path}")
    app.set_current()
    yield lambda: "".join(p.read_text() for p in (tmp_path / "queue").iterdir())
    app.close()
    _set_current_app(before)


class Reader:
    """A browser that keeps whatever it was answered."""

    def __init__(self, user):
        self.client = Client()
        self.client.force_login(user)
        self.seen = []

    def keep(self, response):
        self.seen.append(repr((response.headers, response.cookies, response.content)))
        return response

    def get(self, url):
        return self.keep(self.client.get(url))

    def post(self, url, data=None):
        return self.keep(self.client.post(url, data or {}))


def admin_pages(account, reader):
    for model in ("provider", "connectedaccount", "authorizationattempt"):
        assert (
            reader.get(reverse(f"admin:oauth_accounts_{model}_changelist")).status_code
            == 200
        )
    for obj in (account, account.provider, account.authorization_attempts.first()):
        if obj is None:
            continue
        name = f"admin:oauth_accounts_{obj._meta.model_name}"
        for page in ("change", "history", "delete"):
            reader.get(reverse(f"{name}_{page}", args=[obj.pk]))


def connect(user, server, secrets):
    """Connect, once refused and then well; return the account."""
    for mishap in ([Answer(status=400, json={"error": "invalid_grant"})], []):
        start = user.client.post(reverse("oauth_accounts:connect", args=["fake"]))
        back = server.authorize(start["Location"])
        secrets.add(parse_qs(urlsplit(start["Location"]).query)["state"][0])
        secrets.add(parse_qs(urlsplit(back).query)["code"][0])
        server.script(*mishap)
        user.get(back)
        secrets.add(server.token_requests[-1].form["code_verifier"])
    return ConnectedAccount.objects.get()


def use(account, server):
    """Call the API, refresh in the background, fail once; return what was shown of it."""
    account.session().get("me")
    ConnectedAccount.objects.update(refresh_due_at=account.created_at)
    assert sweep.run().refreshed == 1
    server.script(Answer(status=503, body=f"echo {server.client_secret}"))
    account.reload()
    with pytest.raises(ProviderUnavailable) as caught:
        account.refresh()
    error = caught.value
    return repr((error, vars(error), account, vars(account))) + str(error)


@pytest.fixture
def readers(transactional_db):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return {
        "user's pages": Reader(User.objects.create_user("ada", "ada@example.com")),
        "admin": Reader(User.objects.create_superuser("root")),
        "viewer's admin": Reader(viewer),
    }


def test_c3_a8_1_no_secret_has_a_way_out(
    server, log, messages, settings, readers, mailoutbox
):
    settings.OAUTH_ACCOUNTS_BASE_URL = "http://testserver"
    settings.OAUTH_ACCOUNTS_NOTICES = NOTICES
    Provider.objects.create(slug="fake", **server.as_provider_fields())
    user, admin, viewer = readers.values()
    secrets = {server.client_secret}
    account = connect(user, server, secrets)
    places = {"objects": use(account, server)}
    for reader in (admin, viewer):
        admin_pages(account, reader)
    user.get(reverse("oauth_accounts:list"))
    assert tasks.enqueue(tasks.refresh_account, str(account.pk))
    user.post(reverse("oauth_accounts:disconnect", args=[account.pk]))
    places["database before delivery"] = dump()
    outbox.deliver_due()
    assert notices.deliver_due().sent == 2
    admin_pages(ConnectedAccount.objects.get(), admin)
    account.delete()

    for grant in server.grants:
        secrets.update(grant.access_tokens + grant.refresh_tokens)
    places |= {name: "".join(reader.seen) for name, reader in readers.items()}
    places |= {"database": dump(), "log": "\n".join(log), "messages": messages()}
    places["mails"] = "".join(str(mail.message()) for mail in mailoutbox)
    assert len(secrets) >= 9
    assert all(places.values())
    assert find(secrets, places) == []


def test_the_search_finds_what_is_there():
    for disguise in disguises("at-secret/1"):
        assert find({"at-secret/1"}, {"log": f"before {disguise} after"})


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "1", "22", "333", "a:"])
def test_the_search_finds_it_in_the_midst_of_base64(encode, before):
    text = encode(f"{before}at-secret?/1>behind".encode()).decode()
    assert find({"at-secret?/1>"}, {"header": f"Basic {text}"})
    assert find({"at-secret?/2>"}, {"header": f"Basic {text}"}) == []
