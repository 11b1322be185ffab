"""
The made-up providers of the demo data, all at /made-up/<slug>/.

They believe everything: any client, any code verifier, any refresh token. What they show is
what a client does with their answers. The real provider of the example is the rest of this
site.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.core import signing
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

LIFETIME = 3600
SALT = "made-up"


@never_cache
def authorize(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask which account it is, and send the browser back with a code or an error."""
    target = request.GET.get("redirect_uri", "")
    if urlsplit(target).hostname != "127.0.0.1":
        return HttpResponseBadRequest("Only this machine is sent back to.")
    if request.method != "POST":
        context = {
            "name": slug.replace("-", " ").title(),
            "scopes": request.GET.get("scope", "").split(),
        }
        return render(request, "provider_site/made_up.html", context)
    answer = {"state": request.GET.get("state", "")}
    if "allow" in request.POST:
        account = request.POST.get("account", "").strip() or "hedy"
        answer["code"] = signing.dumps([slug, account], salt=SALT)
    else:
        answer["error"] = "access_denied"
    return HttpResponseRedirect(f"{target}?{urlencode(answer)}")


@csrf_exempt
@never_cache
@require_POST
def token(request: HttpRequest, slug: str) -> JsonResponse:
    """Answer with tokens: for a code those of its account, for anything else new ones."""
    answer: dict[str, Any] = {"token_type": "Bearer", "expires_in": LIFETIME}
    if request.POST.get("grant_type") != "authorization_code":
        return JsonResponse(answer | {"access_token": secrets.token_urlsafe(24)})
    try:
        account = signing.loads(request.POST.get("code", ""), salt=SALT, max_age=60)
    except signing.BadSignature:
        return JsonResponse({"error": "invalid_grant"}, status=400)
    return JsonResponse(
        answer
        | {
            "access_token": signing.dumps(account, salt=SALT),
            "refresh_token": secrets.token_urlsafe(24),
        }
    )


@csrf_exempt
@require_POST
def revoke(request: HttpRequest, slug: str) -> HttpResponse:
    """Take every token back (RFC 7009)."""
    return HttpResponse()


@never_cache
@require_safe
def userinfo(request: HttpRequest, slug: str) -> JsonResponse:
    """Say whose token it is."""
    value = request.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        _, account = signing.loads(value, salt=SALT)
    except signing.BadSignature:
        return JsonResponse({"error": "invalid_token"}, status=401)
    return JsonResponse({"sub": account, "name": account})


urlpatterns = [
    path("<slug:slug>/authorize", authorize, name="made-up-authorize"),
    path("<slug:slug>/token", token),
    path("<slug:slug>/revoke", revoke),
    path("<slug:slug>/userinfo", userinfo),
]
