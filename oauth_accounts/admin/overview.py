"""
Connected accounts health: the admin's overview, in the place of a list of one row.

An entry of its own in the app's section, on any AdminSite. It changes nothing, and costs
the same few queries whatever the number of accounts and providers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.views.decorators.http import require_safe

from oauth_accounts.admin import attention, chart, figures
from oauth_accounts.admin.links import Links
from oauth_accounts.admin.own_page import own_page
from oauth_accounts.health import census, day, outbox, providers
from oauth_accounts.health.report import Report
from oauth_accounts.models import Health

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Health]
else:
    _ModelAdmin = admin.ModelAdmin

NEEDED = ("oauth_accounts.view_connectedaccount", "oauth_accounts.view_provider")


@admin.register(Health)
class HealthAdmin(_ModelAdmin):
    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_active and request.user.has_perms(NEEDED)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.changelist_view)
        # By the second name the index and the sidebar find it.
        return [
            path("", view, name="oauth_accounts_health"),
            path("", view, name="oauth_accounts_health_changelist"),
        ]

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """Show how things stand."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = read()
        links = Links(request, self.admin_site)
        return own_page(
            request,
            self,
            "overview.html",
            title=capfirst(self.opts.verbose_name_plural),
            report=report,
            links=links,
            items=attention.items(report, links),
            statuses=figures.statuses(report, links),
            rows=figures.providers(report, links),
            hidden=figures.hidden(report),
            keys=figures.keys(report),
            work=figures.work(report, links),
            method=figures.method(report),
            chart=chart.draw(report.day),
            failures=figures.failures(report, links),
            **(extra_context or {}),
        )


def read() -> Report:
    """Ask the database for everything that the page shows."""
    register = providers.read()
    keys = register.keys()
    return Report(
        register=register,
        census=census.take(keys, register.now),
        day=day.read(keys, register.now),
        outbox=outbox.read(),
    )
