"""How long the answers to requests with an idempotency key are kept, and their end.

It knows neither requests nor views, so that the workers, which tidy up, need no REST framework.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from backend.api.models import IdempotentRequest

KEPT = timedelta(hours=24)


def forget_old_answers() -> int:
    """Delete the answers that are older than 24 hours, and return how many there were."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]
