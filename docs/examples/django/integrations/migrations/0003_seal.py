"""What is secret is sealed for its team, while the application runs."""

from django.db import migrations

from integrations.fields import EncryptedTextEqField, EncryptedTextField


TABLE = "integrations_integration"


def convert(procedure, column, new_column, arguments="", unique=None):
    """Adds a column beside the old one, fills it, and puts it in its place with a unique index like the old one."""
    index = [f"CREATE UNIQUE INDEX CONCURRENTLY ON {TABLE} ({unique.format(new_column)})"] if unique else []
    return [
        f"CALL cordon.{procedure}('{TABLE}', '{column}'{arguments})",
        *index,
        f"CALL cordon.finish_conversion('{TABLE}', '{column}')",
    ]


def seal(column, field, unique=None):
    return migrations.RunSQL(
        convert("encrypt_column", column, f"{column}_sealed", f", '{field.db_type(None)}'", unique),
        reverse_sql=convert("decrypt_column", column, f"{column}_plain", unique=unique),
        state_operations=[migrations.AlterField("integration", column, field)],
    )


class Migration(migrations.Migration):
    # It commits every few thousand rows, so that no lock is held for long.
    atomic = False
    dependencies = [("integrations", "0002_isolate")]
    operations = [
        seal("email", EncryptedTextEqField(), unique="team_id, {}, service"),
        seal("access_token", EncryptedTextField()),
    ]
