"""Tasks of AgentAPICaller: one for each method."""

from __future__ import annotations

from typing import Any

from workers.call import TaskCall
from workers.service_task import service_task


@service_task("agents.call")
def call(
    call: TaskCall, *, method: str, endpoint: str, data: Any = None, params: dict[str, Any] | None = None  # noqa: ANN401
) -> Any:  # noqa: ANN401  (JSON)
    """Make one call of the REST API."""
    return call.api(method, endpoint, data, params)
