"""Django: a model with encrypted fields, its migration, and saves of whole rows as the admin does them."""

import os

import django
from django.conf import settings
from django.db import IntegrityError, ProgrammingError, connection, migrations, models, transaction

settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"], "USER": os.environ["PGUSER"],
        "HOST": os.environ["PGHOST"],
    }},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()


class EncryptedTextField(models.TextField):
    """A column of encrypted_text: text to Python, sealed by the database."""

    sealed_type = "encrypted_text"

    def db_type(self, connection):
        return self.sealed_type


class EncryptedTextEqField(EncryptedTextField):
    """The same with equality: filter(email=…), unique=True."""

    sealed_type = "encrypted_text_eq"


class Integration(models.Model):
    team_id = models.BigIntegerField(editable=False, null=True)  # NOT NULL in the database, which fills it in
    email = EncryptedTextEqField()
    token = EncryptedTextField(null=True)
    hits = models.IntegerField(default=0)

    class Meta:
        app_label = "clients"
        db_table = "integration"


class CreateIntegration(migrations.Migration):
    operations = [
        migrations.CreateModel("Integration", [
            ("id", models.BigAutoField(primary_key=True)),
            ("team_id", models.BigIntegerField()),
            ("email", EncryptedTextEqField()),
            ("token", EncryptedTextField(null=True)),
            ("hits", models.IntegerField(default=0)),
        ], options={"db_table": "integration"}),
        migrations.RunSQL("CREATE UNIQUE INDEX ON integration (team_id, email); SELECT cordon.protect('integration')"),
    ]


def tenant(number):
    """A transaction of the tenant's; in a project, a middleware with ATOMIC_REQUESTS."""
    class Tenant(transaction.Atomic):
        def __enter__(self):
            super().__enter__()
            with connection.cursor() as cursor:
                cursor.execute("SELECT cordon.set_tenant(%s)", [str(number)])
    return Tenant(using=None, savepoint=True, durable=False)


with connection.schema_editor() as editor:
    state = migrations.state.ProjectState()
    CreateIntegration("0001", "clients").apply(state, editor)

for number in (1, 2):
    with tenant(number):
        Integration.objects.create(team_id=number, email="anna@example.org", token=f"token of {number}")
for _ in range(10):
    for number in (1, 2):
        with tenant(number):
            integration = Integration.objects.get(email="anna@example.org")
            assert integration.token == f"token of {number}" and integration.team_id == number
            integration.hits += 1
            integration.save()  # writes every field, as the admin does
with tenant(1):
    assert Integration.objects.filter(email__in=["anna@example.org", "x"]).count() == 1
    Integration.objects.bulk_create(Integration(team_id=1, email=f"bulk{i}@example.org", token=f"bulk {i}") for i in range(500))
    assert Integration.objects.count() == 501
try:
    list(Integration.objects.filter(email="anna@example.org"))
    raise SystemExit("no error without a tenant")
except ProgrammingError as error:
    assert error.__cause__.pgcode == "42501" and "anna" not in error.__cause__.diag.message_primary
try:
    with tenant(1):
        Integration.objects.create(team_id=1, email="anna@example.org")
    raise SystemExit("no error for a value that is there")
except IntegrityError as error:
    assert error.__cause__.pgcode == "23505" and "anna" not in str(error)
