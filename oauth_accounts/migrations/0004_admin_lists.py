"""
Indexes for the admin's lists.

One that nobody uses goes for them: PostgreSQL was given a second one on the identity key, for
searches by its beginning. On a large table with traffic, build them beforehand, with CREATE
INDEX CONCURRENTLY and these names, and fake this migration.
"""

from typing import Any

from django.db import migrations, models


def drop_unused_index(apps: Any, schema_editor: Any) -> None:
    """Let go of an index that each refresh writes to: a hash has no beginning."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    model = apps.get_model("oauth_accounts", "ConnectedAccount")
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    for name, about in found.items():
        if about["columns"] == ["identity_key"] and name.endswith("_like"):
            schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)}")


class Migration(migrations.Migration):
    dependencies = [
        ("oauth_accounts", "0003_pins"),
    ]

    operations = [
        migrations.RunPython(drop_unused_index, migrations.RunPython.noop),
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
    ]
