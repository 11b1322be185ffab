"""B3, B6: no setting, variable of the environment or column of a provider opens the door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import models
from django.db.models import F
from django.test import override_settings

from oauth_accounts.conf import Settings
from oauth_accounts.models import AccountEvent, AuthorizationAttempt, Provider
from tests.security.stage import KINDS, Stage, account_rows, changed, elsewhere

pytestmark = pytest.mark.faces

NAMES = [name for name in vars(Settings) if name.startswith("OAUTH_ACCOUNTS_")]
# Of every type; off, to whoever only asks whether it is true.
NONSENSE = (True, False, None, 0, -1, "", "off", "*", [], {})
EXTREMES: dict[str, tuple[Any, ...]] = {
    "OAUTH_ACCOUNTS_ATTEMPT_TTL": (1, 10**9),
    "OAUTH_ACCOUNTS_CALLS_PER_PROVIDER": (0, 1, 10**9),
    "OAUTH_ACCOUNTS_BASE_URL": ("http://evil.example",),
    "OAUTH_ACCOUNTS_HTTP_TIMEOUT": (0.001, 10**9),
    "OAUTH_ACCOUNTS_PRIVATE_HOSTS": (["0.0.0.0/0", "::/0", "*"],),
    "OAUTH_ACCOUNTS_SUCCESS_URL": ("https://evil.example/",),
}
# The table was made for this owner once, and the models were loaded with it.
FIXED = {"OAUTH_ACCOUNTS_OWNER_MODEL"}
VARIABLES = (
    "OAUTHLIB_INSECURE_TRANSPORT",
    "OAUTHLIB_IGNORE_SCOPE_CHANGE",
    "OAUTHLIB_RELAX_TOKEN_SCOPE",
    "OAUTHLIB_STRICT_TOKEN_TYPE",
    "PYTHONHTTPSVERIFY",
)
# What every row has to have, and what the attacks themselves are told apart by.
NEEDED = {"id", "slug", "client_id", "issuer", "authorization_endpoint"}
OFF: dict[type, tuple[Any, ...]] = {
    models.BooleanField: (True, False),
    models.CharField: ("off", "no_state"),
    models.JSONField: ({}, {"state": "off"}, []),
}


def attacks(stage: Stage) -> Iterator[Callable[[], Any]]:
    """Make an attack of each kind ready; it is let go when the door has been changed."""
    late = stage.way_back(stage.a)
    past = F("created_at") - timedelta(seconds=1)
    AuthorizationAttempt.objects.update(expires_at=past)
    yield partial(stage.reject, stage.a, late)
    yield partial(stage.reject, stage.a, changed(late, state=None))
    yield partial(stage.reject, stage.a, changed(late, state="x" * 43))
    for browser in (stage.b, stage.x, stage.second_browser("anna")):
        yield partial(stage.reject, browser, stage.way_back(stage.a))
    for change in (
        partial(elsewhere, slug="as2"),
        partial(changed, iss="https://other.example"),
        partial(changed, access_token="token-out-of-a-browser"),
    ):
        yield partial(stage.reject, stage.a, change(stage.way_back(stage.a)))


def let_go(stage: Stage, ready: list[Callable[[], Any]]) -> None:
    """Let attacks go that may end in a crash (see the checks), and in nothing else."""
    rows, calls = account_rows(), len(stage.as1.requests)
    for go in ready:
        with suppress(TypeError, ValueError):
            go()
    assert account_rows() == rows
    assert len(stage.as1.requests) == calls
    assert stage.as2.requests == []


@pytest.mark.parametrize("name", sorted({*NAMES} - FIXED))
def test_b3_no_setting_is_a_switch(stage: Stage, name: str) -> None:
    for value in EXTREMES.get(name, ()):
        ready = [*attacks(stage)]
        with override_settings(**{name: value}):
            for go in ready:
                go()
    for value in NONSENSE:
        ready = [*attacks(stage)]
        with override_settings(**{name: value}):
            let_go(stage, ready)


@pytest.mark.parametrize("debug", [True, False])
def test_b3_nor_are_variables_and_debug(
    stage: Stage, debug: bool, monkeypatch: Any
) -> None:
    for value in ("1", "0", ""):
        ready = [*attacks(stage)]
        for name in VARIABLES:
            monkeypatch.setenv(name, value)
        with override_settings(DEBUG=debug):
            for go in ready:
                go()


def switches() -> Iterator[tuple[str, Any]]:
    for field in Provider._meta.concrete_fields:
        for value in OFF.get(type(field), ()):
            if field.name not in NEEDED:
                is_text = isinstance(value, str)
                yield field.name, value[: field.max_length] if is_text else value


def test_b3_b6_no_column_of_a_provider_is_a_switch(stage: Stage) -> None:
    assert ("quirk", "no_state") in list(switches())
    rows = Provider.objects.filter(slug="as1")
    for name, value in switches():
        before = rows.values(name).get()
        ready = [*attacks(stage)]
        rows.update(**{name: value})
        for go in ready:
            go()
        rows.update(**before)
        # So that there is room for the next ones in this minute.
        AccountEvent.objects.all().delete()


@pytest.mark.parametrize("kind", KINDS)
def test_b6_every_kind_of_provider_has_a_state(stage: Stage, kind: str) -> None:
    for go in list(attacks(stage))[:6]:
        go()
