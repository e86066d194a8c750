"""Runs one service method as a task of its own, outside any workflow."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone

from backend.apps.authentication.grants import as_json
from backend.apps.authentication.models import User
from backend.apps.credentials.services.sealing import hide_tokens, seal_tokens
from backend.apps.workflows.definitions.json_values import check_json
from backend.apps.workflows.execution.chains import send
from backend.apps.workflows.former_names import current_name
from backend.apps.workflows.methods import check_call
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.publishing import sending
from backend.errors import Conflict, InvalidInput
from backend.telemetry import tracing

KEY = re.compile(r"[!-~]{1,200}")


def enqueue_method(
    *,
    method: str,
    arguments: dict[str, Any],
    key: str,
    user: User,
    project_id: UUID | None = None,
    project_name: str = "",
    max_retries: int = 10,
) -> TaskExecution:
    """Record a TaskExecution for a service method such as `generation.write_file`, and send it to the workers.

    arguments: a literal `github_token`, `gitlab_token`, `token` or `password` in them is kept encrypted, for this task
        alone and until it has ended; the row has a reference in its place.
    key: names the work for ever, in up to 200 printable ASCII characters without spaces. The same key with the same
        method and arguments returns the task there is.
    Raises InvalidInput for a method that there is not, and for arguments that it does not take or that are not JSON;
    Conflict for a key that was used for something else.
    """
    method = current_name(method)
    check_json(arguments, where="arguments")
    check_call(method, arguments)
    if not KEY.fullmatch(key):
        # It becomes the Idempotency-Key of the calls that the task makes.
        raise InvalidInput(
            "The key is not valid.", field="key", expected="1 to 200 printable ASCII characters, no spaces"
        )
    try:
        with tracing.span("call method", kind="producer", method=method), transaction.atomic():
            identifier = uuid4()
            task = TaskExecution.objects.create(
                id=identifier,
                key=key,
                method=method,
                arguments=seal_tokens(arguments, execution_id=identifier),
                user_id=user.pk,
                project_id=project_id,
                description=f"{project_name or 'no project'} · {method}"[:300],
                max_retries=max_retries,
                trace_parent=tracing.traceparent(),
                grant=as_json(user.grant),
                ready=True,
                **sending(timezone.now()),
            )
            send([task])
    except IntegrityError:
        known = TaskExecution.objects.get(key=key)
        asked = (known.method, hide_tokens(known.arguments), known.user_id, known.project_id)
        if asked != (method, hide_tokens(arguments), user.pk, project_id):
            raise Conflict(
                f"The key {key!r} names other work already.", field="key", hint="Use another key for other work."
            ) from None
        return known
    return task
