"""The suite's settings where a custom user model owns the accounts."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as BASE_APPS

INSTALLED_APPS = [*BASE_APPS, "tests.people"]
AUTH_USER_MODEL = "people.Person"
