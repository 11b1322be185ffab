"""Pages of the client site that use a connected account."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import requests
from django.contrib.auth import get_user_model
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.views.generic import TemplateView

from example_project.site import logins
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount

PROVIDER = "engine-notes"


class HomeView(TemplateView):
    """Say what there is to see, and the log-ins, which are no secrets here."""

    template_name = "site/home.html"
    extra_context = {"logins": logins}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        member = get_user_model().objects.filter(username=logins.MEMBER)
        return super().get_context_data(has_demo_data=member.exists(), **kwargs)


class NotesView(LoginRequiredMixin, TemplateView):
    """Show what the provider's API answers for the user's account."""

    template_name = "site/notes.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        accounts = request.user.connected_accounts.select_related("provider")
        account = (
            accounts.filter(provider__slug=PROVIDER).order_by("-created_at").first()
        )
        context = {"account": account} if account is None else call_api(account)
        status = HTTPStatus.BAD_GATEWAY if "problem" in context else HTTPStatus.OK
        return self.render_to_response(self.get_context_data(**context), status=status)


def call_api(account: ConnectedAccount) -> dict[str, Any]:
    """Return what the page shows: the answer of the API, or the problem."""
    context: dict[str, Any] = {"account": account}
    try:
        # Here is all there is to it: the token is fresh, whenever this runs.
        response = account.session().get("notes/")
        response.raise_for_status()
        return context | {"answer": json.dumps(response.json(), indent=2)}
    except OAuthAccountsError as error:
        # Says what to do: retry, reauth, configure or none.
        return context | {"problem": str(error), "recovery": error.recovery}
    except requests.RequestException as error:
        return context | {"problem": f"The API failed: {type(error).__name__}."}
