"""Authlib's Django client, as its documentation shows it, storing into one table."""

from __future__ import annotations

from datetime import UTC, datetime

from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_POST

from benchmarks.peers.models import HandWrittenToken

oauth = OAuth()
oauth.register(
    "stub",
    client_id=settings.CLIENT_ID,
    client_secret=settings.CLIENT_SECRET,
    access_token_url=f"{settings.STUB_URL}/token",
    authorize_url=f"{settings.STUB_URL}/authorize",
    api_base_url=f"{settings.STUB_URL}/",
    client_kwargs={"scope": "read write", "code_challenge_method": "S256"},
)


@login_required
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    redirect_uri = request.build_absolute_uri("/authlib/callback/")
    response: HttpResponse = oauth.stub.authorize_redirect(request, redirect_uri)
    return response


@login_required
def callback(request: HttpRequest) -> HttpResponse:
    token = oauth.stub.authorize_access_token(request)
    info = oauth.stub.get("userinfo", token=token).json()
    expires_at = datetime.fromtimestamp(token["expires_at"], UTC)
    HandWrittenToken.objects.update_or_create(
        uid=info["sub"],
        defaults={
            "user": request.user,
            "access_token": token["access_token"],
            "refresh_token": token["refresh_token"],
            "expires_at": expires_at,
        },
    )
    return redirect("/done/")


urlpatterns = [path("start/", start), path("callback/", callback)]
