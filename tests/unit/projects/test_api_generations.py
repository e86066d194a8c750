"""Generations and their files over REST: the contract's nested paths."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from backend.apps.authentication.models import User
from backend.apps.projects.models import GeneratedProject, Organisation, Project, ProjectFile, ProjectMembership
from backend.apps.projects.services import generation_records
from backend.apps.projects.services.generations import generate
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import TaskExecution, WorkflowExecution, WorkflowVersion
from backend.apps.workflows.services import save_definition

pytestmark = pytest.mark.django_db
V1 = "/api/v1"
BINARY = bytes(range(256))


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def client(owner: User) -> APIClient:
    return client_of(owner)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been sent to the broker."""
    chains: list[Any] = []

    def publish(tasks: Any) -> bool:
        chains.append(tasks)
        return True

    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", publish)
    return chains


def workflow(*steps: dict[str, Any], name: str = "mill") -> WorkflowVersion:
    inputs = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    definition = {"name": name, "inputs": inputs, "steps": list(steps)}
    return save_definition(check_definition(definition))


@pytest.fixture
def generating(db: None) -> WorkflowVersion:
    return workflow({"id": "files", "type": "file_generation", "config": {"readme": "# ${{ inputs.name }}\n"}})


@pytest.fixture
def generation(demo: Project, owner: User) -> GeneratedProject:
    content = base64.b64encode(BINARY).decode()
    made = generate(
        project=demo,
        user=owner,
        execution_id=None,
        readme="# Demo\n",
        files=[
            {"path": "src/main.py", "content": "print('ü')\n"},
            {"path": "src/index.html", "content": "<script>alert(1)</script>"},
            {"path": "blob.bin", "content": content, "encoding": "base64"},
        ],
    )
    return GeneratedProject.objects.get(pk=made["generation"])


def below(generation: GeneratedProject, rest: str = "") -> str:
    return f"{V1}/projects/{generation.project_id}/generated/{generation.pk}/{rest}"


@pytest.mark.parametrize("where", ["generate/", "generated/generate/"])
def test_a_generation_is_started_and_can_be_seen_at_once(
    client: APIClient, demo: Project, generating: WorkflowVersion, where: str
) -> None:
    body = {"workflow_id": str(generating.workflow_id), "input_data": {"name": "Mill"}}
    answer = client.post(f"{V1}/projects/{demo.pk}/{where}", body)
    assert answer.status_code == 202, answer.content
    made = answer.json()
    assert (made["status"], made["project_name"], made["total_files"]) == ("pending", "Demo", 0)
    execution = WorkflowExecution.objects.get(pk=made["workflow_execution"])
    assert (execution.project_id, execution.input_data) == (demo.pk, {"name": "Mill"})
    assert TaskExecution.objects.get(pk=made["task_id"]).execution == execution
    assert client.get(answer["Location"]).json()["id"] == made["id"]
    assert client.get(f"{V1}/projects/{demo.pk}/generated/").json()["results"][0]["id"] == made["id"]
    # What its task does lands in the same row.
    user = User.objects.get(username="owner")
    done = generate(project=demo, user=user, execution_id=execution.pk, readme="# Mill\n")
    assert done["generation"] == made["id"]
    assert client.get(answer["Location"]).json()["status"] == "completed"


def test_the_same_key_starts_one(client: APIClient, demo: Project, generating: WorkflowVersion) -> None:
    body = {"workflow_id": str(generating.workflow_id), "input_data": {"name": "Mill"}}
    path, headers = f"{V1}/projects/{demo.pk}/generate/", {"Idempotency-Key": "k"}
    first, again = (client.post(path, body, headers=headers) for _ in range(2))
    assert (first.json(), again["Idempotency-Replayed"]) == (again.json(), "true")
    assert GeneratedProject.objects.count() == WorkflowExecution.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "workflow_id"),
        ({"workflow_id": "x"}, 400, "workflow_id"),
        ({"workflow_id": str(uuid4())}, 404, None),
        ({"input_data": []}, 400, "input_data"),
        ({"input_data": {}}, 400, "input_data"),
        ({"input_data": {"name": 1}}, 400, "input_data.name"),
        ({"workflow": "mill"}, 400, "workflow"),
    ],
)
def test_what_cannot_be_started_leaves_nothing(
    client: APIClient, demo: Project, generating: WorkflowVersion, body: dict[str, Any], status: int, field: str | None
) -> None:
    if body and "workflow_id" not in body:
        body = {"workflow_id": str(generating.workflow_id), **body}
    answer = client.post(f"{V1}/projects/{demo.pk}/generate/", body)
    assert answer.status_code == status, answer.content
    if field:
        assert field in [each["field"] for each in answer.json()["errors"]]
    assert not GeneratedProject.objects.exists()
    assert not WorkflowExecution.objects.exists()


