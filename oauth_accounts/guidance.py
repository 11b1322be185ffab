"""What the administrator's form says beside its fields: in words, with examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

HELP: dict[str, StrPromise] = {
    "name": _("What users see, such as “Issue tracker”."),
    "slug": _(
        "Part of the redirect URI, such as “tracker”. It cannot be changed later."
    ),
    "enabled": _(
        "Without the tick nobody can connect, and nothing is refreshed. Accounts stay."
    ),
    "client_id": _(
        "The service shows it when you register this site there. It is no secret."
    ),
    "token_endpoint_auth_method": _(
        "How the secret is sent. HTTP Basic is right for most services; some want it in "
        "the request body."
    ),
    "issuer": _(
        "What the service calls itself, such as https://login.tracker.example, exactly as "
        "its metadata spells it. Leave it empty if the service has none."
    ),
    "authorization_endpoint": _(
        "Where users are sent to agree, such as https://login.tracker.example/authorize."
    ),
    "token_endpoint": _(
        "Where tokens come from, such as https://login.tracker.example/token."
    ),
    "revocation_endpoint": _(
        "Where tokens are ended. Without it, disconnecting ends them here only."
    ),
    "userinfo_endpoint": _(
        "What says who somebody is at the service, such as "
        "https://login.tracker.example/userinfo."
    ),
    "jwks_uri": _(
        "Where the service publishes the keys it signs with. Needed for the scope openid."
    ),
    "api_base_url": _(
        "What the addresses of your own calls begin with, such as "
        "https://api.tracker.example/v2/. No other host gets the token."
    ),
    "uid_path": _(
        "Where the userinfo answer holds the permanent ID, such as sub, id or data.id. "
        "Never an e-mail address."
    ),
    "label_path": _(
        "Where it holds a name to show, such as email or data.login. For display only."
    ),
    "grants_url": _(
        "Where users see, at the service, what they gave access to, such as "
        "https://tracker.example/settings/applications."
    ),
    "exclusive_subjects": _(
        "An account at the service can be connected by one owner only. This cannot be "
        "changed while accounts are connected."
    ),
    "default_lifetime": _(
        "Seconds that a token lives when the service does not say, such as 3600. Empty: "
        "such a token is refreshed when the service refuses it."
    ),
    "refresh_margin": _(
        "Seconds before its expiry at which a token is refreshed, such as 300. Empty: as "
        "the setting OAUTH_ACCOUNTS_REFRESH_MARGIN says."
    ),
    "keepalive_interval": _(
        "Seconds after which an account that nobody uses is refreshed, so that its "
        "permission does not run out. 2592000 is 30 days. Empty: never."
    ),
    "max_refreshes_per_minute": _(
        "Of all workers together, such as 60. Empty: no limit."
    ),
    "authorization_params": _(
        "A JSON object that is added when users are sent to agree, such as "
        '{"access_type": "offline"}.'
    ),
    "token_params": _(
        "A JSON object that is added when a code is exchanged for tokens, such as "
        '{"audience": "api"}.'
    ),
    "refresh_params": _(
        "A JSON object that is added to each refresh. Nearly always empty."
    ),
    "authorization_response_iss_parameter_supported": _(
        "Tick it only if the service's metadata says so: answers without iss are refused "
        "then."
    ),
}
SCOPES = _("One per line, such as issues:read. The service's documentation lists them.")
SEPARATOR = _("What stands between two of them. A blank is right for most services.")
SEPARATORS = [(" ", _("blank (RFC 6749)")), (",", _("comma"))]
CHALLENGES = _("As in the service's metadata, one per line; empty when unknown.")
WORDS = _(
    "What users read instead of a scope. One per line, the scope first: "
    "notes:read Read your notes"
)

# Why nothing was saved.
PUBLIC_CLIENT = _(
    "Accounts are connected, and this client has no secret to show that you may send "
    "their tokens elsewhere. Put the provider into OAUTH_ACCOUNTS_PROVIDERS and change "
    "the addresses there, or add a new provider."
)
OLDER_TOKENS = _(
    "There are tokens from before the client secret was changed. The addresses can be "
    "changed here when all of them were refreshed or revoked; until then put the "
    "provider into OAUTH_ACCOUNTS_PROVIDERS and change them there."
)
ENTER_STORED = _(
    "Enter the one that is stored: accounts are connected, and their tokens are sent to "
    "the addresses that you change."
)
NOT_THE_STORED = _(
    "This is not the one that is stored. To change both, change the addresses first, "
    "with the stored one, and then this."
)
CANNOT_BE_COMPARED = _(
    "The stored one cannot be read, so nothing can be compared with it. Enter the right "
    "one and save that first, without changing an address."
)
TOO_MANY_GUESSES = _(
    "Wrong secrets were entered too often. Wait an hour, or put the provider into "
    "OAUTH_ACCOUNTS_PROVIDERS and change the addresses there."
)
ALTERED = _(
    "The addresses of this provider are not known to be those that were entered here, and "
    "nothing is sent to it. Put them back, or say that they are right as they are; they "
    "cannot be changed otherwise."
)
ACCEPTED_WITH_SECRET = _(
    "Secrets, tokens and users are going to be sent there. Accounts are connected, so "
    "enter the stored secrets below as well."
)
SCOPE_WITH_COMMA = _(
    "No scope has a comma in it: %(scope)s. Enter one per line, without commas."
)
UNCONFIRMED = _("Accounts are concerned. Nothing has been saved yet.")
ELSEWHERE = {
    "issuer": _("Another provider has this issuer and another token endpoint."),
    "authorization_endpoint": _(
        "Another provider has this address and another token endpoint."
    ),
}
