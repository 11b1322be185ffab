"""Each permission alone: what its holder may open, send and see, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import pytest
from django.http import HttpResponse

from oauth_accounts.models import (
    AccountEvent,
    AuthorizationAttempt,
    ConnectedAccount,
    PendingRevocation,
    Provider,
    RefreshStatistic,
)
from oauth_accounts.testing.server import FakeProvider
from tests.admin.desk import ACCESS, REFRESH, Desk, url

pytestmark = pytest.mark.faces

MODELS = (
    Provider,
    ConnectedAccount,
    AccountEvent,
    AuthorizationAttempt,
    PendingRevocation,
    RefreshStatistic,
)
# Every permission that this app has, by what Django and the models say.
ALL = sorted(
    {
        f"{action}_{model._meta.model_name}"
        for model in MODELS
        for action in model._meta.default_permissions
    }
    | {codename for model in MODELS for codename, _name in model._meta.permissions}
)
LOOK = ("changelist", "change", "history")
# What opens (200) for the holder of one permission alone; all else is refused (403).
OPENS: dict[str, set[str]] = {
    "view_provider": {f"provider_{page}" for page in LOOK},
    "change_provider": {
        *(f"provider_{page}" for page in (*LOOK, "resume", "compare", "test")),
    },
    "add_provider": {"provider_add", "provider_issuer"},
    "delete_provider": {"provider_delete"},
    "view_connectedaccount": {f"connectedaccount_{page}" for page in LOOK},
    "delete_connectedaccount": {"connectedaccount_delete"},
    "delete_authorizationattempt": {"authorizationattempt_delete"},
    "delete_refreshstatistic": {"refreshstatistic_delete"},
    **{
        f"view_{kind}": {f"{kind}_{page}" for page in LOOK}
        for kind in (
            "accountevent",
            "authorizationattempt",
            "pendingrevocation",
            "refreshstatistic",
        )
    },
}
# What a refused click on a list does.
ACTIONS = {
    "refresh_connectedaccount": ["refresh_now"],
    "revoke_connectedaccount": ["revoke_selected"],
    "require_reauth_connectedaccount": ["require_reauth_selected"],
    "disable_connectedaccount": ["disable_selected", "enable_selected"],
}


@pytest.fixture
def rows(account: ConnectedAccount, server: FakeProvider) -> dict[str, Any]:
    """One row of each kind; the account's tokens are in the outbox too."""
    provider = account.provider
    provider.refresh_statistics.record("success")
    account.record_event("connected")
    attempt = AuthorizationAttempt.objects.create(
        state_hash="1",
        browser_hash="2",
        user=account.owner,
        provider=provider,
        client_id="c",
    )
    tokens = {
        name: getattr(account, name) for name in ("access_token", "refresh_token")
    }
    pending = account.pending_revocations.create(
        provider=provider, account_key=account.pk, **tokens
    )
    return {
        "provider": provider,
        "connectedaccount": account,
        "accountevent": AccountEvent.objects.get(),
        "authorizationattempt": attempt,
        "pendingrevocation": pending,
        "refreshstatistic": RefreshStatistic.objects.get(),
    }


