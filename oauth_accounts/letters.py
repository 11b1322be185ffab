"""What a notice says, to whom and in which language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone, translation
from django.utils.translation import get_supported_language_variant

from oauth_accounts import reasons
from oauth_accounts.conf import conf

if TYPE_CHECKING:
    from oauth_accounts.models import ConnectedAccount, Notice

FOLDER = "oauth_accounts/mail"
# Kinds that another one has the templates of.
TEMPLATES = {"reconnected": "connected"}
# Names come from providers, whose users choose them.
MAX_NAME = 100
MAX_SUBJECT = 200
# What the branches of a template leave behind.
_BLANK_LINES = re.compile(r"\n{3,}")


def compose(notice: Notice, account: ConnectedAccount) -> EmailMultiAlternatives | None:
    """
    Return the mail about a change of an account, or None when nobody is to get it.

    Whatever the project's callables and templates raise is passed on.
    """
    if not (to := recipients(account)):
        return None
    with translation.override(language_of(account)), timezone.override(None):
        context = get_context(notice, account)
        subject = one_line(_render(notice, "_subject.txt", context), MAX_SUBJECT)
        context["subject"] = subject
        message = EmailMultiAlternatives(
            subject,
            _BLANK_LINES.sub("\n\n", _render(notice, ".txt", context)).strip() + "\n",
            conf.OAUTH_ACCOUNTS_NOTICES_FROM,
            to,
            headers={
                # RFC 3834 section 5: nothing answers this by itself.
                "Auto-Submitted": "auto-generated",
                # The same each time, so that one that is sent twice is shown once.
                "Message-ID": f"<{notice.pk}@{context['domain']}>",
            },
        )
        message.attach_alternative(_render(notice, ".html", context), "text/html")
    return message


def _render(notice: Notice, suffix: str, context: dict[str, Any]) -> str:
    name = TEMPLATES.get(notice.kind, notice.kind)
    return render_to_string(f"{FOLDER}/{name}{suffix}", context)


def recipients(account: ConnectedAccount) -> list[str]:
    """Return the addresses to write to; nobody who is not active is written to."""
    if not account.owner_is_active():
        return []
    if (ask := conf.OAUTH_ACCOUNTS_GET_NOTICE_RECIPIENTS) is not None:
        answer = ask(account)
        found = [answer] if isinstance(answer, str) else list(answer or ())
    else:
        found = [_address_of(_default_user(account))]
    # Each once, in the order they came.
    return list(dict.fromkeys(address for address in found if _is_address(address)))


def _default_user(account: ConnectedAccount) -> Any:
    owner = account.owner
    return owner if isinstance(owner, get_user_model()) else account.connected_by


def _address_of(user: Any) -> Any:
    if user is None or not getattr(user, "is_active", True):
        return None
    return getattr(user, user.get_email_field_name(), None)


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and "@" in value and value.isprintable()


def language_of(account: ConnectedAccount) -> str:
    """Return the language to write in: one of the project's."""
    ask = conf.OAUTH_ACCOUNTS_GET_NOTICE_LANGUAGE
    wanted = ask(account) if ask is not None else None
    try:
        return get_supported_language_variant(str(wanted or settings.LANGUAGE_CODE))
    except LookupError:
        return settings.LANGUAGE_CODE


def get_context(notice: Notice, account: ConnectedAccount) -> dict[str, Any]:
    """Return what the templates can name; texts are one line each."""
    provider = account.provider
    base = conf.OAUTH_ACCOUNTS_BASE_URL or ""
    parts = urlsplit(base)
    accounts_url = base + _path()
    connect_url = f"{accounts_url}?connect={provider.slug}" if provider.enabled else ""
    return {
        "account": account,
        "account_name": one_line(str(account), MAX_NAME),
        "provider": provider,
        "provider_name": one_line(str(provider), MAX_NAME),
        "site": parts.netloc,
        "domain": parts.hostname,
        "accounts_url": accounts_url,
        "connect_url": connect_url,
        # Of several accounts there, this is the one.
        "reconnect_url": f"{connect_url}#oa-{account.pk}" if connect_url else "",
        "again": notice.kind == notice.Kind.RECONNECTED,
        "reason": notice.reason,
        "reason_text": reasons.describe_account(notice.reason),
        "happened_at": notice.created_at,
        "language": translation.get_language(),
        "is_rtl": translation.get_language_bidi(),
    }


def _path() -> str:
    try:
        return reverse("oauth_accounts:list")
    except NoReverseMatch:
        # The project has pages of its own.
        return "/"


def one_line(text: str, longest: int) -> str:
    """Return a text without line breaks, control characters and what turns it around."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:longest]
