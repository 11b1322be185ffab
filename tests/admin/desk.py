"""Where an administrator sits: pages of the admin and their forms, as browsers send them."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from oauth_accounts.models import Provider

ACCESS, REFRESH = "secret-access-token-7f3a", "secret-refresh-token-9b1c"
CSRF = "a" * 32


class Desk:
    """
    A client of the admin.

    user: logged in.
    """

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user)

    def get(self, name: str, /, *args: Any, **data: Any) -> HttpResponse:
        """Open a page. name: of the admin URL, without the app's label."""
        return self.client.get(url(name, *args), data)

    def page(self, name: str, /, *args: Any, **data: Any) -> BeautifulSoup:
        response = self.get(name, *args, **data)
        assert response.status_code == 200, response.status_code
        return BeautifulSoup(response.content, "html.parser")

    def post(self, name: str, /, *args: Any, **data: Any) -> HttpResponse:
        """Send a form and go where it leads."""
        self.client.cookies["csrftoken"] = CSRF
        data["csrfmiddlewaretoken"] = CSRF
        return self.client.post(url(name, *args), data, follow=True)

    def submit(self, name: str, /, *args: Any, **changes: Any) -> HttpResponse:
        """Open a page and send its form with changes; None leaves an input out."""
        form = self.page(name, *args).find(
            "form", id=f"{name.split('_', maxsplit=1)[0]}_form"
        )
        data = {**form_data(form), **changes}
        data = {key: value for key, value in data.items() if value is not None}
        return self.post(name, *args, **data)

    def act(self, action: str, *accounts: Any, **data: Any) -> HttpResponse:
        """Run an action of the list of accounts; `confirmed="yes"` skips the question."""
        keys = [str(account.pk) for account in accounts]
        data = {"action": action, "_selected_action": keys, **data}
        return self.post("connectedaccount_changelist", **data)


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:oauth_accounts_{name}", args=args)


def form_data(form: Any) -> dict[str, str]:
    """Return what a browser would send."""
    data = {}
    for field in form.find_all(["input", "select", "textarea"]):
        name, kind = field.get("name"), field.get("type")
        if not name or kind in {"submit", "button"}:
            continue
        if kind == "checkbox" and not field.has_attr("checked"):
            continue
        if field.name == "select":
            chosen = field.find("option", selected=True) or field.find("option")
            data[name] = chosen.get("value", "")
        elif field.name == "textarea":
            data[name] = field.get_text().strip()
        else:
            data[name] = field.get("value", "on" if kind == "checkbox" else "")
    return data


def messages(response: HttpResponse) -> list[str]:
    """Return the messages that the page shows."""
    return [str(message) for message in response.context["messages"]]


def errors(response: HttpResponse) -> dict[str, list[str]]:
    """Return the errors of the form that came back."""
    form = response.context["adminform"].form
    return {name: list(found) for name, found in form.errors.items()}


def secret_of(provider: Provider) -> str:
    """Return the client secret that is stored now."""
    provider.refresh_from_db()
    return provider.reveal("client_secret").get_value()
