"""The answers that were given to requests with an Idempotency-Key."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class IdempotentRequest(models.Model):
    """One request by one user under one key, and the answer it got."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    """SHA-256 of what `idempotency.fingerprint` names: the same key with another request is an error."""
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.TextField(null=True, blank=True)
    """JSON as it was sent: a JSON column of PostgreSQL would put its members into another order."""
    headers = models.JSONField(default=dict)
    """The answer's headers that a client reads: Location and ETag."""
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_key")]
