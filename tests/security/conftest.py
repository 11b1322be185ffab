"""The stage, and the session backends and kinds of provider that it is played on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from oauth_accounts.testing.server import FakeProvider
from tests.security import grounds
from tests.security.grounds import Ground
from tests.security.stage import Stage, provider_row
from tests.views.browser import Browser


@pytest.fixture
def as1() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def as2() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def kind() -> str:
    """Key in KINDS of both providers; modules about the flow run on each."""
    return "plain"


@pytest.fixture
def stage(
    transactional_db: None,
    caplog: Any,
    as1: FakeProvider,
    as2: FakeProvider,
    kind: str,
) -> Stage:
    for name, server in (("as1", as1), ("as2", as2)):
        provider_row(server, name, kind)
    people = get_user_model().objects
    users = [
        people.create_user(name, email=f"{name}@provider.example")
        for name in ("anna", "bert")
    ]
    a, b, x = (Browser(user, as1) for user in (*users, None))
    caplog.set_level("DEBUG")
    return Stage(as1=as1, as2=as2, a=a, b=b, x=x, log=lambda: str(caplog.text))


@pytest.fixture
def ground(
    request: Any, settings: Any, tmp_path: Path, monkeypatch: Any
) -> Iterator[Ground]:
    """For modules about the flow, which name the grounds they are played on."""
    grounds.prepare(request.param, settings, tmp_path, monkeypatch)
    yield request.param
    grounds.put_away(request.param)
