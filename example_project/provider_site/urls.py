"""Addresses of the authorization server, listed in the package's docstring."""

from __future__ import annotations

from django.contrib.auth import views as auth_views
from django.urls import include, path
from oauth2_provider import views as oauth_views
from oauth2_provider.urls import metadata_urlpatterns

from example_project.provider_site import made_up, views

# Only what the example needs: clients are registered by `prepare`, not over the web.
oauth_urlpatterns = [
    *metadata_urlpatterns,
    path("o/authorize/", views.AuthorizationView.as_view(), name="authorize"),
    path("o/token/", oauth_views.TokenView.as_view(), name="token"),
    path("o/revoke_token/", oauth_views.RevokeTokenView.as_view(), name="revoke-token"),
    path("o/jwks.json", oauth_views.JwksInfoView.as_view(), name="jwks-info"),
    path(
        ".well-known/openid-configuration",
        oauth_views.ConnectDiscoveryInfoView.as_view(),
        name="oidc-connect-discovery-info",
    ),
]

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("accounts/login/", auth_views.LoginView.as_view(), name="login"),
    path("accounts/logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("withdraw/<int:pk>/", views.WithdrawView.as_view(), name="withdraw"),
    path("api/userinfo/", views.userinfo, name="userinfo"),
    path("api/me/", views.me, name="me"),
    path("api/notes/", views.notes, name="notes"),
    path("made-up/", include(made_up.urlpatterns)),
    path("", include((oauth_urlpatterns, "oauth2_provider"))),
]