def test_an_organisations_plan_counts_what_was_asked_for(
    client: APIClient, demo: Project, generating: WorkflowVersion
) -> None:
    demo.organisation = Organisation.objects.create(name="Acme", slug="acme", plan=Organisation.Plan.values[0])
    demo.save()
    body = {"workflow_id": str(generating.workflow_id), "input_data": {"name": "Mill"}}
    answers = [client.post(f"{V1}/projects/{demo.pk}/generate/", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 429]
    assert answers[1].json()["code"] == "organisation_busy"
    assert GeneratedProject.objects.count() == WorkflowExecution.objects.count() == 1


def test_a_workflow_that_generates_nothing_is_refused(client: APIClient, demo: Project) -> None:
    version = workflow({"id": "a", "type": "api_call", "config": {"method": "GET", "endpoint": "/projects/"}})
    answer = client.post(f"{V1}/projects/{demo.pk}/generate/", {"workflow_id": str(version.workflow_id)})
    assert answer.status_code == 400
    assert "no step that generates" in answer.json()["detail"]
    assert not WorkflowExecution.objects.exists()


def test_an_awaited_generation_follows_the_newest_commit_of_when_it_begins(
    demo: Project, owner: User, new_execution: Callable[[], UUID]
) -> None:
    execution = new_execution()
    awaited = generation_records.await_generation(project=demo, user=owner, execution_id=execution)
    assert (awaited.status, awaited.parent_commit) == ("pending", "")
    other = generate(project=demo, user=owner, execution_id=None, readme="# one\n")
    begun = generate(project=demo, user=owner, execution_id=execution, readme="# two\n")
    assert begun["generation"] == str(awaited.pk)
    awaited.refresh_from_db()
    assert awaited.parent_commit == other["commit"]


def test_the_list_is_narrowed_and_sorted(client: APIClient, demo: Project, owner: User) -> None:
    for status, files in (("completed", 2), ("failed", 0), ("completed", 1)):
        GeneratedProject.objects.create(project=demo, created_by=owner, status=status, total_files=files)
    path = f"{V1}/projects/{demo.pk}/generated/"
    assert client.get(path).json()["count"] == 3
    found = client.get(path, {"status": "completed", "ordering": "total_files"}).json()["results"]
    assert [each["total_files"] for each in found] == [1, 2]
    assert client.get(path, {"status": "x"}).status_code == 400
    assert client.get(path, {"ordering": "created_by__password"}).status_code == 400
    assert len(client.get(path, {"page_size": 2}).json()["results"]) == 2
    assert client.get(path, {"page": 9}).status_code == 404


def test_a_generation_with_its_files(client: APIClient, generation: GeneratedProject, tmp_path: Any) -> None:
    shown = client.get(below(generation)).json()
    assert (shown["status"], shown["total_files"], shown["commit"]) == ("completed", 4, generation.commit)
    assert [each["file_path"] for each in shown["files"]] == ["README.md", "blob.bin", "src/index.html", "src/main.py"]
    assert shown["output_directory"] == str(generation.pk)
    assert str(tmp_path) not in str(shown)
    assert client.get(shown["files_url"]).json()["count"] == 4


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ({"file_type": "python"}, ["src/main.py"]),
        ({"path": "src/"}, ["src/index.html", "src/main.py"]),
        ({"path": "src/", "file_type": "html"}, ["src/index.html"]),
        ({"path": "%"}, []),
        ({"page_size": 1}, ["README.md"]),
    ],
)
def test_files_are_narrowed(
    client: APIClient, generation: GeneratedProject, query: dict[str, Any], paths: list[str]
) -> None:
    found = client.get(below(generation, "files/"), query).json()["results"]
    assert [each["file_path"] for each in found] == paths


def test_a_file_with_its_content(client: APIClient, generation: GeneratedProject) -> None:
    file = ProjectFile.objects.get(file_name="main.py")
    shown = client.get(below(generation, f"files/{file.pk}/")).json()
    assert (shown["content_preview"], shown["content"], shown["encoding"]) == ("print('ü')\n", None, None)
    assert (shown["file_type"], shown["file_size"], shown["content_hash"]) == ("python", 12, file.content_hash)
    shown = client.get(below(generation, f"files/{file.pk}/"), {"content": "true"}).json()
    assert (shown["content"], shown["encoding"]) == ("print('ü')\n", "utf-8")
    blob = ProjectFile.objects.get(file_name="blob.bin")
    shown = client.get(below(generation, f"files/{blob.pk}/"), {"content": "true"}).json()
    assert (base64.b64decode(shown["content"]), shown["encoding"]) == (BINARY, "base64")
    answer: Any = client.get(shown["content_url"])
    assert b"".join(answer.streaming_content) == BINARY


