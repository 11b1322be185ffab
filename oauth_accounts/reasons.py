"""What a reason code means, in words: own texts, never a provider's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# Why an account is in the state it is in: `status_reason` and `last_error`.
ACCOUNT: dict[str, StrPromise] = {
    # active
    "retrying": _("The last refresh failed and will be tried again."),
    "rate_limited": _("The service asks for fewer requests; trying again later."),
    "outcome_unknown": _("The last refresh was not answered; trying again."),
    "scopes_narrowed": _("Fewer permissions were granted than asked for."),
    # needs_reauth
    "invalid_grant": _("The service no longer accepts the permission it gave."),
    "refresh_token_expired": _("The permission has expired."),
    "rotation_lost": _("The service's answer to a refresh was lost."),
    "identity_changed": _("The service answered for a different account."),
    "admin_request": _("An administrator asked for it to be connected again."),
    "imported_unverified": _("It was imported and has not been verified."),
    # disabled
    "by_admin": _("By an administrator."),
    "owner_inactive": _("Its owner is not active."),
    "provider_changed": _("The service was set up anew since it was connected."),
    # revoked
    "by_owner": _("Disconnected by its owner."),
    "at_provider": _("Access was ended at the service."),
}

# What became of a notice that was not sent.
NOTICE: dict[str, StrPromise] = {
    "no_recipient": _("There is nobody to write to, or no address."),
    "gone": _("Its owner or its provider was deleted."),
    "superseded": _("The account has changed again since."),
    "switched_off": _("Notices of this kind were switched off."),
    "too_old": _("It could not be sent for days."),
    "not_composed": _("A template or a setting of this site raised an error."),
    "refused": _("The mail server refused it."),
    "unsent": _("The mail server could not be reached or did not take it."),
}

# Why something happened to a provider, besides the codes of its answers.
PROVIDER: dict[str, StrPromise] = {
    "answered": _("The service answered as it should."),
    "many_rejected": _("More callbacks like these came than are recorded."),
    "secret_changed": _("Its secret or an address was changed."),
    "provider_rebound": _("It moved, and its accounts follow it."),
    "client_secret": _("The client secret."),
    "previous_client_secret": _("The previous client secret."),
    "private_key": _("The private key."),
    "endpoints_changed": _("An address."),
    "settings": _("By the settings of this site."),
    "test": _("To test it."),
    "discovery": _("To find out its addresses."),
    "moved": _("It moved."),
    "confirmed": _("The service confirmed it."),
    "unsupported": _("The service cannot be told."),
}

# Why a callback was rejected, for administrators; what a token could fail for, too.
REJECTION: dict[str, StrPromise] = {
    "access_denied": _("Access was not granted."),
    "code_missing": _("The answer had neither a code nor an error."),
    "code_refused": _("The service refused the code."),
    "disabled_by_admin": _("An administrator has disabled the account."),
    "expired": _("It took too long."),
    "id_token_missing": _("There was no ID token."),
    "identity_mismatch": _("It was another account than before."),
    "identity_missing": _("The answer did not say which account it is."),
    "in_transaction": _("It came inside a transaction, which this app cannot use."),
    "issuer_mismatch": _("The answer named another issuer."),
    "issuer_missing": _("The answer named no issuer, although it should."),
    "malformed_response": _("A parameter was malformed, or there twice."),
    "not_stored": _("The account could not be stored."),
    "other_browser": _("It was begun in another browser."),
    "other_owner": _("It was begun for another owner."),
    "other_provider": _("It came to the address of another provider."),
    "other_user": _("It was begun by another user."),
    "state_missing": _("The answer had no state."),
    "state_unknown_or_used": _("Its state is unknown, or was used already."),
    "user_inactive": _("The user is not active."),
}

# Why a token could not be had, for administrators.
TOKEN: dict[str, StrPromise] = {
    "account_deleted": _("The account was deleted meanwhile."),
    "api_base_url_changed": _(
        "The address of its API was changed by other means than this app."
    ),
    "address_refused": _("The service's address is not public; see PRIVATE_HOSTS."),
    "bad_answer": _("The service sent an answer that cannot be used."),
    "changed_meanwhile": _("Its state was changed by somebody else meanwhile."),
    "client_auth_unsupported": _("The way of client authentication is not supported."),
    "client_secret_missing": _("The provider has no client secret."),
    "discovery_bad_document": _(
        "There is no metadata of this issuer, or it cannot be used."
    ),
    "discovery_refused": _(
        "The issuer, or an address in its metadata, is not one that may be called."
    ),
    "discovery_unreachable": _("No complete metadata came from the issuer."),
    "endpoint_missing": _("The provider lacks the address of an endpoint."),
    "base_url_missing": _("OAUTH_ACCOUNTS_BASE_URL is not set."),
    "insufficient_scope": _("The granted scopes are too few to ask who it is."),
    "host_refused": _("The service's host is not in OAUTH_ACCOUNTS_ALLOWED_HOSTS."),
    "invalid_request": _("The service could not make sense of the request."),
    "invalid_scope": _("The service does not know or not grant a scope."),
    "invalid_client": _("The service refused the client ID or secret."),
    "keys_missing": _("The keys in FERNET_KEYS cannot be used; see manage.py check."),
    "keys_unavailable": _("The keys that the service signs with could not be read."),
    "no_refresh_token": _("It has no refresh token, so it cannot be refreshed."),
    "not_an_envelope": _("The stored token is damaged."),
    "outcome_unknown": _("The service did not answer; it will be tried again."),
    "params_refused": _("The provider's parameters clash with those of the protocol."),
    "provider_busy": _("Too many callers are waiting for the provider here."),
    "provider_disabled": _("The provider is disabled."),
    "provider_paused": _("Calls to the provider are paused."),
    "provider_in_doubt": _(
        "The provider's addresses are in doubt, so nothing is sent there."
    ),
    "provider_incomplete": _("The provider lacks an endpoint, client ID or secret."),
    "redirect_refused": _(
        "The service answered with a redirect, which is not followed."
    ),
    "refresh_in_progress": _("Another refresh is still under way."),
    "refresh_in_transaction": _("A refresh is not possible inside this transaction."),
    "revoked": _("It was revoked."),
    "server_error": _("The service had an error of its own."),
    "temporarily_unavailable": _("The service was busy."),
    "unknown_error": _("The service answered with an error of its own making."),
    "unsupported_grant_type": _("The service does not refresh tokens."),
    "unauthorized_client": _("The service does not let this client refresh."),
    "undecryptable": _("The stored token does not open with the keys in FERNET_KEYS."),
    "unavailable": _("The service does not answer."),
    "unreachable": _("The service could not be reached."),
    "url_refused": _("The provider's address must be https."),
    "wrong_context": _("The stored token belongs to another row."),
}

_START_AGAIN = _(
    "This attempt to connect is not, or no longer, valid. It may have taken too long, "
    "have been used already, or have begun in another browser. Nothing was changed."
)
_ASK_ADMINISTRATOR = _(
    "This service is not set up correctly on this site. Please tell an administrator."
)
_UNAVAILABLE = _("The service did not answer as it should. Please try again later.")

# What to tell the user whose connecting did not end in an account.
AUTHORIZATION: dict[str, StrPromise] = {
    "access_denied": _("Access was not granted, so nothing was connected."),
    "account_deleted": _("The account was removed while it was being reconnected."),
    "account_in_use": _(
        "This account is already connected here by somebody else. Sign in at the "
        "service with another account, or ask an administrator."
    ),
    "account_unknown": _("There is no such connected account."),
    "disabled_by_admin": _(
        "An administrator has disabled this account. Please ask an administrator."
    ),
    "identity_mismatch": _(
        "The service answered for a different account. Sign in there with the account "
        "that was connected before, then reconnect. Nothing was changed."
    ),
    "identity_missing": _(
        "The service did not say which account this is, so it was not connected. "
        "Please tell an administrator."
    ),
    "other_owner": _(
        "This attempt to connect was begun for somebody that you do not act for now. "
        "Start again."
    ),
    "other_user": _(
        "This attempt to connect was begun by another user, or you are not logged in. "
        "Log in and start again."
    ),
    "owner_missing": _("There is nothing here that you could connect accounts to."),
    "provider_busy": _(
        "The service is slow to answer, and others are waiting for it too. Nothing is "
        "lost: please try again in a few seconds."
    ),
    "provider_paused": _(
        "The service has problems at the moment. Nothing is lost: please try again "
        "later."
    ),
    "provider_disabled": _(
        "Connecting to this service is switched off. An administrator can enable it."
    ),
    "provider_unknown": _(
        "This site knows no such service. Choose one from your connected accounts; if "
        "it is missing there, an administrator has to add it."
    ),
    "user_inactive": _("Your user account is not active. Please ask an administrator."),
    "temporarily_unavailable": _UNAVAILABLE,
    "server_error": _UNAVAILABLE,
}

# By the class of an error, for codes that need no text of their own.
AUTHORIZATION_DEFAULTS: dict[str, StrPromise] = {
    "InvalidState": _START_AGAIN,
    "ProviderUnavailable": _UNAVAILABLE,
    "ProviderMisconfigured": _ASK_ADMINISTRATOR,
    "TokenUndecryptable": _ASK_ADMINISTRATOR,
    "ImproperlyConfigured": _ASK_ADMINISTRATOR,
}
AUTHORIZATION_FALLBACK = _(
    "The service's answer could not be used, so nothing was connected. Please try again."
)


def describe_account(code: str) -> str:
    """Return what a status reason, or an error code of an account or event, means."""
    for texts in (ACCOUNT, TOKEN, PROVIDER, REJECTION):
        if code in texts:
            return str(texts[code])
    return code


def describe_notice(code: str) -> str:
    """Return what became of a notice that was not sent."""
    return str(NOTICE.get(code, code))


def describe_error(error: Exception, code: str) -> str:
    """Return what to tell the user about an authorisation that failed."""
    default = AUTHORIZATION_DEFAULTS.get(type(error).__name__, AUTHORIZATION_FALLBACK)
    return str(AUTHORIZATION.get(code, default))
