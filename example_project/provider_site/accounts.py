"""Whom and what the authorization server knows: its demo user and its client."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management import call_command
from oauth2_provider.models import Application

from example_project.provider_site.logins import DEMO_PASSWORD, DEMO_USER


def prepare(client_id: str, client_secret: str, redirect_uri: str) -> Application:
    """
    Migrate, make the demo user and register the client; nothing is made twice.

    redirect_uri: the one address the client may send users back to, compared exactly.
    Raises ValidationError when the toolkit refuses the client's data.
    """
    call_command("migrate", interactive=False, verbosity=0)
    make_demo_user()
    return register_client(client_id, client_secret, redirect_uri)


def make_demo_user() -> AbstractUser:
    """Return the demo user, whose password is the documented one again."""
    user, _ = get_user_model().objects.get_or_create(username=DEMO_USER)
    user.first_name, user.last_name = "Ada", "Lovelace"
    user.email = "ada@provider.example"
    if not user.check_password(DEMO_PASSWORD):
        user.set_password(DEMO_PASSWORD)
    user.save()
    return user


def register_client(
    client_id: str, client_secret: str, redirect_uri: str
) -> Application:
    """Return the confidential client, made or brought up to date."""
    try:
        client = Application.objects.get(client_id=client_id)
    except Application.DoesNotExist:
        client = Application(client_id=client_id)
    client.name = "Example site"
    client.client_type = Application.CLIENT_CONFIDENTIAL
    client.authorization_grant_type = Application.GRANT_AUTHORIZATION_CODE
    client.redirect_uris = redirect_uri
    client.algorithm = Application.RS256_ALGORITHM
    client.skip_authorization = False
    # Saving replaces the plain secret by its hash.
    client.client_secret = client_secret
    client.full_clean()
    client.save()
    return client
