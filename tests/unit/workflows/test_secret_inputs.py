"""Secrets that are given with an execution: taken in at the door, opened by its tasks, nowhere in clear, forgotten."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.models import SealedSecret
from backend.apps.credentials.services.sealed_secrets import is_reference, unseal
from backend.apps.credentials.services.sealing import open_tokens
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.definitions.secret_inputs import is_secret_input
from backend.apps.workflows.definitions.taken_secrets import take_secrets
from backend.apps.workflows.errors import InvalidDefinition
from backend.apps.workflows.models import TaskExecution, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import (
    enqueue_method,
    rerun_execution,
    resume_execution,
    save_definition,
    start_execution,
)
from backend.apps.workflows.services.secret_inputs import KEPT_AFTER_FAILURE, forget_spent
from backend.errors import InvalidInput, RemoteRefused, RepomillError
from tests.unit.workflows.conftest import task_of

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "ghp_" + "5ecre7" * 6
MARKED = {"type": "object", "properties": {"key": {"type": "string", "writeOnly": True}}}


def step(**config: Any) -> dict[str, Any]:
    return {"id": "a", "type": "one", "config": config}


def definition(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "test", "steps": list(steps), **more}


def stored() -> str:
    """Every column of every row, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


@pytest.fixture
def opened(runner):
    """The arguments that tasks were done with, their secrets opened as in a worker."""
    found: list[dict[str, Any]] = []

    def service(claimed):
        found.append(open_tokens(claimed.arguments, execution_id=claimed.execution_id or claimed.id))
        return {}

    runner.service = service
    return found


@pytest.mark.parametrize(
    ("schema", "name", "secret"),
    [
        (MARKED, "key", True),
        (MARKED, "other", False),
        ({}, "github_token", True),
        ({"properties": {"GitLab-Token": {}}}, "GitLab-Token", True),
        ({"properties": {"key": {"writeOnly": False}}}, "key", False),
        ({"properties": {"key": True}}, "key", False),
    ],
)
def test_which_inputs_are_secrets(schema, name, secret):
    assert is_secret_input(schema, name) is secret


@pytest.fixture
def begin(user, broker):
    """Starts an execution of a definition."""

    def call(*steps: dict[str, Any], schema: dict[str, Any] | None = None, **inputs: Any) -> WorkflowExecution:
        data = definition(*steps, **({} if schema is None else {"inputs": schema}))
        return start_execution(version=save_definition(check_definition(data)), inputs=inputs, user=user)

    return call


@pytest.mark.parametrize("name", ["key", "token"])
def test_a_secret_input_is_stored_nowhere_and_reaches_its_task(begin, runner, opened, name):
    schema = {"type": "object", "properties": {name: {"type": "string", "writeOnly": True}, "x": {"type": "string"}}}
    wanted = step(data={"github_token": f"${{{{ inputs.{name} }}}}"}, x="${{ inputs.x }}")
    execution = begin(wanted, schema=schema, x="plain", **{name: TOKEN})
    assert is_reference(execution.input_data[name])
    assert execution.input_data["x"] == "plain"
    runner.until_idle()
    assert (opened[0]["data"]["github_token"].reveal(), opened[0]["x"]) == (TOKEN, "plain")
    assert TOKEN not in stored()
    execution.refresh_from_db()
    assert execution.status == "completed"


def test_a_literal_token_becomes_an_input_of_the_version_and_reaches_its_task(begin, runner, opened):
    execution = begin(step(github_token=TOKEN, data={"list": [{"password": "pw"}]}))
    assert TOKEN not in stored()
    shown = WorkflowVersion.objects.get().definition
    assert shown["steps"][0]["config"] == {
        "github_token": "${{ inputs.a_github_token }}",
        "data": {"list": [{"password": "${{ inputs.a_data_list_0_password }}"}]},
    }
    assert shown["inputs"]["required"] == ["a_github_token", "a_data_list_0_password"]
    assert all(shown["inputs"]["properties"][name]["writeOnly"] for name in shown["inputs"]["required"])
    # What is stored is a definition that may be saved again, and what it could read before it can read still.
    assert check_definition(shown).digest == WorkflowVersion.objects.get().digest
    runner.until_idle()
    assert (opened[0]["github_token"].reveal(), opened[0]["data"]["list"][0]["password"].reveal()) == (TOKEN, "pw")
    execution.refresh_from_db()
    assert execution.status == "completed"


