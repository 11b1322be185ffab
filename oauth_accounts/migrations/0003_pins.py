"""Pin the addresses as they are now: from here on, changes by SQL are noticed."""

import json
from typing import Any

from django.db import migrations, models, router

import oauth_accounts.fields
from oauth_accounts import keyring

# As they were in this version; columns of later ones are empty in these rows.
PROVIDER_COLUMNS = (
    "slug",
    "client_id",
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "api_base_url",
)


def _providers(apps: Any, editor: Any) -> Any:
    return _rows(apps, editor, "Provider")


def _accounts(apps: Any, editor: Any) -> Any:
    rows = _rows(apps, editor, "ConnectedAccount")
    return rows.exclude(api_base_url="")


def _rows(apps: Any, editor: Any, name: str) -> Any:
    model, alias = apps.get_model("oauth_accounts", name), editor.connection.alias
    rows = model._base_manager.using(alias).order_by()
    return rows if router.allow_migrate_model(alias, model) else rows.none()


def require_keys(apps: Any, schema_editor: Any) -> None:
    """Stop before anything is changed: MySQL cannot take back a part of a migration."""
    # An account has a provider.
    if _providers(apps, schema_editor).exists():
        keyring.current()


def pin(apps: Any, schema_editor: Any) -> None:
    _pin(_providers(apps, schema_editor), PROVIDER_COLUMNS, "pinned_addresses")
    _pin(_accounts(apps, schema_editor), ("api_base_url",), "pinned_api_base_url")


def _pin(rows: Any, columns: tuple[str, ...], name: str) -> None:
    label = rows.model._meta.label
    for key, *values in list(rows.values_list("pk", *columns)):
        text = json.dumps(dict(zip(columns, values, strict=True)))
        place = {"c": f"{label}.{name}", "id": str(key)}
        sealed = oauth_accounts.fields.seal(text, place)
        rows.filter(pk=key).update(**{name: sealed})


class Migration(migrations.Migration):
    dependencies = [
        ("oauth_accounts", "0002_breaker_pace_unread"),
    ]

    operations = [
        migrations.RunPython(require_keys, migrations.RunPython.noop),
        migrations.AddField(
            model_name="provider",
            name="pinned_addresses",
            field=oauth_accounts.fields.SealedTextField(
                blank=True, null=True, verbose_name="pinned addresses"
            ),
        ),
        migrations.AddField(
            model_name="connectedaccount",
            name="pinned_api_base_url",
            field=oauth_accounts.fields.SealedTextField(
                blank=True, null=True, verbose_name="pinned API base URL"
            ),
        ),
        migrations.AlterField(
            model_name="accountevent",
            name="kind",
            field=models.CharField(
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
                    ("secret_changed", "Secret changed"),
                    ("secret_refused", "Wrong secret entered"),
                    ("keys_rotated", "Keys rotated"),
                    ("provider_paused", "Provider paused"),
                    ("provider_resumed", "Provider resumed"),
                    ("provider_altered", "Provider altered by SQL"),
                    ("provider_rebound", "Provider rebound"),
                ],
                max_length=32,
                verbose_name="kind",
            ),
        ),
        migrations.RunPython(pin, migrations.RunPython.noop),
    ]
