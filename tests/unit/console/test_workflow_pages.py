"""The pages of workflows: who sees what, what the form does with answers, and that others' text stays text."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import SavedInputs, TaskExecution, Workflow, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import save_definition

pytestmark = pytest.mark.django_db
LIST = "/console/workflows/"
EVIL = "<script>alert(1)</script>'\"{{ 7*7 }}"
SECRET = "correct horse battery staple"


def definition(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": "hello",
        "description": f"Says hello. {EVIL}",
        "inputs": {
            "type": "object",
            "required": ["name", "host"],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]+$", "description": EVIL},
                "host": {"enum": ["local", "github"]},
                "token": {"type": "string", "writeOnly": True},
                "count": {"type": "integer", "default": 3},
            },
            "if": {"properties": {"host": {"const": "github"}}, "required": ["host"]},
            "then": {"properties": {"owner": {"type": "string"}}, "required": ["owner"]},
        },
        "steps": [{"id": "files", "type": "file_generation", "config": {"readme": "# ${{ inputs.name }}"}}],
    }
    return {**found, **more}


def saved(**more: Any) -> WorkflowVersion:
    return save_definition(check_definition(definition(**more)))


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password="long enough to pass")


@pytest.fixture
def client(ada: User) -> Client:
    made = Client(enforce_csrf_checks=False)
    made.force_login(ada)
    return made


@pytest.fixture
def project(ada: User) -> Project:
    return Project.objects.create(name="Mill", slug="mill", owner=ada)


def at(path: str = "start/", name: str = "hello") -> str:
    """Return the address of a page of a workflow."""
    return f"{LIST}{Workflow.objects.get(name=name).pk}/{path}"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize(
    "path",
    ["", "ID/", "ID/versions/1/", "ID/start/", "-/editor/", "-/editor/?workflow=ID"],
)
def test_a_page_is_for_who_has_logged_in_and_shows_text_as_text(client: Client, path: str) -> None:
    path = path.replace("ID", str(saved().workflow_id))
    assert Client().get(LIST + path).status_code == 302
    answer = client.get(LIST + path)
    assert answer.status_code == 200
    page = text_of(answer)
    assert "<script>alert" not in page
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son\w+=", page)
    assert "script-src 'self'" in answer["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["NONE/", "ID/versions/9/", "NONE/start/", "ID/start/?version=9"])
def test_what_is_not_there_is_a_page_that_says_so(client: Client, path: str) -> None:
    path = path.replace("ID", str(saved().workflow_id)).replace("NONE", str(uuid4()))
    assert client.get(LIST + path).status_code == 404


@pytest.mark.parametrize("path", ["", "versions/1/", "start/"])
def test_anothers_workflow_is_none(client: Client, path: str) -> None:
    eve = User.objects.create_user("eve")
    theirs = save_definition(check_definition(definition()), owner=eve)
    assert client.get(f"{LIST}{theirs.workflow_id}/{path}").status_code == 404
    assert client.post(f"{LIST}{theirs.workflow_id}/start/", {"do": "start"}).status_code == 404
    assert client.get(f"{LIST}-/editor/?workflow={theirs.workflow_id}").status_code == 404
    assert "hello" not in text_of(client.get(LIST))


def test_the_list_is_searched_and_costs_the_same_for_many(client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            client.get(LIST)
        return len(seen)

    saved()
    few = queries()
    for number in range(12):
        saved(name=f"more-{number}")
    assert queries() == few
    page = text_of(client.get(LIST, {"search": "more-1"}))
    assert "more-11" in page
    assert "more-2<" not in page
    assert "No workflow is called so" in text_of(client.get(LIST, {"search": "zzz\0"}))


def test_a_version_shows_what_it_changed(client: Client) -> None:
    saved()
    saved(steps=[{"id": "files", "type": "file_generation", "config": {"readme": f"# {EVIL}"}}])
    page = unescape(text_of(client.get(at("versions/2/"))))
    assert "<div class=\"line removed\">-      readme: '# ${{ inputs.name }}'</div>" in page
    assert '<div class="line added">+' in page
    assert "first version" in text_of(client.get(at("versions/1/")))


def test_the_form_asks_for_what_the_schema_says(client: Client) -> None:
    saved()
    page = text_of(client.get(at()))
    assert 'name="in/name"' in page
    assert '<input id="in-count" name="in/count" type="number" value="3"' in page
    assert 'name="in/token" type="password"' in page
    assert "in/owner" not in page
    part = client.post(at(), {"in/host": '"github"', "in/name": EVIL}, headers={"HX-Request": "true"})
    assert part.status_code == 200
    shown = text_of(part)
    assert 'name="in/owner"' in shown
    assert "<html" not in shown
    assert "aria-invalid" not in shown
    assert "<script>" not in shown


def test_a_wrong_answer_is_said_at_its_field_and_nothing_starts(client: Client, project: Project) -> None:
    saved()
    answers = {"in/name": "Not so", "in/host": '"github"', "in/token": SECRET, "in/count": "many", "do": "start"}
    answer = client.post(at(), answers)
    assert answer.status_code == 422
    page = text_of(answer)
    for name in ("name", "owner", "count"):
        assert f'id="in-{name}-error"' in page
        assert f'href="#in-{name}"' in page
        assert re.search(rf'id="in-{name}"[^>]*aria-invalid="true"[^>]*aria-describedby="[^"]*in-{name}-error', page)
    assert 'value="Not so"' in page
    assert 'value="many"' in page
    assert SECRET not in page
    assert not WorkflowExecution.objects.exists()


def test_a_run_starts_with_the_answers(client: Client, project: Project) -> None:
    saved()
    answers = {"project": str(project.pk), "in/name": "mill", "in/host": '"local"', "in/token": SECRET, "in/count": ""}
    answer = client.post(at(), {**answers, "do": "start"})
    assert answer.status_code == 302
    run = WorkflowExecution.objects.get()
    assert (run.project_id, run.input_data["name"], run.input_data["count"]) == (project.pk, "mill", 3)
    assert SECRET not in str(run.input_data)
    again = text_of(client.get(f"{at()}?again={run.pk}"))
    assert 'value="mill"' in again
    assert f'value="{project.pk}" selected' in again


def test_who_may_not_start_work_in_a_project_is_told_there(client: Client) -> None:
    saved()
    other = Project.objects.create(name="Other", slug="other", owner=User.objects.create_user("bob"))
    page = text_of(client.get(at()))
    assert str(other.pk) not in page
    answer = client.post(at(), {"project": str(other.pk), "in/name": "mill", "in/host": '"local"', "do": "start"})
    assert answer.status_code == 422
    assert 'id="project-error"' in text_of(answer)
    assert not WorkflowExecution.objects.exists()


def test_a_dry_run_is_shown_and_nothing_is_done(client: Client, project: Project) -> None:
    saved()
    answer = client.post(at(), {"project": "mill", "in/name": "mill", "in/host": '"local"', "do": "dry-run"})
    page = text_of(answer)
    assert answer.status_code == 200
    assert "README.md" in page
    assert '<div class="line same"># mill</div>' in page
    assert (WorkflowExecution.objects.count(), TaskExecution.objects.count()) == (0, 0)


def test_inputs_are_saved_without_secrets_and_come_back(client: Client) -> None:
    saved()
    answers = {"in/name": "mill", "in/token": SECRET, "save_as": "  my  inputs ", "do": "save"}
    answer = client.post(at(), answers)
    kept = SavedInputs.objects.get()
    assert (kept.name, kept.inputs) == ("my inputs", {"name": "mill"})
    page = text_of(client.get(answer["Location"]))
    assert 'value="mill"' in page
    assert "my inputs" in page
    stranger = Client()
    stranger.force_login(User.objects.create_user("eve"))
    assert 'value="mill"' not in text_of(stranger.get(answer["Location"]))
    stranger.post(f"{LIST}-/saved/{kept.pk}/remove/")
    assert SavedInputs.objects.exists()
    assert client.post(f"{LIST}-/saved/{kept.pk}/remove/").status_code == 302
    assert not SavedInputs.objects.exists()


def test_nothing_is_changed_without_a_token_of_the_form(ada: User) -> None:
    saved()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    for path in (at().removeprefix(LIST), "-/editor/", "-/check/", "-/dry-run/"):
        assert strict.post(LIST + path, {"do": "start"}).status_code == 403


VALID = "name: made\nsteps:\n  - id: a\n    type: file_generation\n    config: {readme: '# x'}\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (VALID, "made is valid: 1 step."),
        (VALID.replace("readme", "reedme"), "Line 5: There is no &#x27;reedme&#x27; here"),
        (VALID.replace("file_generation", "fole_generation"), "did you mean &#x27;file_generation&#x27;?"),
        ("a: [", "is not valid YAML"),
        ("", "empty"),
        (f"name: {EVIL}\n", "Line 1"),
    ],
)
def test_the_editor_says_what_is_wrong_and_at_which_line(client: Client, source: str, said: str) -> None:
    answer = client.post(f"{LIST}-/check/", {"source": source})
    assert answer.status_code == 200
    assert said in text_of(answer)
    assert "<script>" not in text_of(answer)
    assert not Workflow.objects.exists()


def test_the_editor_saves_what_is_valid_and_keeps_what_is_not(client: Client) -> None:
    wrong = client.post(f"{LIST}-/editor/", {"source": "name: Bad\n", "do": "save"})
    assert wrong.status_code == 422
    assert "name: Bad" in text_of(wrong)
    assert not Workflow.objects.exists()
    made = client.post(f"{LIST}-/editor/", {"source": VALID.replace("\n", "\r\n"), "do": "save"})
    assert made["Location"] == at("", "made")
    assert WorkflowVersion.objects.get().number == 1
    assert Workflow.objects.get().owner == User.objects.get(username="ada")
    shown = unescape(text_of(client.get(f"{LIST}-/editor/?workflow={Workflow.objects.get().pk}")))
    assert "name: made" in shown


def test_a_definition_is_saved_in_a_project_by_who_may_change_it(client: Client, project: Project) -> None:
    other = Project.objects.create(name="Other", slug="other", owner=User.objects.create_user("bob"))
    asked = {"source": VALID, "do": "save"}
    refused = client.post(f"{LIST}-/editor/", {**asked, "home": str(other.pk)})
    assert (refused.status_code, Workflow.objects.count()) == (422, 0)
    assert client.post(f"{LIST}-/editor/", {**asked, "home": str(project.pk)}).status_code == 302
    assert Workflow.objects.get().project_id == project.pk


def test_the_editor_shows_a_dry_run(client: Client, project: Project) -> None:
    asked = {"source": VALID, "project": str(project.pk), "inputs": ""}
    assert "README.md" in text_of(client.post(f"{LIST}-/dry-run/", asked))
    assert "README.md" in text_of(client.post(f"{LIST}-/editor/", {**asked, "do": "dry-run"}))
    assert "not JSON" in text_of(client.post(f"{LIST}-/dry-run/", {**asked, "inputs": "{"}))
    assert "There is no project" in text_of(client.post(f"{LIST}-/dry-run/", {**asked, "project": "none"}))
    assert not Workflow.objects.exists()
