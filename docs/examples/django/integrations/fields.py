"""Fields for the types of pg_cordon. To Python they are text."""

from django.db import models


class EncryptedTextField(models.TextField):
    """Sealed for the row's team."""

    def db_type(self, connection):
        return "encrypted_text"


class EncryptedTextEqField(models.TextField):
    """The same, and can be looked up: filter(email=…), email__in=…, UNIQUE. It has no order and no LIKE."""

    def db_type(self, connection):
        return "encrypted_text_eq"