@pytest.mark.parametrize(
    ("path", "media_type", "content"),
    [
        ("src/index.html", "text/plain; charset=utf-8", b"<script>alert(1)</script>"),
        ("src/main.py", "text/plain; charset=utf-8", "print('ü')\n".encode()),
        ("blob.bin", "application/octet-stream", BINARY),
    ],
)
def test_bytes_are_never_a_page(
    client: APIClient, generation: GeneratedProject, path: str, media_type: str, content: bytes
) -> None:
    answer: Any = client.get(below(generation, "files/content/"), {"path": path})
    assert (answer.status_code, answer["Content-Type"]) == (200, media_type)
    assert b"".join(answer.streaming_content) == content
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Content-Disposition"].startswith("attachment; ")
    assert answer["Cache-Control"] == "private, no-cache"
    assert answer["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    known = client.get(below(generation, "files/content/"), {"path": path}, headers={"If-None-Match": answer["ETag"]})
    assert known.status_code == 304
    part: Any = client.get(below(generation, "files/content/"), {"path": path}, headers={"Range": "bytes=1-3"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, content[1:4])


@pytest.mark.parametrize("path", ["nothing", "../x", "/etc/passwd", "src", "src/main.py/", "a\nb", "SRC/main.py"])
def test_what_a_generation_does_not_have(client: APIClient, generation: GeneratedProject, path: str) -> None:
    assert client.get(below(generation, "files/content/"), {"path": path}).status_code == 404


def test_content_needs_a_path(client: APIClient, generation: GeneratedProject) -> None:
    for query in ({}, {"path": ""}, {"path": "a\0b"}, {"path": "x" * 5000}):
        assert client.get(below(generation, "files/content/"), query).status_code == 400


def test_content_outlives_the_workspace_and_not_the_store(
    client: APIClient, generation: GeneratedProject, settings: Any, tmp_path: Any
) -> None:
    settings.GENERATED_PROJECTS_DIR = tmp_path / "elsewhere"
    answer: Any = client.get(below(generation, "files/content/"), {"path": "README.md"})
    assert b"".join(answer.streaming_content) == b"# Demo\n"
    ProjectFile.objects.update(content_hash="0" * 64)
    assert client.get(below(generation, "files/content/"), {"path": "README.md"}).status_code == 404
    settings.GIT_STORES_DIR = tmp_path / "gone"
    assert client.get(below(generation, "files/content/"), {"path": "README.md"}).status_code == 404


def test_strangers_find_nothing_and_viewers_start_nothing(
    generation: GeneratedProject, demo: Project, owner: User, generating: WorkflowVersion
) -> None:
    file = ProjectFile.objects.get(file_name="main.py")
    viewer = User.objects.create(username="viewer")
    ProjectMembership.objects.create(project=demo, user=viewer, role="viewer")
    reads = ["", "files/", f"files/{file.pk}/", f"files/{file.pk}/raw/", "files/content/?path=README.md"]
    for rest in reads:
        assert client_of(User.objects.create(username=f"s{rest}")).get(below(generation, rest)).status_code == 404
        seen: Any = client_of(viewer).get(below(generation, rest))
        assert seen.status_code == 200
        list(getattr(seen, "streaming_content", ()))
        assert APIClient().get(below(generation, rest)).status_code == 401
    stranger = client_of(User.objects.create(username="stranger"))
    body = {"workflow_id": str(generating.workflow_id), "input_data": {"name": "x"}}
    for where in ("generate/", "generated/generate/"):
        assert stranger.post(f"{V1}/projects/{demo.pk}/{where}", body).status_code == 404
        assert client_of(viewer).post(f"{V1}/projects/{demo.pk}/{where}", body).status_code == 403
    assert stranger.get(f"{V1}/projects/{demo.pk}/generated/").status_code == 404
    # Of another project of the same owner it is none either.
    other = Project.objects.create(name="Other", slug="other", owner=owner)
    for rest in reads:
        path = below(generation, rest).replace(str(demo.pk), str(other.pk))
        assert client_of(owner).get(path).status_code == 404


def test_a_page_costs_the_same_whatever_it_holds(client: APIClient, demo: Project, owner: User) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(path, {"page_size": 100}).status_code == 200
        return len(captured)

    generation = GeneratedProject.objects.create(project=demo, created_by=owner)
    lists = [f"{V1}/projects/{demo.pk}/generated/", below(generation), below(generation, "files/")]
    ProjectFile.objects.create(generated_project=generation, file_path="f", file_name="f", content_hash="x")
    few = [queries(path) for path in lists]
    GeneratedProject.objects.bulk_create(GeneratedProject(project=demo, created_by=owner) for _ in range(60))
    ProjectFile.objects.bulk_create(
        ProjectFile(generated_project=generation, file_path=f"f{n}", file_name=f"f{n}", content_hash="x")
        for n in range(60)
    )
    assert [queries(path) for path in lists] == few
    assert max(few) <= 5
