"""Each team sees its own rows only, whatever a query says."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "SELECT cordon.protect('integrations_integration')",
            reverse_sql="SELECT cordon.unprotect('integrations_integration')",
        ),
    ]
