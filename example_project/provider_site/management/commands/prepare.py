"""`prepare`: make the authorization server ready for one client."""

from __future__ import annotations

import os
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from example_project.provider_site import accounts, logins


class Command(BaseCommand):
    help = (
        "Migrates, makes the demo user and registers the client; may be repeated. "
        "The client's secret is taken from EXAMPLE_CLIENT_SECRET."
    )
    # There is nothing to check before the first migration.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--client-id", required=True)
        parser.add_argument("--redirect-uri", required=True)

    def handle(self, *, client_id: str, redirect_uri: str, **options: Any) -> None:
        client_secret = os.environ.get("EXAMPLE_CLIENT_SECRET", "")
        if not client_secret:
            raise CommandError("Set EXAMPLE_CLIENT_SECRET to the secret of the client.")
        try:
            accounts.prepare(client_id, client_secret, redirect_uri)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(
            f"Client {client_id} is registered. Log in as {logins.DEMO_USER!r} "
            f"with the password {logins.DEMO_PASSWORD!r}."
        )
