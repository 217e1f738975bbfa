"""The API."""

import json

from django.http import JsonResponse

from .models import Integration


def integrations(request):
    """GET lists the team's integrations, ?email= those with an address. POST makes one."""
    if request.method == "POST":
        Integration.objects.create(**json.loads(request.body))
    found = Integration.objects.order_by("id")
    if "email" in request.GET:
        found = found.filter(email=request.GET["email"])
    return JsonResponse({"integrations": list(found.values("service", "email", "access_token"))})
