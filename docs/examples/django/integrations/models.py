"""What a team keeps about the services that it is connected to."""

from django.db import models

from . import tenancy
from .fields import EncryptedTextEqField, EncryptedTextField


class Integration(models.Model):
    """An account of a team's with a service. No query here ever names the team: the database does."""

    team_id = models.BigIntegerField(default=tenancy.current, editable=False)
    service = models.TextField()
    email = EncryptedTextEqField()
    access_token = EncryptedTextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team_id", "email", "service"], name="integration_email")]
