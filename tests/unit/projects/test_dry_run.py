"""What a dry run says of each step, and that it does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from backend.apps.authentication.models import User
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.projects.models import Project
from backend.apps.projects.services.generations import generate
from backend.apps.workflows import step_types
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.dry_run_json import dry_run_as_json
from backend.apps.workflows.services import dry_run as module
from backend.apps.workflows.services.dry_run import DryRun, dry_run
from backend.apps.workflows.step_types import Link, StepType
from backend.errors import InvalidInput, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db

SECRET = "ghp_0123456789abcdef0123456789abcdef0123"
PUSH: dict[str, Any] = {
    "id": "push",
    "type": "repo_creation",
    "config": {"host": "git", "repository_name": "team/mill", "readme": "# R"},
}
STORY = {
    "id": "story",
    "type": "api_call",
    "config": {"method": "POST", "endpoint": "/stories/", "data": {"title": "${{ inputs.name }}"}},
}


@pytest.fixture
def look(owner: User, demo: Project) -> Any:
    """Works out a dry run of steps on the project."""

    def work(
        *steps: dict[str, Any], inputs: dict[str, Any] | None = None, project: str | None = "demo", **more: Any
    ) -> DryRun:
        schema = more.pop("schema", {"type": "object"})
        outputs = more.pop("outputs", {})
        definition = check_definition({"name": "test", "inputs": schema, "steps": list(steps), "outputs": outputs})
        return dry_run(definition=definition, inputs=inputs or {}, user=owner, project=project, **more)

    return work


def files(**config: Any) -> dict[str, Any]:
    return {"id": "files", "type": "file_generation", "config": config}


def statuses(run: DryRun) -> dict[str, str]:
    return {step.id: step.status for step in run.steps}


def shown(run: DryRun) -> dict[str, str]:
    return {file.path: file.status for file in run.files.files} if run.files else {}


def test_files_are_shown_with_their_contents(look: Any) -> None:
    run = look(
        files(
            structure={"src": {"main.py": "print('${{ inputs.name }}')\n"}, "docs": []},
            templates=[{"output_path": "a.txt", "template": "Hi {{ who }}", "context": {"who": "${{ inputs.name }}"}}],
            readme="# ${{ inputs.name }}\n",
        ),
        inputs={"name": "mill"},
    )
    assert run.outcome == "completed"
    assert {file.path: file.content for file in run.files.files} == {
        "README.md": "# mill\n",
        "a.txt": "Hi mill",
        "src/main.py": "print('mill')\n",
    }
    assert (run.files.added, run.files.directories, run.files.against) == (3, ("docs",), None)


def test_files_are_compared_with_what_the_project_has(look: Any, demo: Project, owner: User) -> None:
    was = generate(
        project=demo,
        user=owner,
        execution_id=None,
        structure={
            "same.txt": "s",
            "other.txt": "one\ntwo\n",
            "gone.txt": "g\n",
            "x.sh": "run",
            "bin": {"content": "AA==", "encoding": "base64"},
        },
    )
    run = look(
        files(
            structure={
                "same.txt": "s",
                "other.txt": "one\n2\n",
                "new.txt": "n",
                "x.sh": {"content": "run", "executable": True},
                "bin": {"content": "AAA=", "encoding": "base64"},
            }
        )
    )
    assert run.files.against == was["generation"]
    assert shown(run) == {
        "bin": "changed",
        "gone.txt": "removed",
        "new.txt": "added",
        "other.txt": "changed",
        "same.txt": "unchanged",
        "x.sh": "changed",
    }
    diffs = {file.path: file.diff for file in run.files.files}
    assert diffs["other.txt"] == "--- a/other.txt\n+++ b/other.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    assert diffs["gone.txt"] == "--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-g\n"
    assert diffs["bin"] is None


def test_a_generation_can_begin_with_an_earlier_one_and_remove(look: Any, demo: Project, owner: User) -> None:
    generate(project=demo, user=owner, execution_id=None, structure={"a": "1", "b": "2"})
    run = look(files(based_on="latest", remove=["a"], structure={"c": "3"}), {**PUSH, "depends_on": ["files"]})
    assert shown(run) == {"README.md": "added", "a": "removed", "b": "unchanged", "c": "added"}
    assert run.steps[1].effects[-1].details["total_files"] == 3


def test_a_request_is_shown_whole_and_its_answer_is_not_invented(look: Any, settings: Any) -> None:
    run = look(
        STORY,
        files(
            structure={"story-${{ steps.story.result.id }}.md": "of ${{ inputs.name }}: ${{ steps.story.result.id }}"}
        ),
        inputs={"name": "mill"},
        outputs={"id": "${{ steps.story.result.id }}", "name": "${{ inputs.name }}"},
    )
    effect = run.steps[0].effects[0]
    assert (effect.kind, dict(effect.details)) == (
        "requests",
        {
            "method": "POST",
            "url": f"{settings.BACKEND_URL}/api/v1/stories/",
            "body": {"title": "mill"},
            "repeatable": True,
        },
    )
    (file,) = run.files.files
    assert (file.path, file.content, file.open) == (
        "story-«steps.story.result.id».md",
        "of mill: «steps.story.result.id»",
        True,
    )
    assert {missing.expression for missing in run.steps[1].missing} == {"steps.story.result.id"}
    assert run.outputs == {"id": "«steps.story.result.id»", "name": "mill"}
    assert [missing.path for missing in run.missing] == ["outputs.id"]


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"endpoint": "/a/${{ steps.story.result.id }}/"}, "/api/v1/a/«steps.story.result.id»/"),
        (
            {"endpoint": "a/", "params": {"q": "${{ steps.story.result.id }}", "n": 1}},
            "/api/v1/a/?q=«steps.story.result.id»&n=1",
        ),
        ({"endpoint": "a/?x=1", "params": {"n": 1}}, "/api/v1/a/?x=1&n=1"),
    ],
)
def test_a_url_that_is_known_in_part(look: Any, settings: Any, config: dict[str, Any], url: str) -> None:
    run = look(STORY, {"id": "b", "type": "api_call", "config": {"method": "GET", **config}}, inputs={"name": "x"})
    assert run.steps[1].effects[0].details["url"] == settings.BACKEND_URL + url


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"type": "api_call", "config": {"method": "GET", "endpoint": "http://elsewhere/"}}, "invalid_endpoint"),
        (files(structure={"../x": "y"}), "invalid_path"),
        (files(templates=[{"output_path": "a", "template": "{% nonsense %}"}]), "invalid_template"),
        (files(templates=[{"output_path": "a", "template_path": "none.txt"}]), "not_found"),
        (files(based_on="0b5ae8b4-2a3c-4d3e-9f10-1c2d3e4f5a6b", readme="x"), "not_found"),
        ({**PUSH, "config": {**PUSH["config"], "branch": "refs/x"}}, "invalid_input"),
        (
            {**PUSH, "config": {"host": "github", "credential": "none", "repository_name": "x", "readme": "r"}},
            "not_found",
        ),
        (
            {**PUSH, "config": {"host": "github", "github_token": SECRET, "repository_name": "-x", "readme": "r"}},
            "invalid_input",
        ),
        ({"type": "file_generation", "condition": "${{ inputs.name }}", "config": {"readme": "x"}}, "invalid_input"),
        (
            {"type": "file_generation", "each": "${{ inputs.name }}", "config": {"readme": "x"}},
            "invalid_input",
        ),
    ],
)
def test_what_would_fail_is_said_as_the_run_would_say_it(look: Any, step: dict[str, Any], code: str) -> None:
    run = look({**step, "id": "a"}, {**STORY, "id": "b"}, inputs={"name": "x"})
    assert (run.outcome, run.error["code"], run.error["step"]) == ("failed", code, "a")
    assert statuses(run) == {"a": "failed", "b": "skipped"}
    assert "depends on 'a'" in (run.steps[1].why or "")
    assert SECRET not in json.dumps(dry_run_as_json(run))


def test_conditions_and_failures_lead_where_they_lead_in_a_run(look: Any) -> None:
    run = look(
        {**STORY, "condition": "${{ inputs.name == 'other' }}"},
        {**files(structure={"../x": "y"}), "continue_on_error": True},
        {"id": "after", "type": "api_call", "config": {"method": "GET", "endpoint": "/x/"}},
        {
            "id": "perhaps",
            "type": "file_generation",
            "condition": "${{ steps.after.result.ok == true }}",
            "config": {"readme": "x"},
        },
        inputs={"name": "mill"},
    )
    assert statuses(run) == {"story": "skipped", "files": "failed", "after": "completed", "perhaps": "completed"}
    assert run.outcome == "completed"
    assert [step.condition_known for step in run.steps] == [True, True, True, False]
    assert any("condition" in warning for warning in run.warnings)


def test_items_are_worked_out_one_by_one_up_to_a_bound(look: Any) -> None:
    step = {
        "id": "files",
        "type": "file_generation",
        "each": "${{ inputs.names }}",
        "config": {"structure": {"${{ item }}.txt": "n ${{ item_index }}"}},
    }
    run = look(step, inputs={"names": ["a", "b", "c"]}, items=2)
    assert (run.steps[0].items, run.steps[0].shown_items) == (3, 2)
    assert shown(run) == {"a.txt": "added", "b.txt": "added"}
    assert any("first 2" in warning for warning in run.warnings)
    assert any("Items" in sentence for sentence in run.files.incomplete)


def test_items_that_are_not_known_are_shown_once_for_all(look: Any) -> None:
    step = {
        "id": "calls",
        "type": "api_call",
        "each": "${{ steps.story.result.list }}",
        "config": {"method": "GET", "endpoint": "/x/${{ item.id }}/"},
    }
    run = look(STORY, step, inputs={"name": "x"})
    assert (run.steps[1].items, len(run.steps[1].effects)) == (None, 1)
    assert "«item.id»" in run.steps[1].effects[0].summary


def test_a_step_that_depends_on_too_much_is_unclear_and_not_guessed(look: Any) -> None:
    run = look(
        STORY,
        {"id": "push", "type": "repo_creation", "config": {"host": "${{ steps.story.result.host }}", "readme": "x"}},
        {"id": "more", "type": "file_generation", "config": {"structure": "${{ steps.story.result.tree }}"}},
        inputs={"name": "x"},
    )
    assert statuses(run) == {"story": "completed", "push": "unclear", "more": "completed"}
    assert run.files.incomplete


def test_a_push_says_where_it_goes(look: Any, owner: User, settings: Any, tmp_path: Path) -> None:
    settings.CREDENTIAL_KEYS_FILE, settings.CREDENTIAL_KEYS_GIVEN = tmp_path / "secrets" / "keys", False
    add_credential(user=owner, name="acme-bot", host="github", secret=Secret(SECRET))
    config = {"host": "github", "credential": "acme-bot", "repository_name": "mill", "readme": "# R"}
    run = look(
        {**PUSH, "config": config},
        {**PUSH, "id": "org", "config": {**config, "organization": "acme"}},
        PUSH | {"id": "local"},
    )
    details = [step.effects[-1].details for step in run.steps]
    assert [(each["address"], each["repository"], each["branch"]) for each in details] == [
        ("https://github.com", "«the account of acme-bot»/mill", "main"),
        ("https://github.com", "acme/mill", "main"),
        ("this machine", "team/mill", "main"),
    ]
    assert details[0]["commit"] == "«steps.push.result.commit»"
    assert (details[0]["message"], details[0]["visibility"]) == ("Generate demo", "private")
    assert SECRET not in json.dumps(dry_run_as_json(run))
    assert Credential.objects.get().last_used_at is None


def test_secrets_are_neither_asked_for_nor_shown(look: Any) -> None:
    step: dict[str, Any] = {
        "id": "push",
        "type": "repo_creation",
        "config": {
            "host": "github",
            "github_token": "${{ inputs.github_token }}",
            "repository_name": "x",
            "readme": "r",
        },
    }
    schema = {
        "type": "object",
        "required": ["github_token"],
        "properties": {"github_token": {"type": "string", "minLength": 20}},
    }
    for given in ({}, {"github_token": SECRET}):
        run = look(step, schema=schema, inputs=given)
        assert run.outcome == "completed", run.error
        assert SECRET not in json.dumps(dry_run_as_json(run))
    literal = {**step, "config": {**step["config"], "github_token": SECRET}}
    assert SECRET not in json.dumps(dry_run_as_json(look(literal)))
    with pytest.raises(InvalidInput) as refused:
        look(step, schema=schema, inputs={"github_token": "too short"})
    assert "too short" not in json.dumps(refused.value.as_json())


def test_other_methods_are_shown_as_the_calls_they_are(look: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(step_types, "_registered", dict(step_types._registered))
    step_types.register(StepType("other", {"type": "object"}, lambda config: [Link("other.do", config)]))
    run = look({"id": "a", "type": "other", "config": {"n": 1, "password": SECRET}})
    effect = run.steps[0].effects[0]
    assert (effect.kind, effect.details["method"], effect.details["arguments"]["n"]) == ("calls", "other.do", 1)
    assert SECRET not in json.dumps(dry_run_as_json(run))


def test_without_a_project_the_files_are_shown_and_the_lack_is_said(look: Any) -> None:
    run = look(files(readme="# R"), project=None)
    assert shown(run) == {"README.md": "added"}
    assert run.outcome == "failed"
    assert run.error is not None
    assert (run.error["code"], run.error["field"]) == ("invalid_input", "project")
    assert run.error["message"].startswith("No project is given: the step")
    goes_on = look({**files(readme="# R"), "continue_on_error": True}, project=None)
    assert goes_on.outcome == "completed"
    assert any("No project" in warning for warning in goes_on.warnings)


def test_who_may_not_start_it_may_not_look(look: Any, demo: Project) -> None:
    stranger = User.objects.create_user("stranger")
    definition = check_definition({"name": "test", "steps": [files(readme="x")]})
    with pytest.raises(NotFound):
        dry_run(definition=definition, inputs={}, user=stranger, project="demo")
    demo.memberships.create(user=stranger, role="viewer")
    with pytest.raises(PermissionRefused):
        dry_run(definition=definition, inputs={}, user=stranger, project="demo")


def test_it_ends_in_time(look: Any) -> None:
    ticks = iter([0.0, 1.0, module.SECONDS + 1, module.SECONDS + 2])
    run = look(files(readme="x"), {**files(readme="y"), "id": "late"}, clock=lambda: next(ticks))
    assert statuses(run) == {"files": "completed", "late": "unclear"}


def test_large_files_are_cut_and_long_trees_counted(look: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("backend.apps.projects.services.dry_tree.MOST_FILES", 3)
    run = look(files(structure={"big.txt": "x" * 100_000, **{f"f{n}": "y" for n in range(4)}}))
    big = run.files.files[0]
    assert (big.path, big.size, len(big.content), big.cut) == ("big.txt", 100_000, 65536, True)
    assert (len(run.files.files), run.files.more, run.files.added) == (3, 2, 5)


def test_nothing_is_written_anywhere(look: Any, own_folders: Path) -> None:
    rows = {model: model._default_manager.count() for model in apps.get_models()}
    look(STORY, files(structure={"a": "b"}), {**PUSH, "depends_on": ["files"]}, inputs={"name": "x"})
    assert {model: model._default_manager.count() for model in apps.get_models()} == rows
    assert [path for path in own_folders.rglob("*") if path.is_file()] == []
    assert not (own_folders / "generated").exists()
    assert not (own_folders / "stores").exists()
