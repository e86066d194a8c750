"""The preview of the task that calls our API; see `backend.apps.workflows.previews`."""

from __future__ import annotations

from dataclasses import asdict

from backend.apps.agents.services.dry_call import request_of
from backend.apps.workflows.definitions.unknown import Unknown
from backend.apps.workflows.previews import Asked, Effect, Preview, register


def _call(asked: Asked) -> Preview:
    request = request_of(**asked.arguments)
    # What a server answers is its own to say, of a GET too.
    return Preview(Effect("requests", f"{request.method} {request.url}", asdict(request)), Unknown.of(asked.origin))


register("agents.call", _call)
