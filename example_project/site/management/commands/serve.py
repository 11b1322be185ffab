"""`serve`: run the client site on its port."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Serves on 127.0.0.1 and EXAMPLE_SITE_PORT until it is interrupted."

    def handle(self, **options: Any) -> None:
        # No reloader: its second process would outlive the one that a caller ends.
        address = f"127.0.0.1:{settings.PORT}"
        call_command("runserver", address, use_reloader=False)
