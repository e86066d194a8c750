"""One service method as a task of its own."""

import pytest

from backend.apps.credentials.models import SealedSecret
from backend.apps.workflows.execution.run import Completed, Failed, TryAgain
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
from backend.errors import Conflict, InvalidInput, RemoteRefused, RemoteUnreachable

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_method_is_recorded_sent_and_done(user, runner, broker):
    task = enqueue_method(
        method="generation.write_file", arguments={"path": "x", "content": ""}, key="k", user=user, project_name="p"
    )
    assert broker.sent == [[task.pk]]
    assert task.description == "p · generation.write_file"
    assert isinstance(runner.do(task.pk), Completed)
    task.refresh_from_db()
    assert task.status == "completed"
    assert task.result == {"did": {"path": "x", "content": ""}}


def test_the_same_key_is_the_same_work(user, broker):
    first = enqueue_method(method="generation.write_file", arguments={"path": "x", "content": ""}, key="k", user=user)
    again = enqueue_method(method="generation.write_file", arguments={"path": "x", "content": ""}, key="k", user=user)
    assert again.pk == first.pk
    assert TaskExecution.objects.count() == 1
    with pytest.raises(Conflict):
        enqueue_method(method="generation.write_file", arguments={"path": "y", "content": ""}, key="k", user=user)
    with pytest.raises(InvalidInput):
        enqueue_method(method="generation.write_file", arguments={"path": object(), "content": ""}, key="z", user=user)
    with pytest.raises(InvalidInput):
        enqueue_method(method="generation.cleanup", arguments={}, key="with space", user=user)


@pytest.mark.parametrize(
    ("method", "arguments", "field", "expected"),
    [
        ("generation.write_file", {"path": 3, "content": ""}, "arguments.path", "string"),
        ("generation.write_file", {"path": "x", "content": None}, "arguments.content", "string"),
        ("generation.create_gitignore", {"patterns": "*.pyc"}, "arguments.patterns", "array"),
        ("generation.create_gitignore", {"patterns": ["*.pyc", 1]}, "arguments.patterns[1]", "string"),
        ("generation.generate_project_structure", {"structure": []}, "arguments.structure", "object"),
        ("export.export_as_tar", {"compressed": "yes"}, "arguments.compressed", "boolean"),
        ("export.export_to_github", {"repository_name": "r", "topics": "web"}, "arguments.topics", "array or null"),
        ("agents.call", {"method": "GET", "endpoint": "/x/", "params": ["a"]}, "arguments.params", "object or null"),
        ("generation.generate", {"files": "x"}, "arguments.files", "array or null"),
        ("generation.generate", {"readme": ["x"]}, "arguments.readme", "string or null"),
        ("generation.generate", {"read_me": "x"}, "arguments.read_me", None),
    ],
)
def test_an_argument_of_another_kind_is_refused_at_the_door(user, broker, method, arguments, field, expected):
    with pytest.raises(InvalidInput) as refused:
        enqueue_method(method=method, arguments=arguments, key="k", user=user)
    assert refused.value.place["field"] == field
    if expected is not None:
        assert refused.value.place["expected"] == expected
    assert not TaskExecution.objects.exists()
    assert not broker.sent


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("export.export_to_github", {"repository_name": "r", "topics": None, "private": True}),
        ("agents.call", {"method": "POST", "endpoint": "/x/", "data": [1, "two"], "params": {"a": 1}}),
        ("agents.create_story", {"project_id": "p", "title": "t", "description": "", "points": 3}),
        ("generation.generate", {"structure": {"a.txt": "x"}, "readme": "# x", "based_on": "latest"}),
    ],
)
def test_what_a_method_takes_is_recorded(user, broker, method, arguments):
    assert enqueue_method(method=method, arguments=arguments, key="k", user=user).arguments == arguments


@pytest.mark.parametrize(("error", "outcome"), [(RemoteRefused, Failed), (RemoteUnreachable, TryAgain)])
def test_it_fails_and_waits_like_any_other(user, runner, error, outcome):
    def raises(claimed):
        raise error

    runner.service = raises
    task = enqueue_method(method="generation.cleanup", arguments={}, key="k", user=user)
    assert isinstance(runner.do(task.pk), outcome)


TOKEN = "ghp_" + "c0ffee" * 6


def test_a_literal_token_is_sealed_for_the_task(user, broker):
    asked = {"method": "export.export_to_github", "key": "k", "user": user}
    task = enqueue_method(arguments={"github_token": TOKEN, "repository_name": "x"}, **asked)
    assert TOKEN not in str((task.arguments, list(TaskExecution.objects.values())))
    assert str(SealedSecret.objects.get(execution_id=task.pk)) == task.arguments["github_token"]
    # The same key is the same work, whatever the token: a renewed one is no other work.
    for again in (TOKEN, "another-token-altogether"):
        assert enqueue_method(arguments={"github_token": again, "repository_name": "x"}, **asked).pk == task.pk
    assert SealedSecret.objects.count() == 1
    with pytest.raises(Conflict) as refused:
        enqueue_method(arguments={"github_token": TOKEN, "repository_name": "y"}, **asked)
    assert TOKEN not in str(refused.value.as_json())


@pytest.mark.parametrize(
    "wrong", [{"repository_name": TOKEN}, {"description": f"by {TOKEN}"}, {"base_url": f"https://{TOKEN}@h"}]
)
def test_a_token_that_stands_elsewhere_too_is_refused(user, broker, wrong):
    arguments = {"github_token": TOKEN, "repository_name": "x", **wrong}
    with pytest.raises(InvalidInput) as refused:
        enqueue_method(method="export.export_to_github", arguments=arguments, key="k", user=user)
    assert TOKEN not in str(refused.value.as_json())
    assert not TaskExecution.objects.exists()
    assert not SealedSecret.objects.exists()
    assert broker.sent == []


def test_what_a_template_is_filled_with_is_no_secret(user, broker):
    arguments = {"template_path": "t", "output_path": "o", "context": {"token": "a word"}}
    task = enqueue_method(method="generation.generate_from_template", arguments=arguments, key="k", user=user)
    assert task.arguments == arguments
