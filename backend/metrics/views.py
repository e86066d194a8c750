"""`/metrics`, for a Prometheus that has the token of the secret file `metrics_token`; nobody else reads it."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from backend.config.secret_files import read_or_create
from backend.metrics.exposition import exposition

TOKEN = "metrics_token"  # noqa: S105  (a file's name)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics, or 401 where the token is missing or wrong."""
    expected = f"Bearer {read_or_create(settings.ENVIRONMENT.secrets_dir, TOKEN)}"
    given = request.headers.get("Authorization", "")
    if not hmac.compare_digest(given.encode(), expected.encode()):
        text = f"The metrics need the token of the file {TOKEN}, as Authorization: Bearer.\n"
        refusal = HttpResponse(text, status=401, content_type="text/plain; charset=utf-8")
        refusal.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refusal
    return HttpResponse(exposition(now=timezone.now()), content_type=CONTENT_TYPE_LATEST)