def test_another_token_is_no_other_version(begin):
    begin(step(token=TOKEN))
    begin(step(token=TOKEN[::-1]))
    assert WorkflowVersion.objects.count() == 1
    assert SealedSecret.objects.count() == 2


def test_a_version_from_the_database_wants_its_secret(user, broker):
    save_definition(check_definition(definition(step(token=TOKEN))))
    version = WorkflowVersion.objects.get()
    with pytest.raises(InvalidInput, match="a_token"):
        start_execution(version=version, inputs={}, user=user)
    execution = start_execution(version=version, inputs={"a_token": "another-token-for-this"}, user=user)
    assert is_reference(execution.input_data["a_token"])


def test_names_and_the_rest_of_the_inputs_are_left_alone():
    inputs = {"type": "object", "properties": {"a_token": {"type": "string"}}, "required": ["a_token"]}
    free = definition(step(token=TOKEN, x="${{ inputs.anything }}"))
    assert check_definition(take_secrets(check_definition(free))[0].data).inputs["additionalProperties"] is True
    data = definition(step(token=TOKEN, password="${{ inputs.a_token }}"), inputs=inputs)
    before = json.dumps(data)
    taken, secrets = take_secrets(check_definition(data))
    assert json.dumps(data) == before
    assert list(secrets) == ["a_token_2"]
    assert taken.inputs["required"] == ["a_token", "a_token_2"]
    assert take_secrets(taken) == (taken, {})


@pytest.mark.parametrize(
    "more",
    [
        {"description": f"with {TOKEN}"},
        {"outputs": {"x": TOKEN}},
        {"steps": [step(token=TOKEN), {"id": "b", "type": "one", "config": {"url": f"https://{TOKEN}@h/"}}]},
    ],
)
def test_a_literal_that_stands_elsewhere_too_is_refused(more):
    with pytest.raises(RepomillError) as refused:
        save_definition(check_definition({**definition(step(token=TOKEN)), **more}))
    assert TOKEN not in str(refused.value.as_json())
    assert not WorkflowVersion.objects.exists()


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (definition(step(readme="${{ inputs.token }}")), "steps[0].config.readme"),
        (definition(step(structure={"token": "${{ inputs.token }}"})), "steps[0].config.structure.token"),
        (definition(step(url="https://${{ inputs.token }}@h")), "steps[0].config.url"),
        (definition(step(token="${{ inputs.token == 'x' }}")), "steps[0].config.token"),
        (definition(step(data={"${{ inputs.token }}": 1})), "steps[0].config.data.${{ inputs.token }}"),
        (definition(step(), outputs={"t": "${{ inputs.token }}"}), "outputs.t"),
        (definition(step(token="${{ inputs.key }}", x="${{ inputs.key }}"), inputs=MARKED), "steps[0].config.x"),
        (definition(step(token=123)), "steps[0].config.token"),
        (definition(step(token="x${{ inputs.y }}")), "steps[0].config.token"),
        (definition(step(token=TOKEN, x=[TOKEN])), "steps[0].config.x.0"),
        (definition(step(), inputs={"properties": {"token": {"type": "object"}}}), "inputs.properties.token.type"),
        (
            definition(step(), inputs={"properties": {"key": {"writeOnly": True, "default": TOKEN}}}),
            "inputs.properties.key.default",
        ),
        (
            definition(step(), inputs={"properties": {"l": {"items": {"writeOnly": True}}}}),
            "inputs.properties.l.items.writeOnly",
        ),
    ],
)
def test_a_secret_is_used_where_it_is_opened_and_nowhere_else(data, path):
    with pytest.raises(InvalidDefinition) as refused:
        check_definition(data)
    assert refused.value.place["path"] == path
    assert TOKEN not in str(refused.value.as_json())


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"token": {"pattern": "^x"}}}, TOKEN),
        ({"properties": {"token": {"maxLength": 3}}}, TOKEN),
        ({"properties": {"token": {"type": "string"}}}, 5),
        ({"maxProperties": 0}, TOKEN),
        ({"anyOf": [{"required": ["x"]}, {"properties": {"token": {"maxLength": 3}}}]}, TOKEN),
        ({}, "two\nlines of a token " + TOKEN),
    ],
)
def test_a_secret_that_does_not_fit_is_not_repeated(begin, schema, value):
    with pytest.raises(InvalidInput) as refused:
        begin(step(), schema={"type": "object", **schema}, token=value)
    assert TOKEN not in str(refused.value.as_json())
    assert not WorkflowExecution.objects.exists()
    assert not SealedSecret.objects.exists()


