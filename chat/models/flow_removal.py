"""Deleting a flow without opening anything by it."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, QuerySet

from chat.domain.errors import InvalidInput
from chat.models.api_key import ApiKey
from chat.models.flow import Flow


def keys_only_for(flow: Flow) -> QuerySet[ApiKey]:
    """The live keys that open this flow and nothing else."""
    with_one_flow = ApiKey.objects.alias(num_flows=Count("flows")).filter(num_flows=1)
    return ApiKey.objects.filter(revoked_at__isnull=True, flows=flow, pk__in=with_one_flow.values("pk"))


def remove_flow(flow: Flow) -> None:
    """Delete the flow and revoke the keys that were for it alone; its conversations stay.

    A key without flows opens all of them: left alone such a key would gain rights by the deletion.

    Raises: InvalidInput for the flow of a fresh install, which would only come back.
    """
    if flow.is_default:
        raise InvalidInput(f"The flow {flow.name} belongs to the server.", hint="Edit it instead.")
    with transaction.atomic():
        for key in keys_only_for(flow):
            key.revoke()
        flow.delete()
