"""
The authorization server of the example: another company's site, as far as we know.

It is a Django project of its own, made with django-oauth-toolkit. It shares nothing with
the client site in `example_project.site` but the machine: own process, port, database,
key, users and cookie names.

    python -m example_project.provider_site prepare --client-id ID --redirect-uri URI
    python -m example_project.provider_site serve

`prepare` migrates, makes the demo user and registers the client; it may be run again at
any time and takes the client's secret from EXAMPLE_CLIENT_SECRET, because arguments can
be read by every user of a machine. `serve` runs until it is interrupted or terminated.
Any other word is a command of Django's: `shell`, `cleartokens`, ...

Environment, all optional but the secret:

    EXAMPLE_CLIENT_SECRET    for prepare: the secret of the client
    EXAMPLE_STATE_DIR        folder of the database and the keys (.demo)
    EXAMPLE_PROVIDER_PORT    port on 127.0.0.1 (8001)
    EXAMPLE_TOKEN_LIFETIME   lifetime of access tokens in seconds (20)

Addresses, with BASE = http://127.0.0.1:PORT (always this host name, since the issuer is
compared to the letter):

    issuer                   BASE
    authorization_endpoint   BASE/o/authorize/
    token_endpoint           BASE/o/token/
    revocation_endpoint      BASE/o/revoke_token/
    userinfo_endpoint        BASE/api/userinfo/         scope profile
    jwks_uri                 BASE/o/jwks.json           keys of ID tokens, scope openid
    api_base_url             BASE/api/                  me/: profile; notes/: notes
    metadata (RFC 8414)      BASE/.well-known/oauth-authorization-server
    metadata (OpenID)        BASE/.well-known/openid-configuration

The server is up when BASE/ answers 200. The user logs in at BASE/accounts/login/ with
DEMO_USER and DEMO_PASSWORD of `example_project.provider_site.logins`.
"""
