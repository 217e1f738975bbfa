"""Whose rows a piece of work sees: `with tenant(7): …`, and the middleware that does it for each request."""

from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection, transaction
from django.http import JsonResponse

_current = ContextVar("tenant")


def current():
    """The tenant that new rows are given. An error outside of `tenant()`, as in the database."""
    return _current.get()


@contextmanager
def tenant(team_id):
    """A transaction that sees, changes and makes rows of one team only."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT cordon.set_tenant(%s)", [str(team_id)])
        token = _current.set(team_id)
        try:
            yield
        finally:
            _current.reset(token)


class TenantMiddleware:
    """Finds out by the API key which team asks, and answers within its tenant. Without a key there is no tenant."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        team_id = self.team_of(key) if scheme == "Bearer" else None
        if team_id is None:
            return JsonResponse({"error": "an API key is needed"}, status=401)
        with tenant(team_id):
            return self.get_response(request)

    @staticmethod
    def team_of(key):
        # The database keeps a hash of the key, and who it was made for. Unknown, revoked or at its end: NULL.
        with connection.cursor() as cursor:
            cursor.execute("SELECT cordon.check_token('api', %s)::bigint", [key])
            (team_id,) = cursor.fetchone()
        return team_id
