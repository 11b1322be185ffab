"""
Settings of processes whose errors go to sentry-sdk, told to say all it can.

TEST_ENVELOPES: file that gets what would be sent. TEST_MINTED: file that gets every state,
verifier and cookie. TEST_SITE: address of the site. TEST_SCRUB: 1, to scrub as documented.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from oauth_accounts.contrib.sentry import scrub
from tests import settings

for name in dir(settings):
    if name.isupper():
        globals()[name] = getattr(settings, name)

OAUTH_ACCOUNTS_BASE_URL = os.environ["TEST_SITE"]
MIDDLEWARE = ["tests.leaks.breaking.break_on_demand", *settings.MIDDLEWARE]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": "DEBUG"},
}


class Recorder(Transport):
    """Writes to a file what would be sent."""

    def capture_envelope(self, envelope: Envelope) -> None:
        with Path(os.environ["TEST_ENVELOPES"]).open("ab") as file:
            file.write(envelope.serialize() + b"\n")


def _remember(mint: Any) -> Any:
    def minted(nbytes: int | None = None) -> str:
        made: str = mint(nbytes)
        with Path(os.environ["TEST_MINTED"]).open("a") as file:
            file.write(f"{made}\n")
        return made

    return minted


secrets.token_urlsafe = _remember(secrets.token_urlsafe)

hook = scrub if os.environ.get("TEST_SCRUB") == "1" else None
sentry_sdk.init(
    dsn="http://public@127.0.0.1:9/1",
    transport=Recorder,
    integrations=[
        DjangoIntegration(),
        CeleryIntegration(),
        LoggingIntegration(level=logging.DEBUG, event_level=logging.WARNING),
    ],
    attach_stacktrace=True,
    before_send=hook,
    before_send_transaction=hook,
    include_local_variables=True,
    max_breadcrumbs=500,
    max_request_body_size="always",
    send_default_pii=True,
    traces_sample_rate=1.0,
)
