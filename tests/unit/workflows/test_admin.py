"""What operators see in Django's admin: where a run stands and its way to Flower; nothing of what it works on."""

from dataclasses import replace

import pytest
from django.conf import LazySettings
from django.test import Client

from backend.apps.authentication.models import User
from backend.apps.workflows.definitions.check import read_definition
from backend.apps.workflows.models import TaskExecution, WorkflowExecution
from backend.apps.workflows.services import save_definition, start_execution

pytestmark = pytest.mark.django_db
DEFINITION = """
name: ask
inputs: {type: object, properties: {word: {type: string}}}
steps:
  - {id: ask, type: api_call, config: {method: GET, endpoint: "/projects/", params: {q: "${{ inputs.word }}"}}}
"""


@pytest.fixture
def operator(client: Client) -> Client:
    """A browser that is signed in as the operator."""
    client.force_login(User.objects.create_superuser("operator", password="x"))
    return client


@pytest.fixture
def execution() -> WorkflowExecution:
    """An execution whose inputs nobody should see here."""
    user = User.objects.create_user("ada")
    version = save_definition(read_definition(DEFINITION))
    return start_execution(version=version, inputs={"word": "unseen-word"}, user=user, project_name="shop")


def test_from_flower_to_the_run_and_back(
    operator: Client, execution: WorkflowExecution, settings: LazySettings
) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, flower_url="/flower/")
    task = execution.tasks.get()
    led = operator.get(f"/tasks/{task.pk}/", follow=True)
    assert led.redirect_chain == [(f"/console/runs/{execution.pk}/steps/ask/#t{task.pk}", 302)]
    assert f'href="/flower/task/{task.pk}"' in led.text
    assert f'id="t{task.pk}"' in led.text
    found = operator.get(f"/admin/workflows/taskexecution/{task.pk}/change/")
    run = f"/admin/workflows/workflowexecution/{execution.pk}/change/"
    assert run in found.text
    assert f'href="/flower/task/{task.pk}"' in found.text
    shown = operator.get(run)
    assert shown.status_code == 200
    assert f'href="/flower/task/{task.pk}"' in shown.text
    assert "shop · ask · agents.call" in shown.text
    assert "execution_started" in shown.text
    for page in (led, found, shown):
        assert "unseen-word" not in page.text


def test_without_an_address_of_flower_there_is_no_link(operator: Client, execution: WorkflowExecution) -> None:
    shown = operator.get(f"/tasks/{execution.tasks.get().pk}/", follow=True)
    assert shown.status_code == 200
    assert "/task/" not in shown.text.replace("/workflows/", "")


@pytest.mark.parametrize("model", ["workflowexecution", "taskexecution"])
def test_lists_can_be_searched_and_nothing_can_be_changed(
    operator: Client, execution: WorkflowExecution, model: str
) -> None:
    row = execution if model == "workflowexecution" else execution.tasks.get()
    assert str(row.pk) in operator.get(f"/admin/workflows/{model}/?q={row.pk}").text
    assert operator.get(f"/admin/workflows/{model}/add/").status_code == 403
    assert operator.post(f"/admin/workflows/{model}/{row.pk}/change/", {"status": "completed"}).status_code == 403
    assert operator.post(f"/admin/workflows/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert TaskExecution.objects.filter(status="completed").count() == 0


def test_it_is_for_staff_alone(client: Client, execution: WorkflowExecution) -> None:
    address = f"/admin/workflows/taskexecution/{execution.tasks.get().pk}/change/"
    client.force_login(User.objects.get(username="ada"))
    refused = client.get(address, follow=True)
    assert refused.status_code == 403
    client.logout()
    asked = client.get(address, follow=True)
    assert (asked.status_code, asked.redirect_chain[-1][0].partition("?")[0]) == (200, "/console/login/")
