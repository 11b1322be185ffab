"""What a test found, in words: own texts, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from oauth_accounts import reasons
from oauth_accounts.admin import badges
from oauth_accounts.admin.condition import label_of
from oauth_accounts.inspection import Finding

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# Tone, sign and word of each result.
RESULTS: Mapping[str, tuple[str, str, StrPromise]] = {
    "pass": (badges.GOOD, "✓", _("Good")),
    "warn": (badges.WARNING, "!", _("Look at this")),
    "fail": (badges.BAD, "✕", _("Problem")),
    "skip": (badges.OFF, "–", _("Not tested")),
}

SUBJECTS: Mapping[str, StrPromise] = {
    "configuration": _("Configuration"),
    "addresses": _("Addresses"),
    "issuer": _("Metadata of the issuer"),
    "jwks_uri": _("Keys of the provider"),
    "client": _("Client ID and secret"),
    "client_secret": _("Stored secret"),
    "redirect_uri": _("Redirect URI"),
}

# What was found and what to do, by subject and code; those without a subject are for all.
TEXTS: Mapping[str, StrPromise] = {
    "configuration complete": _("All that connecting needs is entered."),
    "configuration disabled": _(
        "The provider is disabled. Enable it when everything else is right."
    ),
    "configuration incomplete": _("Enter what is missing: %(names)s."),
    "redirect_uri known": _("It is known. Make sure that the service has the same."),
    "redirect_uri base_url_missing": _("Set OAUTH_ACCOUNTS_BASE_URL."),
    "redirect_uri urls_missing": _(
        "Include oauth_accounts.urls in the URLs of the project."
    ),
    "client_secret readable": _("It opens with the keys in FERNET_KEYS."),
    "client_secret none": _("There is none: this is a public client."),
    "client_secret provider_changed": _(
        "It was entered for other addresses. Put them back, or enter the secret again."
    ),
    "client_secret": _(
        "It does not open with the keys in FERNET_KEYS. Put the right key back, or enter "
        "the secret again."
    ),
    "addresses altered": _(
        "They were changed by other means than this page, so nothing was sent. Put them "
        "back, or say on the provider's page that they are right."
    ),
    "issuer agrees": _("It says the same as is entered here."),
    "issuer differs": _(
        "It says something else about: %(names)s. “Compare with the provider's metadata” "
        "shows what."
    ),
    "issuer auth_method": _(
        "It does not list the way of client authentication that is chosen here. Choose "
        "another one."
    ),
    "issuer no_pkce": _(
        "It does not list PKCE with S256, which is always used. Ask the service whether "
        "it can be switched on."
    ),
    "issuer discovery_bad_document": _(
        "There is none, or it cannot be used. Services without OpenID Connect often have "
        "none; otherwise check how the issuer is spelled."
    ),
    "jwks_uri no_keys": _(
        "There are none that could verify an ID token. Check the address."
    ),
    "client accepted": _(
        "The service took them: of a made-up refresh token it refused the token, and not "
        "who sent it."
    ),
    "client invalid_client": _(
        "The service refused them. Compare the client ID with the service, enter the "
        "secret again, or choose another way of client authentication."
    ),
    "client unauthorized_client": _(
        "The service does not let this client refresh. Allow refresh tokens, or offline "
        "access, where this site is registered."
    ),
    "client rate_limited": _(
        "The service asks for fewer requests, so it said nothing. Try again later."
    ),
    "client redirect_refused": _(
        "The token endpoint answered with a redirect, which is not followed. Enter the "
        "address that it leads to."
    ),
    "client client_auth_unsupported": _(
        "The way of client authentication is not supported. Choose another one."
    ),
    "client client_secret_missing": _("Enter the client secret."),
    "client takes_anything": _(
        "The service accepted a refresh token that was made up, which no service should. "
        "Check the token endpoint."
    ),
    "client undecided": _(
        "The service answered, but not in a way that says whether they are right. "
        "Connecting an account will tell."
    ),
    "client not_possible": _(
        "Client ID, secret or token endpoint are missing or cannot be read."
    ),
    "answers": _("Somebody answers there."),
    "not_entered": _("Nothing is entered."),
    "unheard": _(
        "No answer came. Check the address; the log of this server may say more."
    ),
    "refused": _(
        "It is not one that may be called: not https, not public, or not in "
        "OAUTH_ACCOUNTS_ALLOWED_HOSTS."
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One finding, ready to be shown."""

    result: str
    sign: str
    pill: SafeString
    subject: str
    text: str


def line_of(finding: Finding) -> Line:
    """Return a finding in words."""
    tone, sign, word = RESULTS[finding.result]
    return Line(
        result=finding.result,
        sign=sign,
        pill=badges.toned(tone, str(word)),
        subject=_subject(finding.subject),
        text=_text(finding),
    )


def _subject(name: str) -> str:
    if name in SUBJECTS:
        return str(SUBJECTS[name])
    label = label_of(name)
    return label[:1].upper() + label[1:]


def _text(finding: Finding) -> str:
    if finding.code == "keys":
        text = ngettext(
            "%(number)d key can be read.",
            "%(number)d keys can be read.",
            finding.number,
        )
        return text % {"number": finding.number}
    subject = finding.subject
    for key in (f"{subject} {finding.code}", finding.code, subject):
        if key in TEXTS:
            names = ", ".join(label_of(name) for name in finding.names)
            return str(TEXTS[key]) % {"names": names}
    return reasons.describe_account(finding.code)
