"""manage.py issue_key TEAM: a new API key for a team, shown this once."""

from django.core.management.base import BaseCommand
from django.db import connection


class Command(BaseCommand):
    help = "makes an API key for a team and prints it: nobody can show it again"

    def add_arguments(self, parser):
        parser.add_argument("team_id", type=int)

    def handle(self, *, team_id, **options):
        with connection.cursor() as cursor:
            cursor.execute("SELECT cordon.issue_token('api', %s, ttl => '1 year', prefix => 'shop')", [str(team_id)])
            (key,) = cursor.fetchone()
        self.stdout.write(key)
