"""Paths of the user's pages. The slug stands in the redirect URI given to providers."""

from __future__ import annotations

from django.urls import path

from oauth_accounts import views

app_name = "oauth_accounts"

urlpatterns = [
    path("", views.AccountListView.as_view(), name="list"),
    path("connect/<slug:slug>/", views.ConnectView.as_view(), name="connect"),
    path("callback/<slug:slug>/", views.CallbackView.as_view(), name="callback"),
    path(
        "reconnect/<uuid:account_id>/",
        views.ReconnectView.as_view(),
        name="reconnect",
    ),
    path(
        "disconnect/<uuid:account_id>/",
        views.DisconnectView.as_view(),
        name="disconnect",
    ),
]
