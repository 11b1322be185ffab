from __future__ import annotations

from tests.organisations.models import Organisation


def organisation_of(request):
    """Return the organisation that the user of the request acts for."""
    return Organisation.objects.get(pk=request.session["organisation"])
