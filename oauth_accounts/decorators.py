"""Views that need a connected account."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from oauth_accounts.conf import conf
from oauth_accounts.models import ConnectedAccount, Provider

logger = logging.getLogger("oauth_accounts")

ViewFunction = Callable[..., HttpResponseBase]


def connection_required(
    slug: str, scopes: Sequence[str] = ()
) -> Callable[[ViewFunction], ViewFunction]:
    """
    Let a view be seen by those who have a usable account at a provider.

    slug: of the provider. scopes: permissions that must not be missing; where the provider
        does not say what it granted, none counts as missing.

    The newest such account of the owner is passed on as `request.connected_account`.
    Anybody else is sent to the page of connected accounts, which asks for the connection
    and leads back here; who is not logged in, to log in first. A request by POST leads to
    OAUTH_ACCOUNTS_SUCCESS_URL instead, because it cannot be returned to.
    """

    def decorate(view: ViewFunction) -> ViewFunction:
        @wraps(view)
        def wrapper(
            request: HttpRequest, *args: Any, **kwargs: Any
        ) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            account = _find(request, slug, scopes)
            if account is None:
                return _ask(request, slug, scopes)
            request.connected_account = account  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)

        return wrapper

    return decorate


def _find(
    request: HttpRequest, slug: str, scopes: Sequence[str]
) -> ConnectedAccount | None:
    owner = conf.OAUTH_ACCOUNTS_GET_OWNER(request)
    if owner is None or not request.user.is_active:
        # No owner would mean the accounts of the application itself.
        return None
    rows = ConnectedAccount.objects.for_owner(owner).provider(slug).usable()
    accounts = rows.select_related("provider", "owner").order_by("-created_at")
    return next((a for a in accounts if not a.missing_scopes(scopes)), None)


def _ask(
    request: HttpRequest, slug: str, scopes: Sequence[str]
) -> HttpResponseRedirect:
    _warn_of_endless_asking(slug, scopes)
    query = {"connect": slug}
    if request.method in {"GET", "HEAD"}:
        query["next"] = request.get_full_path()
    address = reverse("oauth_accounts:list")
    return HttpResponseRedirect(f"{address}?{urlencode(query)}")


def _warn_of_endless_asking(slug: str, scopes: Sequence[str]) -> None:
    provider = Provider.objects.filter(slug=slug).first()
    if provider is None:
        logger.error("A view requires a provider that does not exist: %s.", slug)
    elif missing := [scope for scope in scopes if scope not in provider.scopes]:
        logger.error(
            "A view requires scopes that provider %s is not set to ask for: %s.",
            slug,
            ", ".join(missing),
        )
