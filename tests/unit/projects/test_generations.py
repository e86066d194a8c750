"""Generations: what is recorded is what was committed, however often and wherever it is repeated."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.errors import InvalidPath, WorkspaceBusy
from backend.apps.projects.models import GeneratedProject, Project, ProjectFile, ProjectMembership
from backend.apps.projects.services import generations, recorded_files
from backend.apps.projects.services.content import content_file
from backend.apps.projects.services.generations import generate, open_generation, package
from backend.apps.projects.services.git_store import GitStore
from backend.apps.projects.services.workspace import Workspace
from backend.apps.workflows.execution.interruption import Interrupted
from backend.apps.workflows.models import Workflow, WorkflowExecution, WorkflowVersion
from backend.errors import Conflict, InvalidInput, NotFound, PermissionRefused, TemporaryFailure

pytestmark = pytest.mark.django_db
Status = GeneratedProject.Status


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"


@pytest.fixture
def user():
    return User.objects.create(username="owner")


@pytest.fixture
def project(user):
    return Project.objects.create(name="Demo", slug="demo", owner=user)


@pytest.fixture
def execute(user):
    """Return a function that makes an execution and returns its id."""
    workflow = Workflow.objects.create(name="w")
    version = WorkflowVersion.objects.create(workflow=workflow, number=1, definition={}, digest="d")
    return lambda: WorkflowExecution.objects.create(workflow=workflow, version=version, user=user).pk


def rows(generation: str) -> list[tuple[Any, ...]]:
    return list(
        ProjectFile.objects.filter(generated_project__pk=generation).values_list(
            "id", "file_path", "file_name", "file_type", "file_size", "executable", "content_hash", "content_preview"
        )
    )


def store_of(project: Project) -> GitStore:
    return GitStore.for_project(project.pk)


def test_a_generation_is_committed_and_recorded(project, user, execute):
    execution = execute()
    result = generate(
        project=project,
        user=user,
        execution_id=execution,
        structure={"src": {"main.py": "print('hi')\n"}, "docs": []},
        readme="# demo",
    )
    generation = GeneratedProject.objects.get()
    assert result == {
        "generation": str(generation.pk),
        "commit": generation.commit,
        "content_digest": generation.content_digest,
        "total_files": 2,
        "total_size": 18,
        "output_directory": generation.output_directory,
    }
    assert generation.status == Status.COMPLETED
    assert generation.completed_at is not None
    assert generation.workflow_execution_id == execution
    assert generation.empty_directories == ["docs"]
    assert Path(result["output_directory"], "src", "main.py").read_text() == "print('hi')\n"
    store = store_of(project)
    assert store.file(result["commit"], "README.md") == b"# demo"
    assert store.log(result["commit"])[0].message == "Generate demo"
    assert store.log(result["commit"])[0].when == generation.created_at.replace(microsecond=0)
    assert [row[1:4] for row in rows(result["generation"])] == [
        ("README.md", "README.md", "markdown"),
        ("src/main.py", "main.py", "python"),
    ]


def test_repeating_it_gives_the_same_commit_and_rows(project, user, execute):
    execution = execute()
    asked: dict[str, Any] = {"structure": {"a.txt": "1", "b": {"c.txt": "2"}}}
    first = generate(project=project, user=user, execution_id=execution, **asked)
    before = rows(first["generation"])
    assert generate(project=project, user=user, execution_id=execution, **asked) == first
    assert rows(first["generation"]) == before
    assert GeneratedProject.objects.count() == 1


@pytest.mark.parametrize("crash", ["rearrange", "commit", "record"])
def test_a_crash_at_any_point_is_made_good_by_repeating(project, user, execute, monkeypatch, crash):
    execution = execute()
    asked: dict[str, Any] = {"structure": {"a.txt": "1"}}
    place = {"rearrange": Workspace, "commit": GitStore, "record": generations}[crash]
    with monkeypatch.context() as broken:
        real = getattr(place, crash)

        def die(*arguments, **options):
            if crash != "record":
                real(*arguments, **options)
            raise KeyboardInterrupt

        broken.setattr(place, crash, die)
        with pytest.raises(KeyboardInterrupt):
            generate(project=project, user=user, execution_id=execution, **asked)
    assert GeneratedProject.objects.get().status == Status.GENERATING
    done = generate(project=project, user=user, execution_id=execution, **asked)
    assert [row[1] for row in rows(done["generation"])] == ["a.txt"]
    again = generate(project=project, user=user, execution_id=execution, **asked)
    assert again == done


def test_a_later_step_adds_to_the_same_generation(project, user, execute):
    execution = execute()
    first = generate(project=project, user=user, execution_id=execution, structure={"a.txt": "1", "empty": []})
    second = generate(project=project, user=user, execution_id=execution, structure={"b.txt": "2"})
    assert second["generation"] == first["generation"]
    assert second["commit"] != first["commit"]
    assert [row[1] for row in rows(second["generation"])] == ["a.txt", "b.txt"]
    assert GeneratedProject.objects.get().empty_directories == ["empty"]


@pytest.mark.parametrize("lost", ["all of it", "one file", "a directory"])
def test_a_later_step_on_another_machine_finds_what_the_earlier_made(project, user, execute, lost):
    execution = execute()
    first = generate(
        project=project,
        user=user,
        execution_id=execution,
        files=[{"path": "bin/run", "content": "x", "executable": True}, {"path": "a.txt", "content": "1"}],
        structure={"empty": []},
    )
    folder = Path(first["output_directory"])
    if lost == "all of it":
        shutil.rmtree(folder)
    elif lost == "one file":
        (folder / "bin" / "run").unlink()
    else:
        (folder / "empty").rmdir()
    second = generate(project=project, user=user, execution_id=execution, readme="# later")
    assert [(row[1], row[5]) for row in rows(second["generation"])] == [
        ("README.md", False),
        ("a.txt", False),
        ("bin/run", True),
    ]
    assert (folder / "empty").is_dir()


def test_each_generation_follows_the_newest_completed_before_it(project, user, execute):
    first = generate(project=project, user=user, execution_id=execute(), structure={"a.txt": "1"})
    with pytest.raises(InvalidInput):
        generate(project=project, user=user, execution_id=execute(), structure={"../x": "1"})
    second = generate(project=project, user=user, execution_id=execute(), structure={"a.txt": "2"})
    assert [entry.commit for entry in store_of(project).log(second["commit"])] == [second["commit"], first["commit"]]
    same = generate(project=project, user=user, execution_id=execute(), structure={"a.txt": "2"})
    assert same["commit"] == second["commit"]
    assert same["generation"] != second["generation"]


def test_the_parent_is_settled_when_the_generation_is_opened(project, user, execute):
    execution = execute()
    open_generation(project=project, user=user, execution_id=execution)
    generate(project=project, user=user, execution_id=execute(), structure={"a.txt": "1"})
    late = generate(project=project, user=user, execution_id=execution, structure={"b.txt": "1"})
    assert len(store_of(project).log(late["commit"])) == 1


def test_without_an_execution_each_call_is_a_generation_of_its_own(project, user):
    made = {generate(project=project, user=user, execution_id=None, readme="# x")["generation"] for _ in range(2)}
    assert len(made) == 2


def test_invalid_input_fails_the_generation_and_a_repetition_may_mend_it(project, user, execute):
    execution = execute()
    with pytest.raises(InvalidPath) as refused:
        generate(project=project, user=user, execution_id=execution, structure={".git": {"config": "x"}})
    generation = GeneratedProject.objects.get()
    assert (generation.status, generation.error_message) == (Status.FAILED, refused.value.message)
    generate(project=project, user=user, execution_id=execution, readme="# x")
    generation.refresh_from_db()
    assert (generation.status, generation.error_message) == (Status.COMPLETED, "")


def test_nothing_to_generate_is_invalid(project, user, execute):
    with pytest.raises(InvalidInput):
        generate(project=project, user=user, execution_id=execute())
    assert GeneratedProject.objects.get().status == Status.FAILED


def test_a_busy_workspace_is_tried_again_and_fails_nothing(project, user, execute):
    execution = execute()
    generation = open_generation(project=project, user=user, execution_id=execution)
    with Workspace(Path(generation.output_directory)).writing(), pytest.raises(WorkspaceBusy):
        generate(project=project, user=user, execution_id=execution, readme="# x")
    generation.refresh_from_db()
    assert generation.status == Status.GENERATING


@pytest.mark.parametrize(("username", "error"), [("stranger", NotFound), ("viewer", PermissionRefused)])
def test_rights_are_checked_when_the_work_is_done(project, user, username, error):
    other = User.objects.create(username=username)
    if username == "viewer":
        ProjectMembership.objects.create(project=project, user=other, role="viewer")
    generate(project=project, user=user, execution_id=None, readme="# x")
    with pytest.raises(error):
        generate(project=project, user=other, execution_id=None, readme="# x")
    with pytest.raises(error):
        package(project=project, user=other, execution_id=None, format="zip")
    assert GeneratedProject.objects.count() == 1


def test_an_archived_generation_is_not_opened_again(project, user, execute):
    execution = execute()
    generate(project=project, user=user, execution_id=execution, readme="# x")
    GeneratedProject.objects.update(status=Status.ARCHIVED)
    with pytest.raises(Conflict, match="archived"):
        open_generation(project=project, user=user, execution_id=execution)


def test_who_lost_the_generation_records_nothing(project, user, execute, monkeypatch):
    real = GitStore.commit

    def lose(self, *arguments, **options):
        GeneratedProject.objects.update(status=Status.ARCHIVED)
        return real(self, *arguments, **options)

    monkeypatch.setattr(GitStore, "commit", lose)
    with pytest.raises(Conflict, match="meanwhile"):
        generate(project=project, user=user, execution_id=execute(), readme="# x")
    assert not ProjectFile.objects.exists()


def test_what_a_process_that_was_overtaken_recorded_meanwhile_is_no_failure(project, user, execute, monkeypatch):
    real = GitStore.commit

    def wake_up(self, *arguments, **options):
        GeneratedProject.objects.update(status=Status.COMPLETED, commit="0" * 40)
        return real(self, *arguments, **options)

    monkeypatch.setattr(GitStore, "commit", wake_up)
    with pytest.raises(TemporaryFailure, match="meanwhile"):
        generate(project=project, user=user, execution_id=execute(), readme="# x")
    assert GeneratedProject.objects.get().status == Status.COMPLETED
    assert not ProjectFile.objects.exists()


def test_many_files_are_recorded(project, user, monkeypatch):
    monkeypatch.setattr(recorded_files, "BATCH", 100)
    files = [{"path": f"d{number % 20}/f{number}.txt", "content": str(number)} for number in range(1500)]
    result = generate(project=project, user=user, execution_id=None, files=files)
    assert result["total_files"] == ProjectFile.objects.count() == 1500


def test_twenty_thousand_files_are_recorded_in_few_statements(project, user, django_assert_max_num_queries):
    made = generate(project=project, user=user, execution_id=None, readme="# x")
    generation = GeneratedProject.objects.get(pk=made["generation"])
    files = [content_file(f"d{n % 100}/f{n}.txt", b"%d" % n, executable=False) for n in range(20_000)]
    # What is known, what is gone, and one for each thousand; a save for each file would be 20,000.
    with django_assert_max_num_queries(25):
        recorded_files.record_files(generation, files)
    assert ProjectFile.objects.filter(generated_project=generation).count() == 20_000
    with django_assert_max_num_queries(25):
        recorded_files.record_files(generation, [*files[1:], content_file("new", b"", executable=True)])
    assert ProjectFile.objects.filter(generated_project=generation).count() == 20_000


@pytest.mark.parametrize("stops", [Interrupted, ValueError])
def test_an_interrupted_generation_is_failed_until_it_is_taken_up_again(project, user, execute, monkeypatch, stops):
    execution = execute()
    with monkeypatch.context() as broken:

        def stop(*arguments, **options):
            raise stops

        broken.setattr(GitStore, "commit", stop)
        with pytest.raises(stops):
            generate(project=project, user=user, execution_id=execution, readme="# x")
    generation = GeneratedProject.objects.get()
    assert (generation.status, generation.error_message) == (Status.FAILED, generations.INTERRUPTED)
    generate(project=project, user=user, execution_id=execution, readme="# x")
    generation.refresh_from_db()
    assert (generation.status, generation.error_message) == (Status.COMPLETED, "")


def test_an_overtaken_attempt_that_calls_it_failed_does_not_spoil_it(project, user, execute, monkeypatch):
    real = GitStore.commit

    def meanwhile(self, *arguments, **options):
        GeneratedProject.objects.update(status=Status.FAILED, error_message="interrupted")
        return real(self, *arguments, **options)

    monkeypatch.setattr(GitStore, "commit", meanwhile)
    generate(project=project, user=user, execution_id=execute(), readme="# x")
    generation = GeneratedProject.objects.get()
    assert (generation.status, generation.error_message) == (Status.COMPLETED, "")
