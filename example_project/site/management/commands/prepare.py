"""`prepare`: make the client site ready to serve."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand

from example_project.site import logins


class Command(BaseCommand):
    help = (
        "Migrates, which makes the provider of the settings too, and makes the two "
        "users; may be repeated."
    )
    # There is nothing to check before the first migration.
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        make_user(logins.USER, logins.PASSWORD)
        make_user(logins.ADMIN, logins.ADMIN_PASSWORD, is_staff=True, is_superuser=True)
        self.stdout.write(f"Log in as {logins.USER!r} or {logins.ADMIN!r}.")


def make_user(username: str, password: str, **flags: Any) -> None:
    """Make the user, or give it its documented password again."""
    email = f"{username}@site.example"
    user, _ = get_user_model().objects.update_or_create(
        username=username, defaults={"email": email, **flags}
    )
    if not user.check_password(password):
        user.set_password(password)
        user.save()