def test_a_secret_from_a_list_or_a_result_is_not_in_the_tasks_rows(begin, runner, opened):
    repeated = {**step(token="${{ item.t }}", name="${{ item.n }}"), "each": "${{ inputs.items }}"}
    execution = begin(repeated, items=[{"t": TOKEN, "n": "x"}, {"t": TOKEN[::-1], "n": "y"}])
    assert TOKEN not in str(list(TaskExecution.objects.values()))
    runner.until_idle()
    assert [found["token"].reveal() for found in opened] == [TOKEN, TOKEN[::-1]]
    execution.refresh_from_db()
    assert execution.status == "completed"


@pytest.fixture
def failed(begin, runner):
    """An execution that was given a secret and has failed."""

    def refuse(claimed):
        raise RemoteRefused

    runner.service = refuse
    execution = begin(step(token="${{ inputs.token }}"), token=TOKEN)
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "failed"
    return execution


def test_resuming_opens_the_same_secret(failed, user, runner, opened):
    forget_spent(now=timezone.now())
    resume_execution(execution_id=failed.pk, user=user)
    runner.until_idle()
    assert opened[0]["token"].reveal() == TOKEN


def test_a_rerun_has_a_secret_of_its_own(failed, user, runner, opened):
    again = rerun_execution(execution_id=failed.pk, user=user)
    assert again.input_data["token"] != failed.input_data["token"]
    assert unseal(again.input_data["token"], execution_id=again.pk).reveal() == TOKEN
    other = rerun_execution(execution_id=failed.pk, user=user, inputs={"token": "another-token-for-this"})
    assert unseal(other.input_data["token"], execution_id=other.pk).reveal() == "another-token-for-this"


def test_nobody_runs_again_with_somebody_elses_secret(failed, broker):
    stranger = User.objects.create_user("another")
    with pytest.raises(InvalidInput, match="somebody else") as refused:
        rerun_execution(execution_id=failed.pk, user=stranger)
    assert refused.value.place["field"] == "inputs.token"
    rerun_execution(execution_id=failed.pk, user=stranger, inputs={"token": TOKEN})


def test_a_secret_is_forgotten_when_its_execution_is_over(failed, user, begin, runner):
    now = timezone.now()
    assert forget_spent(now=now) == 0
    assert forget_spent(now=now + KEPT_AFTER_FAILURE + timedelta(minutes=1)) == 1
    with pytest.raises(InvalidInput, match="not kept"):
        rerun_execution(execution_id=failed.pk, user=user)
    runner.service = lambda claimed: {}
    execution = begin(step(token="${{ inputs.token }}"), token=TOKEN)
    assert forget_spent(now=now + timedelta(days=300)) == 0
    runner.until_idle()
    execution.refresh_from_db()
    assert execution.status == "completed"
    assert forget_spent(now=now) == 1
    assert not SealedSecret.objects.exists()


def test_a_secret_is_forgotten_when_its_task_is_over(user, runner):
    def refuse(claimed):
        raise RemoteRefused

    runner.service = refuse
    arguments = {"github_token": TOKEN, "repository_name": "x"}
    task = enqueue_method(method="export.export_to_github", arguments=arguments, key="k", user=user)
    assert forget_spent(now=timezone.now() + timedelta(days=300)) == 0
    runner.do(task.pk)
    assert forget_spent(now=timezone.now()) == 1


def test_a_value_that_looks_like_a_reference_is_a_value(begin, runner, opened):
    reference = begin(step(token=TOKEN)).input_data["a_token"]
    begin(step(token="${{ inputs.token }}"), token=reference)
    runner.until_idle()
    assert opened[1]["token"].reveal() == reference


def test_a_task_opens_no_secret_of_another_execution(begin, runner, opened):
    reference = begin(step(token=TOKEN)).input_data["a_token"]
    runner.until_idle()
    execution = begin(step(token="${{ inputs.x }}"), x=reference)
    runner.until_idle()
    execution.refresh_from_db()
    assert (execution.status, execution.error["code"]) == ("failed", "not_found")
    assert task_of(execution, "a").arguments["token"] == reference
