"""Many clients start runs at the same moment: none is lost, none is refused, and all of them end."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.integration.installation import Installation

pytestmark = [pytest.mark.integration, pytest.mark.both_databases]

CLIENTS = 200
SETUP = """
from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.services import save_definition
config = {"readme": "# ${{ inputs.name }}"}
steps = [{"id": "a", "type": "file_generation", "config": config, "condition": "${{ inputs.go }}"}]
inputs = {"type": "object", "properties": {"name": {"type": "string"}, "go": {"type": "boolean"}}}
save_definition(check_definition({"name": "burst", "inputs": inputs, "steps": steps}))
answer = jwt_service.generate_token(User.objects.get(username="operator"))
"""
COUNTS = """
from collections import Counter
from backend.apps.workflows.models import WorkflowExecution
rows = WorkflowExecution.objects.filter(workflow__name="burst").values_list("input_data__name", "status")
answer = {"names": len({name for name, _ in rows}), **Counter(status for _, status in rows)}
"""


async def start_all(url: str, token: str) -> list[Any]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=120, limits=limits, headers=headers, trust_env=False) as client:

        async def start(number: int) -> Any:
            # Some do nothing and end at once; the others are taken by the workers.
            inputs = {"name": f"n{number}", "go": number % 20 == 0}
            body = {"workflow": "burst", "input_data": inputs, "project": "demo"}
            return await client.post(f"{url}/api/v1/workflows/executions/", json=body)

        return await asyncio.gather(*(start(number) for number in range(CLIENTS)))


def test_every_client_gets_its_run_and_every_run_ends(running: Installation) -> None:
    token = running.django(SETUP)
    info = running._ready()
    assert info is not None
    assert info.web_url is not None
    answers = asyncio.run(start_all(info.web_url, token))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == CLIENTS
    counts = running.wait_until(
        lambda: found if (found := running.django(COUNTS)).get("completed") == CLIENTS else None,
        patience=120,
        what="all runs to end",
    )
    assert counts == {"names": CLIENTS, "completed": CLIENTS}
