"""
Let go of an index of PostgreSQL that each refresh writes to, and nobody reads.

Django adds a second one to the unique identity key, for searches by its beginning. It is made
at the end of the migration that makes the table, so this one has to come after it.
"""

from typing import Any

from django.db import migrations


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
        ("oauth_accounts", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(drop_unused_index, migrations.RunPython.noop),
    ]
