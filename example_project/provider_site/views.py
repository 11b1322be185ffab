"""Pages for the user, and the API that access tokens open."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.generic import TemplateView, View
from oauth2_provider.decorators import protected_resource
from oauth2_provider.models import Application, RefreshToken
from oauth2_provider.settings import oauth2_settings
from oauth2_provider.views import AuthorizationView as BaseAuthorizationView

NOTES = (
    "The engine weaves algebraic patterns.",
    "Note G: the numbers of Bernoulli, step by step.",
    "Ask Mr Babbage about the punched cards.",
)


class HomeView(TemplateView):
    """Show who is logged in and which applications have access."""

    template_name = "provider_site/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        clients = Application.objects.none()
        if self.request.user.is_authenticated:
            clients = Application.objects.filter(
                refreshtoken__user=self.request.user, refreshtoken__revoked=None
            ).distinct()
        return super().get_context_data(clients=clients, **kwargs)


class AuthorizationView(BaseAuthorizationView):
    """Ask the user, and name the issuer in refusals too, where the toolkit does not."""

    def redirect(self, redirect_to: str, application: Any) -> HttpResponse:
        query = parse_qs(urlsplit(redirect_to).query)
        if "error" in query and "iss" not in query:
            # RFC 9207 section 2: in every authorization response.
            issuer = oauth2_settings.oidc_issuer(self.request)
            redirect_to += "&" + urlencode({"iss": issuer})
        return super().redirect(redirect_to, application)


class WithdrawView(LoginRequiredMixin, View):
    """End every grant the user has given to an application."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        client = get_object_or_404(Application, pk=pk)
        for token in RefreshToken.objects.filter(
            user=request.user, application=client, revoked=None
        ):
            token.revoke()
        return redirect("home")


# The challenge that `advertise_metadata` adds is what makes the answer to a dead token
# a 401 (RFC 6750 section 3.1); the toolkit's plain answer is a 403 without a reason.
@require_safe
@never_cache
@protected_resource(scopes=["profile"], advertise_metadata=True)
def userinfo(request: HttpRequest) -> JsonResponse:
    user = request.resource_owner
    return JsonResponse(
        {
            # A key that stays when the user changes name or address.
            "sub": str(user.pk),
            "preferred_username": user.get_username(),
            "name": user.get_full_name(),
            "email": user.email,
        }
    )


@require_safe
@never_cache
@protected_resource(scopes=["profile"], advertise_metadata=True)
def me(request: HttpRequest) -> JsonResponse:
    user = request.resource_owner
    return JsonResponse({"username": user.get_username(), "name": user.get_full_name()})


@require_safe
@never_cache
@protected_resource(scopes=["notes"], advertise_metadata=True)
def notes(request: HttpRequest) -> JsonResponse:
    found = [{"id": number, "text": text} for number, text in enumerate(NOTES, 1)]
    return JsonResponse(
        {"owner": request.resource_owner.get_username(), "notes": found}
    )
