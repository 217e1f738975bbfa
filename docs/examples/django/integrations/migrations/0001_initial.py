"""Where many begin: a column for the team, and secrets in plaintext."""

from django.db import migrations, models

from integrations import tenancy


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Integration",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("team_id", models.BigIntegerField(default=tenancy.current, editable=False)),
                ("service", models.TextField()),
                ("email", models.TextField()),
                ("access_token", models.TextField()),
            ],
        ),
        migrations.AddConstraint(
            model_name="integration",
            constraint=models.UniqueConstraint(fields=["team_id", "email", "service"], name="integration_email"),
        ),
    ]
