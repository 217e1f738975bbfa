"""Tests as ever: they set the tenant as the application does."""

from django.db import ProgrammingError, connection
from django.test import TestCase

from .models import Integration
from .tenancy import tenant


class Isolation(TestCase):
    def setUp(self):
        for team_id in (7, 8):
            with tenant(team_id):
                Integration.objects.create(service="github", email="anna@example.org", access_token=f"ghp_of_{team_id}")

    def test_a_team_sees_its_own_rows(self):
        with tenant(7):
            self.assertEqual(Integration.objects.get(email="anna@example.org").access_token, "ghp_of_7")

    def test_a_team_does_not_write_another_ones(self):
        with tenant(7):
            self.assertEqual(Integration.objects.filter(team_id=8).update(service="stolen"), 0)
        with self.assertRaisesMessage(ProgrammingError, "row-level security"), tenant(7):
            Integration.objects.create(team_id=8, service="github", email="bea@example.org", access_token="x")

    def test_without_a_tenant_there_is_an_error(self):
        with connection.cursor() as cursor:
            cursor.execute("SELECT cordon.set_tenant(NULL)")
        with self.assertRaisesMessage(ProgrammingError, "no tenant is set"):
            list(Integration.objects.all())
