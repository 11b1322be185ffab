"""The user's pages: what is connected, connect, reconnect, disconnect, and the way back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.generic import View

from oauth_accounts import advice, cards, connect, pages, reasons
from oauth_accounts.conf import conf
from oauth_accounts.exceptions import OAuthAccountsError
from oauth_accounts.models import ConnectedAccount, Provider
from oauth_accounts.models.provider import missing_configuration

# Everything that can go wrong on the way, apart from bugs.
FAILURES = (OAuthAccountsError, ImproperlyConfigured)


# MemberMixin asks for the log-in itself. LoginRequiredMiddleware would put the code of a
# callback into the address of the log-in page.
@method_decorator(login_not_required, name="dispatch")
class PageMixin(View):
    """
    A view whose answers are neither cached nor framed, and which shows its own errors.

    referrer_policy: of every answer. result_template: shown when something went wrong.
    """

    referrer_policy = "no-referrer"
    result_template = "oauth_accounts/result.html"

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        try:
            response = self.get_response(request, *args, **kwargs)
        except FAILURES as error:
            response = self.refuse(error)
        return pages.protect(response, self.referrer_policy)

    def get_response(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Handle the request; what is raised from FAILURES becomes a page."""
        return super().dispatch(request, *args, **kwargs)

    @sensitive_variables()
    def refuse(self, error: Exception) -> HttpResponse:
        """Return the page that says in this app's own words what went wrong."""
        code = getattr(error, "code", "site_misconfigured")
        status = pages.status_of(error, code)
        slug = self.kwargs.get("slug", "")
        pages.log_refusal(type(self).__name__, slug, error, code)
        step = self.get_next_step(error, code)
        response = self.show_result(
            text=reasons.describe_error(error, code),
            step=step,
            status=status,
            code=pages.shown_code(error, code),
            provider=self.get_retry_provider(step),
            next_path=self.get_retry_path(error),
        )
        if retry_after := getattr(error, "retry_after", None):
            response["Retry-After"] = str(int(retry_after) + 1)
        # Django mails the request of a 5xx to the administrators unless it was logged.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    def show_result(
        self,
        *,
        text: str,
        step: advice.Step,
        status: int = 200,
        code: str = "",
        provider: Provider | None = None,
        next_path: str = "",
    ) -> HttpResponse:
        """Return the page about how it ended; code: to name when asking for help."""
        context = {
            "text": text,
            "step": step,
            "code": code,
            "provider": provider,
            "next": next_path,
            "logged_in": self.request.user.is_authenticated,
        }
        response = render(self.request, self.result_template, context, status=status)
        pages.restrict(response)
        return response

    def get_next_step(self, error: Exception, code: str) -> advice.Step:
        """Return what helps now."""
        step = advice.next_step(code, getattr(error, "recovery", "none"))
        # What was sent by POST cannot be loaded again.
        reloads = self.request.method == "GET" or step is not advice.RELOAD
        return step if reloads else advice.LATER

    def get_retry_provider(self, step: advice.Step) -> Provider | None:
        """Return the provider to offer another try at, where that could help."""
        if step.action is None or not self.request.user.is_authenticated:
            return None
        slug = self.kwargs.get("slug", "")
        return Provider.objects.filter(enabled=True, slug=slug).first()

    def get_retry_path(self, error: Exception) -> str:
        """Return where to go when another try succeeds, empty for the usual place."""
        return getattr(error, "next_path", "")


