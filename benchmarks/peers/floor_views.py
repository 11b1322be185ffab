"""The least a project can write by hand: requests, a state and PKCE in the session."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import requests
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_POST

from benchmarks.peers.models import HandWrittenToken

CALLBACK = "http://testserver/floor/callback/"


@login_required
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    request.session["oauth"] = {"state": state, "verifier": verifier}
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": settings.CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "read write",
        "state": state,
        "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return redirect(f"{settings.STUB_URL}/authorize?{urlencode(query)}")


@login_required
def callback(request: HttpRequest) -> HttpResponse:
    saved = request.session.pop("oauth", None)
    if saved is None or saved["state"] != request.GET.get("state"):
        return HttpResponseBadRequest("state")
    token = requests.post(
        f"{settings.STUB_URL}/token",
        data={
            "grant_type": "authorization_code",
            "code": request.GET["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": saved["verifier"],
        },
        auth=(settings.CLIENT_ID, settings.CLIENT_SECRET),
        timeout=10,
    ).json()
    info = requests.get(
        f"{settings.STUB_URL}/userinfo",
        headers={"Authorization": f"Bearer {token['access_token']}"},
        timeout=10,
    ).json()
    HandWrittenToken.objects.create(
        user=request.user,
        uid=info["sub"],
        access_token=token["access_token"],
        refresh_token=token["refresh_token"],
        expires_at=datetime.now(UTC) + timedelta(seconds=token["expires_in"]),
    )
    return redirect("/done/")


urlpatterns = [path("start/", start), path("callback/", callback)]
