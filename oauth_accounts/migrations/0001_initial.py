import django.core.validators
import django.db.models.deletion
import oauth_accounts.clock
import oauth_accounts.fields
import oauth_accounts.validators
import uuid
from django.conf import settings
from django.db import migrations, models

from oauth_accounts.conf import conf

OWNER_MODEL = conf.OAUTH_ACCOUNTS_OWNER_MODEL


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        # The first migration of the owner's app. When the model comes in a later one, that
        # one has to say run_before = [("oauth_accounts", "0001_initial")].
        migrations.swappable_dependency(OWNER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Health",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "swept_at",
                    models.DateTimeField(
                        editable=False, null=True, verbose_name="last sweep began"
                    ),
                ),
            ],
            options={
                "verbose_name": "connected accounts health",
                "verbose_name_plural": "connected accounts health",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "slug",
                    models.SlugField(
                        help_text="Part of the redirect URI. It cannot be changed later.",
                        max_length=64,
                        unique=True,
                        verbose_name="slug",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("admin", "Admin"), ("settings", "Settings")],
                        default="admin",
                        editable=False,
                        max_length=16,
                        verbose_name="source",
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                (
                    "preset",
                    models.CharField(blank=True, max_length=64, verbose_name="preset"),
                ),
                ("enabled", models.BooleanField(default=True, verbose_name="enabled")),
                (
                    "protocol",
                    models.CharField(
                        choices=[("oauth2", "OAuth 2.0"), ("oauth1", "OAuth 1.0a")],
                        default="oauth2",
                        max_length=16,
                        verbose_name="protocol",
                    ),
                ),
                (
                    "grant_type",
                    models.CharField(
                        choices=[
                            ("authorization_code", "Authorization code"),
                            ("client_credentials", "Client credentials"),
                            ("device_code", "Device code"),
                        ],
                        default="authorization_code",
                        max_length=32,
                        verbose_name="grant type",
                    ),
                ),
                (
                    "client_id",
                    models.CharField(
                        blank=True, max_length=512, verbose_name="client ID"
                    ),
                ),
                (
                    "client_secret",
                    oauth_accounts.fields.SealedTextField(
                        blank=True, null=True, verbose_name="client secret"
                    ),
                ),
                (
                    "previous_client_secret",
                    oauth_accounts.fields.SealedTextField(
                        blank=True, null=True, verbose_name="previous client secret"
                    ),
                ),
                (
                    "private_key",
                    oauth_accounts.fields.SealedTextField(
                        blank=True, null=True, verbose_name="private key"
                    ),
                ),
                (
                    "token_endpoint_auth_method",
                    models.CharField(
                        choices=[
                            ("client_secret_basic", "HTTP Basic"),
                            ("client_secret_post", "Request body"),
                            ("private_key_jwt", "Signed assertion"),
                            ("none", "None (public client)"),
                        ],
                        default="client_secret_basic",
                        max_length=32,
                        verbose_name="client authentication",
                    ),
                ),
                (
                    "issuer",
                    models.CharField(
                        blank=True,
                        help_text="Exactly as the provider's metadata spells it.",
                        max_length=500,
                        verbose_name="issuer",
                    ),
                ),
                (
                    "authorization_endpoint",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="authorization endpoint",
                    ),
                ),
                (
                    "token_endpoint",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="token endpoint",
                    ),
                ),
                (
                    "revocation_endpoint",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="revocation endpoint",
                    ),
                ),
                (
                    "introspection_endpoint",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="introspection endpoint",
                    ),
                ),
                (
                    "userinfo_endpoint",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="userinfo endpoint",
                    ),
                ),
                (
                    "jwks_uri",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="JWKS URI",
                    ),
                ),
                (
                    "device_authorization_endpoint",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="device authorization endpoint",
                    ),
                ),
                (
                    "pushed_authorization_request_endpoint",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="pushed authorization request endpoint",
                    ),
                ),
                (
                    "api_base_url",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_endpoint],
                        verbose_name="API base URL",
                    ),
                ),
                (
                    "pinned_addresses",
                    oauth_accounts.fields.SealedTextField(
                        blank=True, null=True, verbose_name="pinned addresses"
                    ),
                ),
                (
                    "uid_path",
                    models.CharField(
                        default="sub",
                        help_text="Where the userinfo answer holds the account's permanent ID.",
                        max_length=200,
                        verbose_name="subject path",
                    ),
                ),
                (
                    "label_path",
                    models.CharField(
                        blank=True,
                        default="email",
                        help_text="Where the userinfo answer holds a name to show. Display only.",
                        max_length=200,
                        verbose_name="label path",
                    ),
                ),
                (
                    "scopes",
                    models.JSONField(
                        blank=True,
                        default=list,
                        validators=[oauth_accounts.validators.validate_scopes],
                        verbose_name="scopes",
                    ),
                ),
                (
                    "scope_descriptions",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What users read instead of a scope, such as: Read your notes.",
                        validators=[
                            oauth_accounts.validators.validate_scope_descriptions
                        ],
                        verbose_name="scopes in words",
                    ),
                ),
                (
                    "scope_separator",
                    models.CharField(
                        default=" ", max_length=4, verbose_name="scope separator"
                    ),
                ),
                (
                    "authorization_params",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        validators=[oauth_accounts.validators.validate_parameters],
                        verbose_name="authorization parameters",
                    ),
                ),
                (
                    "token_params",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        validators=[oauth_accounts.validators.validate_parameters],
                        verbose_name="token parameters",
                    ),
                ),
                (
                    "refresh_params",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        validators=[oauth_accounts.validators.validate_parameters],
                        verbose_name="refresh parameters",
                    ),
                ),
                (
                    "quirk",
                    models.CharField(blank=True, max_length=64, verbose_name="quirk"),
                ),
                (
                    "default_lifetime",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Seconds a token lives when the provider does not say.",
                        null=True,
                        validators=[
                            django.core.validators.MaxValueValidator(315360000)
                        ],
                        verbose_name="default lifetime",
                    ),
                ),
                (
                    "refresh_margin",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Seconds before expiry; empty means the project's setting.",
                        null=True,
                        validators=[
                            django.core.validators.MaxValueValidator(315360000)
                        ],
                        verbose_name="refresh margin",
                    ),
                ),
                (
                    "keepalive_interval",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Seconds after which an idle refresh token is used once.",
                        null=True,
                        validators=[
                            django.core.validators.MaxValueValidator(315360000)
                        ],
                        verbose_name="keep-alive interval",
                    ),
                ),
                (
                    "max_refreshes_per_minute",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Of all workers together; empty means no limit.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="refreshes per minute",
                    ),
                ),
                (
                    "grants_url",
                    models.CharField(
                        blank=True,
                        help_text="Where users see, at the provider, what they gave access to.",
                        max_length=500,
                        validators=[oauth_accounts.validators.validate_link],
                        verbose_name="page of granted access",
                    ),
                ),
                (
                    "exclusive_subjects",
                    models.BooleanField(
                        default=False,
                        help_text="An account at the provider can be connected by one owner only.",
                        verbose_name="one owner per account",
                    ),
                ),
                (
                    "paused_until",
                    models.DateTimeField(
                        blank=True,
                        editable=False,
                        null=True,
                        verbose_name="paused until",
                    ),
                ),
                (
                    "pause_reason",
                    models.CharField(
                        blank=True,
                        editable=False,
                        max_length=64,
                        verbose_name="pause reason",
                    ),
                ),
                (
                    "pause_count",
                    models.PositiveIntegerField(
                        default=0, editable=False, verbose_name="pauses in a row"
                    ),
                ),
                (
                    "probe_until",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "refresh_slots_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "authorization_response_iss_parameter_supported",
                    models.BooleanField(
                        default=False,
                        verbose_name="sends iss in authorization responses (RFC 9207)",
                    ),
                ),
                (
                    "code_challenge_methods_supported",
                    models.JSONField(
                        blank=True, null=True, verbose_name="PKCE methods"
                    ),
                ),
                (
                    "require_pushed_authorization_requests",
                    models.BooleanField(
                        default=False,
                        verbose_name="requires pushed authorization requests",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(auto_now_add=True, verbose_name="created"),
                ),
                (
                    "updated_at",
                    models.DateTimeField(auto_now=True, verbose_name="updated"),
                ),
            ],
            options={
                "verbose_name": "provider",
                "verbose_name_plural": "providers",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="BulkAction",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("refresh", "Refresh now"),
                            ("revoke", "Revoke at the provider"),
                            ("require_reauth", "Require reauthorisation"),
                            ("disable", "Disable"),
                            ("enable", "Enable"),
                        ],
                        max_length=32,
                        verbose_name="action",
                    ),
                ),
                (
                    "total",
                    models.PositiveIntegerField(default=0, verbose_name="accounts"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True,
                        default=oauth_accounts.clock.utcnow,
                        verbose_name="time",
                    ),
                ),
                ("busy_until", models.DateTimeField(editable=False, null=True)),
                (
                    "finished_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="finished"
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk action",
                "verbose_name_plural": "bulk actions",
                "ordering": ["-created_at"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ConnectedAccount",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "uid",
                    models.CharField(max_length=255, verbose_name="ID at the provider"),
                ),
                (
                    "identity_key",
                    models.CharField(editable=False, max_length=64, unique=True),
                ),
                (
                    "label",
                    models.CharField(blank=True, max_length=255, verbose_name="label"),
                ),
                (
                    "profile",
                    models.JSONField(blank=True, default=dict, verbose_name="profile"),
                ),
                (
                    "access_token",
                    oauth_accounts.fields.SealedTextField(
                        null=True, verbose_name="access token"
                    ),
                ),
                (
                    "refresh_token",
                    oauth_accounts.fields.SealedTextField(
                        null=True, verbose_name="refresh token"
                    ),
                ),
                (
                    "token_secret",
                    oauth_accounts.fields.SealedTextField(
                        null=True, verbose_name="token secret"
                    ),
                ),
                (
                    "id_token",
                    oauth_accounts.fields.SealedTextField(
                        null=True, verbose_name="ID token"
                    ),
                ),
                (
                    "token_type",
                    models.CharField(
                        default="Bearer", max_length=32, verbose_name="token type"
                    ),
                ),
                (
                    "api_base_url",
                    models.CharField(
                        blank=True,
                        help_text="For providers whose API lives at an address per tenant.",
                        max_length=500,
                        verbose_name="API base URL",
                    ),
                ),
                (
                    "pinned_api_base_url",
                    oauth_accounts.fields.SealedTextField(
                        blank=True, null=True, verbose_name="pinned API base URL"
                    ),
                ),
                (
                    "requested_scopes",
                    models.JSONField(default=list, verbose_name="requested scopes"),
                ),
                (
                    "scopes",
                    models.JSONField(
                        blank=True,
                        help_text="Empty when the provider does not say.",
                        null=True,
                        verbose_name="granted scopes",
                    ),
                ),
                (
                    "issued_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="issued"),
                ),
                (
                    "expires_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="expires"),
                ),
                (
                    "refresh_token_expires_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="refresh token expires"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("needs_reauth", "Needs reauthorisation"),
                            ("revoked", "Revoked"),
                            ("disabled", "Disabled"),
                        ],
                        default="active",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "status_reason",
                    models.CharField(blank=True, max_length=64, verbose_name="reason"),
                ),
                (
                    "reason_before",
                    models.CharField(blank=True, editable=False, max_length=64),
                ),
                (
                    "last_error",
                    models.CharField(
                        blank=True, max_length=64, verbose_name="last error"
                    ),
                ),
                (
                    "failure_count",
                    models.PositiveIntegerField(
                        default=0, verbose_name="failures in a row"
                    ),
                ),
                (
                    "refresh_due_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="refresh due"
                    ),
                ),
                ("lease", models.UUIDField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("attempt_started_at", models.DateTimeField(editable=False, null=True)),
                (
                    "generation",
                    models.PositiveBigIntegerField(default=0, editable=False),
                ),
                (
                    "key_id",
                    models.CharField(
                        blank=True, editable=False, max_length=16, verbose_name="key ID"
                    ),
                ),
                (
                    "last_refreshed_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="last refresh"
                    ),
                ),
                (
                    "metadata",
                    models.JSONField(blank=True, default=dict, verbose_name="metadata"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=oauth_accounts.clock.utcnow, verbose_name="connected"
                    ),
                ),
                (
                    "connected_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="connected by",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty for accounts of the application itself.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="connected_accounts",
                        to=OWNER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="oauth_accounts.provider",
                        verbose_name="provider",
                    ),
                ),
            ],
            options={
                "verbose_name": "connected account",
                "verbose_name_plural": "connected accounts",
                "ordering": ["-created_at"],
                "permissions": [
                    ("refresh_connectedaccount", "Can refresh connected account"),
                    ("revoke_connectedaccount", "Can revoke connected account"),
                    (
                        "require_reauth_connectedaccount",
                        "Can require reauthorisation of connected account",
                    ),
                    (
                        "disable_connectedaccount",
                        "Can disable and enable connected account",
                    ),
                ],
                "default_permissions": ("delete", "view"),
            },
        ),
        migrations.CreateModel(
            name="AuthorizationAttempt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("state_hash", models.CharField(max_length=64, unique=True)),
                ("browser_hash", models.CharField(db_index=True, max_length=64)),
                ("code_verifier", oauth_accounts.fields.SealedTextField(null=True)),
                ("nonce", oauth_accounts.fields.SealedTextField(null=True)),
                (
                    "issuer",
                    models.CharField(blank=True, max_length=500, verbose_name="issuer"),
                ),
                (
                    "client_id",
                    models.CharField(max_length=512, verbose_name="client ID"),
                ),
                ("authorization_endpoint", models.CharField(max_length=500)),
                ("token_endpoint", models.CharField(max_length=500)),
                (
                    "redirect_uri",
                    models.CharField(max_length=500, verbose_name="redirect URI"),
                ),
                (
                    "next",
                    models.CharField(blank=True, max_length=2000, verbose_name="next"),
                ),
                ("scopes", models.JSONField(default=list, verbose_name="scopes")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=oauth_accounts.clock.utcnow, verbose_name="created"
                    ),
                ),
                (
                    "expires_at",
                    models.DateTimeField(db_index=True, verbose_name="expires"),
                ),
                (
                    "consumed_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="consumed"
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=OWNER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="authorization_attempts",
                        to="oauth_accounts.connectedaccount",
                        verbose_name="account being reconnected",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="authorization_attempts",
                        to="oauth_accounts.provider",
                        verbose_name="provider",
                    ),
                ),
            ],
            options={
                "verbose_name": "authorization attempt",
                "verbose_name_plural": "authorization attempts",
                "ordering": ["-created_at"],
                "default_permissions": ("delete", "view"),
            },
        ),
        migrations.CreateModel(
            name="AccountEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("connected", "Connected"),
                            ("reconnected", "Reconnected"),
                            ("reauth_required", "Reauthorisation required"),
                            ("recovered", "Recovered"),
                            ("refresh_failed", "Refresh failed"),
                            ("scopes_changed", "Scopes changed"),
                            ("revoked", "Revoked"),
                            ("revocation_confirmed", "Revoked at provider"),
                            ("revocation_failed", "Not revoked at provider"),
                            ("disabled", "Disabled"),
                            ("enabled", "Enabled"),
                            ("deleted", "Deleted"),
                            ("rejected", "Callback rejected"),
                            ("secret_changed", "Secret or address changed"),
                            ("secret_refused", "Wrong secret entered"),
                            ("keys_rotated", "Keys rotated"),
                            ("provider_paused", "Provider paused"),
                            ("provider_resumed", "Provider resumed"),
                            ("provider_altered", "Provider altered by SQL"),
                            ("provider_rebound", "Provider rebound"),
                            ("provider_asked", "Provider asked by hand"),
                        ],
                        max_length=32,
                        verbose_name="kind",
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, max_length=64, verbose_name="reason"),
                ),
                (
                    "account_key",
                    models.UUIDField(
                        blank=True,
                        db_index=True,
                        help_text="Stays when the account is deleted.",
                        null=True,
                        verbose_name="account ID",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True,
                        default=oauth_accounts.clock.utcnow,
                        verbose_name="time",
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty for what the system did by itself.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="events",
                        to="oauth_accounts.connectedaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="events",
                        to="oauth_accounts.provider",
                        verbose_name="provider",
                    ),
                ),
            ],
            options={
                "verbose_name": "account event",
                "verbose_name_plural": "account events",
                "ordering": ["-created_at"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="RefreshStatistic",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("hour", models.DateTimeField(verbose_name="hour")),
                ("result", models.CharField(max_length=16, verbose_name="result")),
                (
                    "reason",
                    models.CharField(blank=True, max_length=64, verbose_name="reason"),
                ),
                (
                    "count",
                    models.PositiveBigIntegerField(default=0, verbose_name="count"),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refresh_statistics",
                        to="oauth_accounts.provider",
                        verbose_name="provider",
                    ),
                ),
            ],
            options={
                "verbose_name": "refresh statistic",
                "verbose_name_plural": "refresh statistics",
                "ordering": ["-hour"],
                "default_permissions": ("delete", "view"),
            },
        ),
        migrations.CreateModel(
            name="UnreadAnswer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("body", oauth_accounts.fields.SealedTextField(verbose_name="body")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True,
                        default=oauth_accounts.clock.utcnow,
                        verbose_name="received",
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="unread_answers",
                        to="oauth_accounts.connectedaccount",
                        verbose_name="account",
                    ),
                ),
            ],
            options={
                "verbose_name": "unread answer",
                "verbose_name_plural": "unread answers",
                "ordering": ["-created_at"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("account_key", models.UUIDField(verbose_name="account ID")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("queued", "Due for a refresh"),
                            ("done", "Done"),
                            ("skipped", "Skipped"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, max_length=64, verbose_name="reason"),
                ),
                (
                    "bulk_action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="oauth_accounts.bulkaction",
                        verbose_name="bulk action",
                    ),
                ),
            ],
            options={
                "verbose_name": "account of a bulk action",
                "verbose_name_plural": "accounts of bulk actions",
                "ordering": ["id"],
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        fields=["bulk_action", "outcome", "id"],
                        name="oauth_accounts_bulk_next",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PendingRevocation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("account_key", models.UUIDField(verbose_name="account ID")),
                ("access_token", oauth_accounts.fields.SealedTextField(null=True)),
                ("refresh_token", oauth_accounts.fields.SealedTextField(null=True)),
                (
                    "reason",
                    models.CharField(blank=True, max_length=64, verbose_name="reason"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("confirmed", "Confirmed"),
                            ("unsupported", "Not supported by the provider"),
                            ("failed", "Given up"),
                            ("superseded", "Connected again before it was sent"),
                        ],
                        default="pending",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, verbose_name="attempts"),
                ),
                (
                    "last_error",
                    models.CharField(
                        blank=True, max_length=64, verbose_name="last error"
                    ),
                ),
                (
                    "due_at",
                    models.DateTimeField(
                        default=oauth_accounts.clock.utcnow,
                        null=True,
                        verbose_name="due",
                    ),
                ),
                ("lease", models.UUIDField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=oauth_accounts.clock.utcnow, verbose_name="created"
                    ),
                ),
                (
                    "finished_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="finished"
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="pending_revocations",
                        to="oauth_accounts.connectedaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pending_revocations",
                        to="oauth_accounts.provider",
                        verbose_name="provider",
                    ),
                ),
            ],
            options={
                "verbose_name": "pending revocation",
                "verbose_name_plural": "pending revocations",
                "ordering": ["-created_at"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["due_at"],
                        name="oauth_accounts_revocation_due",
                    ),
                    models.Index(
                        condition=models.Q(("status", "failed")),
                        fields=["status", "finished_at"],
                        name="oauth_accounts_revocation_lost",
                    ),
                    models.Index(
                        fields=["-created_at"], name="oauth_accounts_revoked_newest"
                    ),
                    models.Index(
                        fields=["status", "-created_at"],
                        name="oauth_accounts_revoked_status",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("reauth_required", "Reauthorisation required"),
                            ("connected", "Connected"),
                            ("reconnected", "Reconnected"),
                            ("disconnected", "Disconnected"),
                        ],
                        max_length=32,
                        verbose_name="kind",
                    ),
                ),
                (
                    "reason",
                    models.CharField(blank=True, max_length=64, verbose_name="reason"),
                ),
                ("account_key", models.UUIDField(verbose_name="account ID")),
                (
                    "generation",
                    models.PositiveBigIntegerField(default=0, editable=False),
                ),
                ("snapshot", models.JSONField(default=dict, editable=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sent", "Sent"),
                            ("dropped", "Not sent"),
                            ("failed", "Given up"),
                        ],
                        default="waiting",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, verbose_name="attempts"),
                ),
                (
                    "last_error",
                    models.CharField(
                        blank=True, max_length=64, verbose_name="last error"
                    ),
                ),
                (
                    "due_at",
                    models.DateTimeField(
                        default=oauth_accounts.clock.utcnow,
                        null=True,
                        verbose_name="due",
                    ),
                ),
                ("lease", models.UUIDField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True,
                        default=oauth_accounts.clock.utcnow,
                        verbose_name="time of the change",
                    ),
                ),
                (
                    "finished_at",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="finished"
                    ),
                ),
                (
                    "provider",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="oauth_accounts.provider",
                        verbose_name="provider",
                    ),
                ),
            ],
            options={
                "verbose_name": "notice",
                "verbose_name_plural": "notices",
                "ordering": ["-created_at"],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("due_at__isnull", False)),
                        fields=["due_at"],
                        name="oauth_accounts_notice_due",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                condition=models.Q(("refresh_due_at__isnull", False)),
                fields=["provider", "refresh_due_at"],
                name="oauth_accounts_account_due",
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                fields=["-created_at", "-id"], name="oauth_accounts_account_newest"
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(fields=["uid"], name="oauth_accounts_account_uid"),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                fields=["label"],
                name="oauth_accounts_account_label",
                opclasses=["varchar_pattern_ops"],
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                condition=models.Q(
                    ("status__in", ("needs_reauth", "revoked", "disabled"))
                ),
                fields=["status", "-created_at"],
                name="oauth_accounts_account_stopped",
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                condition=models.Q(
                    ("status__in", ("needs_reauth", "revoked", "disabled"))
                ),
                fields=["provider", "status", "-created_at"],
                name="oauth_accounts_stopped_at",
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                condition=models.Q(("status_reason", ""), _negated=True),
                fields=["status_reason", "-created_at"],
                name="oauth_accounts_account_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                condition=models.Q(
                    ("refresh_token__isnull", True), ("status", "active")
                ),
                fields=["expires_at"],
                name="oauth_accounts_account_ends",
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                condition=models.Q(("refresh_token_expires_at__isnull", False)),
                fields=["refresh_token_expires_at"],
                name="oauth_accounts_account_dies",
            ),
        ),
        migrations.AddIndex(
            model_name="connectedaccount",
            index=models.Index(
                condition=models.Q(("refresh_due_at__isnull", True)),
                fields=["last_refreshed_at"],
                name="oauth_accounts_account_unused",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectedaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status", "active"),
                    ("refresh_due_at__isnull", True),
                    _connector="OR",
                ),
                name="oauth_accounts_due_only_active",
            ),
        ),
        migrations.AddConstraint(
            model_name="connectedaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ("active", "needs_reauth", "revoked", "disabled"))
                ),
                name="oauth_accounts_known_status",
            ),
        ),
        migrations.AddIndex(
            model_name="accountevent",
            index=models.Index(
                fields=["kind", "-created_at"], name="oauth_accounts_event_kind"
            ),
        ),
        migrations.AddIndex(
            model_name="refreshstatistic",
            index=models.Index(fields=["-hour"], name="oauth_accounts_statistic_hour"),
        ),
        migrations.AddConstraint(
            model_name="refreshstatistic",
            constraint=models.UniqueConstraint(
                fields=("provider", "hour", "result", "reason"),
                name="oauth_accounts_statistic_unique",
            ),
        ),
    ]
