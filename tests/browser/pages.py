"""The pages that are looked at, and how each is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from example_project.site.seed.keys import account_key, provider_key
from tests.browser.sites import ADMIN, MEMBER, NEWCOMER, NOBODY, REGULAR, Sites

CONNECTED = "/accounts/connected/"
IN_ADMIN = "/admin/oauth_accounts"
OCTOFORGE = provider_key("octoforge")


@dataclass(frozen=True, kw_only=True)
class Page:
    """
    A page.

    name: of its tests and pictures. path: at the client site; "{provider}" stands for the
    address of the other one. who: looks at it. reach: what is done there, to get to one that
    has no address. status: of its answer.
    """

    name: str
    path: str
    who: str = ADMIN
    reach: Callable[[Any], None] | None = None
    status: int = 200

    def open(self, tab: Any, sites: Sites) -> None:
        """Open the page in a tab of somebody who is logged in as its `who`."""
        answer = tab.goto(sites.url(self.path.format(provider=sites.provider)))
        assert answer.status == self.status, f"{self.path} answered {answer.status}"
        if self.reach:
            self.reach(tab)


def action(name: str, *keys: Any) -> Callable[[Any], None]:
    """Return the steps to an admin action's confirm page: tick, choose, go."""

    def reach(tab: Any) -> None:
        for key in keys:
            tab.locator(f'input[name="_selected_action"][value="{key}"]').check()
        tab.locator('select[name="action"]').select_option(name)
        with tab.expect_navigation():
            tab.locator('button[name="index"]').first.click()

    return reach


def confirmed_action(name: str, *keys: Any) -> Callable[[Any], None]:
    """Return the steps to the result of an admin action: confirmed, too."""

    def reach(tab: Any) -> None:
        action(name, *keys)(tab)
        # What follows calls a provider: the old page stands there until it has answered.
        with tab.expect_navigation():
            tab.locator("#content form [type=submit]").first.click()

    return reach


# Too long to be looked at closely: a hundred rows take axe-core as long as all the rest.
LONG_PAGES = (
    Page(name="admin-accounts-all", path=f"{IN_ADMIN}/connectedaccount/"),
    Page(name="admin-events-all", path=f"{IN_ADMIN}/accountevent/"),
)

PAGES = (
    # The shell of the example
    Page(name="home", path="/", who=NOBODY),
    Page(name="login", path="/accounts/login/", who=NOBODY),
    Page(name="notes-empty", path="/notes/", who=NEWCOMER),
    # The user's pages
    Page(name="accounts", path=CONNECTED, who=REGULAR),
    Page(name="accounts-many", path=CONNECTED, who=MEMBER),
    Page(name="accounts-empty", path=CONNECTED, who=NEWCOMER),
    Page(name="accounts-wanted", path=f"{CONNECTED}?connect=octoforge", who=NEWCOMER),
    Page(
        name="result",
        path=f"{CONNECTED}callback/octoforge/?state=none&code=none",
        who=NEWCOMER,
        status=400,
    ),
    # The provider's side
    Page(name="provider-home", path="{provider}/", who=NOBODY),
    Page(name="provider-login", path="{provider}/accounts/login/", who=NOBODY),
    Page(
        name="made-up-consent",
        path="{provider}/made-up/octoforge/authorize"
        "?redirect_uri=http://127.0.0.1/&state=none&scope=repo:read",
        who=NOBODY,
    ),
    # The admin
    Page(name="admin-index", path="/admin/oauth_accounts/"),
    Page(name="admin-overview", path=f"{IN_ADMIN}/health/"),
    Page(
        name="admin-accounts",
        path=f"{IN_ADMIN}/connectedaccount/?provider__id__exact={OCTOFORGE}&q=hedy",
    ),
    Page(
        name="admin-accounts-filtered",
        path=f"{IN_ADMIN}/connectedaccount/?status__exact=needs_reauth&q=hedy",
    ),
    Page(
        name="admin-accounts-nothing",
        path=f"{IN_ADMIN}/connectedaccount/?q=nobody-has-this-name",
    ),
    *(
        Page(
            name=f"admin-account-{case}",
            path=f"{IN_ADMIN}/connectedaccount/{account_key(case)}/change/",
        )
        for case in (
            "active",
            "overdue",
            "reauth-invalid_grant",
            "revoked-unsupported",
            "undecryptable",
        )
    ),
    Page(
        name="admin-account-delete",
        path=f"{IN_ADMIN}/connectedaccount/{account_key('active')}/delete/",
    ),
    Page(
        name="admin-refresh",
        path=f"{IN_ADMIN}/connectedaccount/?q=hedy",
        reach=action("refresh_now", account_key("active"), account_key("retrying")),
    ),
    Page(
        name="admin-revoke",
        path=f"{IN_ADMIN}/connectedaccount/?q=hedy",
        reach=action("revoke_selected", account_key("active"), account_key("long")),
    ),
    *(
        Page(
            name=f"admin-{name}",
            path=f"{IN_ADMIN}/connectedaccount/?q=hedy",
            reach=action(f"{name}_selected", account_key("active")),
        )
        for name in ("require_reauth", "disable", "enable", "delete")
    ),
    Page(
        name="admin-account-disable",
        path=f"{IN_ADMIN}/connectedaccount/{account_key('active')}/act/disable/",
    ),
    Page(name="admin-bulk-actions", path=f"{IN_ADMIN}/bulkaction/"),
    Page(
        name="admin-bulk-action",
        path=f"{IN_ADMIN}/connectedaccount/?q=hedy",
        reach=confirmed_action(
            "refresh_now", account_key("unused"), account_key("overdue")
        ),
    ),
    Page(name="admin-providers", path=f"{IN_ADMIN}/provider/"),
    Page(name="admin-provider-add", path=f"{IN_ADMIN}/provider/add/"),
    Page(name="admin-provider-issuer", path=f"{IN_ADMIN}/provider/add/issuer/"),
    Page(name="admin-provider-test", path=f"{IN_ADMIN}/provider/{OCTOFORGE}/test/"),
    Page(
        name="admin-provider-compare",
        path=f"{IN_ADMIN}/provider/{OCTOFORGE}/compare/",
    ),
    *(
        Page(
            name=f"admin-provider-{slug}",
            path=f"{IN_ADMIN}/provider/{provider_key(slug)}/change/",
        )
        for slug in ("octoforge", "ledgerline", "new-wiki", "moving-maps")
    ),
    Page(
        name="admin-provider-resume",
        path=f"{IN_ADMIN}/provider/{provider_key('ledgerline')}/resume/",
    ),
    Page(
        name="admin-provider-delete",
        path=f"{IN_ADMIN}/provider/{OCTOFORGE}/delete/",
    ),
    Page(name="admin-events", path=f"{IN_ADMIN}/accountevent/?kind__exact=rejected"),
    Page(name="admin-notices", path=f"{IN_ADMIN}/notice/"),
    Page(name="admin-revocations", path=f"{IN_ADMIN}/pendingrevocation/"),
    Page(name="admin-attempts", path=f"{IN_ADMIN}/authorizationattempt/"),
    Page(
        name="admin-statistics",
        path=f"{IN_ADMIN}/refreshstatistic/?result=rate_limited",
    ),
)