def pages(rows: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Return name and address of every page that the admin has for this app."""
    for kind, row in rows.items():
        for page in ("changelist", "add"):
            yield f"{kind}_{page}", url(f"{kind}_{page}")
        for page in ("change", "history", "delete"):
            yield f"{kind}_{page}", url(f"{kind}_{page}", row.pk)
    yield "provider_issuer", url("provider_issuer")
    for page in ("resume", "compare", "test"):
        yield f"provider_{page}", url(f"provider_{page}", rows["provider"].pk)
    yield "health", url("health")


def opened(desk: Desk, rows: dict[str, Any]) -> dict[str, HttpResponse]:
    found = {name: desk.client.get(address) for name, address in pages(rows)}
    # Deleting what has accounts leads back to a page that says why.
    assert {r.status_code for r in found.values()} <= {200, 302, 403}
    return {name: r for name, r in found.items() if r.status_code != 403}


def buttons(response: HttpResponse) -> set[str]:
    """Return the names of what the page lets somebody send."""
    html = response.content.decode()
    names = ("_save", "_continue", "_addanother", "_saveasnew")
    return {name for name in names if f'name="{name}"' in html}


@pytest.mark.parametrize("permission", ALL)
def test_a5_4_b33_each_permission_alone(
    staff: Callable[..., Desk], rows: dict[str, Any], permission: str
) -> None:
    found = opened(staff(permission), rows)
    assert set(found) == OPENS.get(permission, set())
    secrets = [ACCESS, REFRESH, rows["provider"].reveal("client_secret").get_value()]
    for name, response in found.items():
        assert not [text for text in secrets if text in response.content.decode()]
        writes = {"provider_add": True, "provider_change": "change" in permission}
        assert bool(buttons(response)) == writes.get(name, False), name


@pytest.mark.parametrize("permission", [p for p in ALL if p != "change_provider"])
def test_a5_4_only_change_provider_changes_one(
    staff: Callable[..., Desk],
    rows: dict[str, Any],
    server: FakeProvider,
    permission: str,
) -> None:
    """Posts to every page; nothing of the provider changes, and nobody is called."""
    provider = rows["provider"]
    provider.pause(900, "rate_limited")
    desk = staff(permission)
    columns = [f.name for f in Provider._meta.concrete_fields]
    before = Provider.objects.filter(pk=provider.pk).values(*columns).get()
    for page in ("change", "resume", "compare", "test"):
        response = desk.post(f"provider_{page}", provider.pk, name="Changed")
        assert response.status_code == 403
    assert Provider.objects.filter(pk=provider.pk).values(*columns).get() == before
    assert server.requests == []


@pytest.mark.parametrize("permission", ALL)
def test_a6_6_only_their_own_permission_runs_the_actions(
    staff: Callable[..., Desk],
    rows: dict[str, Any],
    server: FakeProvider,
    permission: str,
) -> None:
    account = rows["connectedaccount"]
    desk = staff(*{permission, "view_connectedaccount"})
    offered = {
        option["value"]
        for select in desk.page("connectedaccount_changelist").find_all(
            "select", attrs={"name": "action"}
        )
        for option in select.find_all("option")
        if option["value"]
    }
    own = ACTIONS.get(permission, [])
    deletes = permission == "delete_connectedaccount"
    assert offered == {*own} | ({"delete_selected"} if deletes else set())
    for action in {*chain(*ACTIONS.values())} - {*own}:
        desk.act(action, account, confirmed="yes")
        account.refresh_from_db()
        assert account.status == "active"
        assert server.requests == []
    if own:
        desk.act(own[0], account, confirmed="yes")
        account.refresh_from_db()
        touched = bool(server.token_requests) or account.status != "active"
        assert touched


@pytest.mark.parametrize("permission", ACTIONS)
def test_a6_6_an_action_needs_its_list(
    staff: Callable[..., Desk],
    rows: dict[str, Any],
    server: FakeProvider,
    permission: str,
) -> None:
    """Without the permission to view, there is nothing to choose accounts from."""
    desk = staff(permission)
    account = rows["connectedaccount"]
    response = desk.act(ACTIONS[permission][0], account, confirmed="yes")
    assert response.status_code == 403
    account.refresh_from_db()
    assert account.status == "active"
    assert server.requests == []


def test_a_user_who_is_no_staff_sees_nothing(
    staff: Callable[..., Desk], rows: dict[str, Any]
) -> None:
    desk = staff(*ALL)
    desk.user.is_staff = False
    desk.user.save()
    for _name, address in pages(rows):
        response = desk.client.get(address)
        assert response.status_code == 302
        assert "/login/" in response["Location"]
