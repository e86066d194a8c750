"""How long the answers are kept that idempotency keys repeat.

It stands apart from the API's views, so that the worker that forgets them needs none.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from backend.api.models import IdempotentRequest

KEPT = timedelta(hours=24)


def forget_old_answers() -> int:
    """Delete the answers that are older than 24 hours, and return how many there were."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]
