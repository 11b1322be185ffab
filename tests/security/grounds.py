"""Every session backend of Django, and on one of them each kind of provider."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.backends import file
from django.core.cache import caches

from tests import services
from tests.security.stage import KINDS

LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
REDIS = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": services.REDIS_URL,
}
# Sessions that a test leaves in Redis go by themselves after so many seconds.
SESSION_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a test of the flow stands on."""

    sessions: str
    """Module of django.contrib.sessions.backends."""
    cache: dict[str, Any] | None = None
    """The default cache, where the backend uses one."""
    kind: str = "plain"
    """Key in KINDS of the providers."""


IN_THE_DATABASE = Ground(sessions="db")
# Whatever the database has to do with it, was seen on the ground before.
ELSEWHERE = {
    "cached_db": Ground(sessions="cached_db", cache=LOCMEM),
    "cache": Ground(sessions="cache", cache=LOCMEM),
    "file": Ground(sessions="file"),
    "signed_cookies": Ground(sessions="signed_cookies"),
}
ON_REDIS = Ground(sessions="cache", cache=REDIS)
# Sessions that no database keeps are tried beside one database only.
BACKENDS = [
    pytest.param(IN_THE_DATABASE, id="db"),
    *(
        pytest.param(one, id=name, marks=pytest.mark.sqlite)
        for name, one in ELSEWHERE.items()
    ),
    pytest.param(
        ON_REDIS, id="cache on redis", marks=[pytest.mark.redis, pytest.mark.sqlite]
    ),
]
OTHER_KINDS = [
    pytest.param(Ground(sessions="db", kind=name), id=name, marks=pytest.mark.sqlite)
    for name in KINDS
    if name != "plain"
]


def prepare(ground: Ground, settings: Any, folder: Path, monkeypatch: Any) -> None:
    """Let sessions be kept there. folder: an empty one, for files."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{ground.sessions}"
    settings.SESSION_COOKIE_AGE = SESSION_SECONDS
    # Kept on the class by whoever asks first.
    monkeypatch.setattr(file.SessionStore, "_storage_path", str(folder), raising=False)
    if ground.cache is not None:
        settings.CACHES = {"default": {**ground.cache, "KEY_PREFIX": folder.name}}


def put_away(ground: Ground) -> None:
    """End what holds sockets."""
    if ground is ON_REDIS:
        for pool in caches["default"]._cache._pools.values():
            pool.disconnect()
