"""The pages of whichever library is installed in this process."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def done(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


urlpatterns = [path("admin/", admin.site.urls), path("done/", done)]
if "ours" in settings.CHOSEN:
    urlpatterns.append(path("ours/", include("oauth_accounts.urls")))
if "allauth" in settings.CHOSEN:
    urlpatterns.append(path("allauth/", include("allauth.urls")))
if "social" in settings.CHOSEN:
    urlpatterns.append(path("social/", include("social_django.urls")))
if "authlib" in settings.CHOSEN:
    urlpatterns.append(path("authlib/", include("benchmarks.peers.authlib_views")))
if "floor" in settings.CHOSEN:
    urlpatterns.append(path("floor/", include("benchmarks.peers.floor_views")))
