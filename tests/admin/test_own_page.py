"""The frame of the app's own pages: the trail leads back within the site at hand."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin import AdminSite
from django.test import override_settings
from django.urls import include, path

from oauth_accounts.admin import ProviderAdmin
from oauth_accounts.models import Provider
from tests.admin.desk import Desk

pytestmark = pytest.mark.faces

office = AdminSite(name="office")
office.register(Provider, ProviderAdmin)

urlpatterns = [
    path("office/", office.urls),
    path("", include("tests.urls")),
]


@pytest.mark.parametrize("page", ["resume", "compare"])
class TestTrail:
    def test_it_leads_back_within_the_site(
        self, admin: Desk, provider: Provider, page: str
    ) -> None:
        with override_settings(ROOT_URLCONF=__name__):
            place = f"/office/oauth_accounts/provider/{provider.pk}"
            shown = soup(admin, f"{place}/{page}/")

        trail = shown.find(class_="breadcrumbs")
        assert [link["href"] for link in trail.find_all("a")] == [
            "/office/",
            "/office/oauth_accounts/",
            "/office/oauth_accounts/provider/",
            f"{place}/change/",
        ]
        links = shown.find(id="content").find_all("a")
        assert {link["href"] for link in links} == {f"{place}/change/"}

    def test_headings_and_style(
        self, admin: Desk, provider: Provider, page: str
    ) -> None:
        shown = admin.page(f"provider_{page}", provider.pk)

        headings = shown.find(id="content").find_all(["h1", "h2"])
        assert headings[1].get_text() == provider.name
        assert shown.find("title").get_text().startswith(provider.name)
        assert shown.find("link", href="/static/oauth_accounts/admin.css")


def soup(desk: Desk, address: str) -> BeautifulSoup:
    response = desk.client.get(address)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")
