"""The suite's settings where organisations with UUID keys own the accounts."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as BASE_APPS

INSTALLED_APPS = [*BASE_APPS, "tests.organisations"]
OAUTH_ACCOUNTS_OWNER_MODEL = "organisations.Organisation"
OAUTH_ACCOUNTS_GET_OWNER = "tests.organisations.current.organisation_of"
