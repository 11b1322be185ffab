"""Addresses of the client site."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path

from example_project.site import views

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("notes/", views.NotesView.as_view(), name="notes"),
    path("accounts/login/", auth_views.LoginView.as_view(), name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("accounts/connected/", include("oauth_accounts.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