# Also in a project that has taken CsrfViewMiddleware out.
@method_decorator(csrf_protect, name="dispatch")
class MemberMixin(PageMixin):
    """A page for active, logged-in users, about accounts of their own."""

    def get_response(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if not request.user.is_authenticated:
            # Not back to here: what is asked for by POST cannot be returned to.
            target = request.get_full_path() if request.method == "GET" else ""
            return redirect_to_login(target or reverse("oauth_accounts:list"))
        if not request.user.is_active:
            raise pages.Refusal("user_inactive")
        return super().get_response(request, *args, **kwargs)

    def get_owner(self) -> Any:
        """Return whose accounts this request is about; raises Refusal when nobody's."""
        owner = conf.OAUTH_ACCOUNTS_GET_OWNER(self.request)
        if owner is None:
            # No owner would mean the accounts of the application itself.
            raise pages.Refusal("owner_missing")
        return owner

    def get_account(self, account_id: UUID) -> ConnectedAccount:
        """Return an account of the owner; raises Refusal for anybody else's."""
        rows = ConnectedAccount.objects.for_owner(self.get_owner())
        account: ConnectedAccount | None
        account = rows.select_related("provider").filter(pk=account_id).first()
        if account is None:
            raise pages.Refusal("account_unknown")
        return account


class NextPathMixin(View):
    """The one place that decides where a user may be sent on to."""

    def get_next_path(self) -> str:
        """Return the local path that the request names, or ""."""
        data = self.request.POST if self.request.method == "POST" else self.request.GET
        return pages.safe_path(data.get("next", ""))

    def get_success_url(self, next_path: str) -> str:
        """Return where to go after connecting. next_path: checked at the start."""
        return next_path or pages.success_url()


class AccountListView(MemberMixin, NextPathMixin):
    """
    The connected accounts of the owner.

    With ?connect=<slug>&next=<path> it asks for that connection first.
    """

    http_method_names = ["get", "head", "options"]
    # With no-referrer, browsers would send the forms with "Origin: null".
    referrer_policy = "same-origin"
    template_name = "oauth_accounts/list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data()
        response = render(request, self.template_name, context)
        if context["base_template"] == pages.OWN_BASE:
            pages.restrict(response)
        return response

    def get_context_data(self) -> dict[str, Any]:
        shown = cards.cards_of(self.get_accounts())
        live = [card for card in shown if not card.is_revoked]
        providers = self.get_providers()
        wanted = self.request.GET.get("connect", "")
        by_slug = {provider.slug: provider for provider in providers}
        return {
            "base_template": pages.base_template(),
            "stylesheet": pages.Stylesheet(),
            "cards": live,
            "groups": cards.groups_of(live),
            "attention": [card for card in live if card.needs_attention],
            "compact": len(live) > cards.FEW,
            "revoked_cards": [card for card in shown if card.is_revoked],
            "providers": providers,
            "paused": {p.slug for p in providers if cards.has_troubles(p)},
            "wanted": by_slug.get(wanted),
            "wanted_missing": wanted not in {"", *by_slug},
            "next": self.get_next_path(),
            "messages": messages.get_messages(self.request),
        }

    def get_accounts(self) -> Any:
        """Return the owner's accounts without their tokens."""
        return cards.accounts_of(self.get_owner())

    def get_providers(self) -> list[Provider]:
        """Return the providers that accounts can be connected at."""
        rows = Provider.objects.filter(enabled=True)
        return [provider for provider in rows if not missing_configuration(provider)]


class StartMixin(MemberMixin, NextPathMixin):
    """Send the browser to a provider."""

    http_method_names = ["post"]

    def get_retry_path(self, error: Exception) -> str:
        return self.get_next_path()

    @sensitive_variables()
    def begin(
        self, provider: Provider, account: ConnectedAccount | None = None
    ) -> HttpResponse:
        """Record an attempt and redirect; nothing but `next` is taken from the form."""
        started = connect.start(
            self.request,
            provider,
            browser=pages.read_browser(self.request),
            account=account,
            next_path=self.get_next_path(),
        )
        response = pages.ProviderRedirect(started.url)
        pages.remember_browser(self.request, response, started.browser)
        return response


class ConnectView(StartMixin):
    """Connect a new account."""

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        self.get_owner()
        provider = connect.find_provider(slug, pages.read_browser(request))
        if provider is None:
            raise pages.Refusal("provider_unknown")
        return self.begin(provider)


class ReconnectView(StartMixin):
    """Give an account that is known new tokens."""

    def post(self, request: HttpRequest, account_id: UUID) -> HttpResponse:
        account = self.get_account(account_id)
        return self.begin(account.provider, account)


class DisconnectView(MemberMixin):
    """Stop using an account. The provider is told later, by the outbox."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, account_id: UUID) -> HttpResponse:
        account = self.get_account(account_id)
        account.revoke(reason="by_owner", actor=request.user)
        text = cards.describe_disconnection(account)
        messages.success(request, text, fail_silently=True)
        return HttpResponseRedirect(reverse("oauth_accounts:list"))


# The burn of the attempt and the new tokens must survive a failure of the request.
@method_decorator(pages.outside_transactions, name="dispatch")
# GET only: the state is what stands against forgery here, and a POST gets its 405.
@method_decorator(csrf_exempt, name="dispatch")
class CallbackView(PageMixin, NextPathMixin):
    """Where the provider sends the browser back to."""

    http_method_names = ["get"]

    @sensitive_variables()
    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        finished = connect.finish(request, slug, pages.read_browser(request))
        account, created = finished.account, finished.created
        if pages.leave_ended_session(request):
            text = cards.describe_connection(account, created=created, logged_in=False)
            return self.show_result(text=text, step=advice.CONNECTED)
        text = cards.describe_connection(account, created=created)
        messages.success(request, text, fail_silently=True)
        return HttpResponseRedirect(self.get_success_url(finished.next))

    @sensitive_variables()
    def refuse(self, error: Exception) -> HttpResponse:
        pages.leave_ended_session(self.request)
        return super().refuse(error)
