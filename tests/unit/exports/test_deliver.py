"""Deliveries: recorded, and done once for each key."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.secret import Secret
from backend.apps.exports.models import RepositoryExport
from backend.apps.exports.selectors import get_export, visible_exports
from backend.apps.exports.services import deliver
from backend.apps.exports.services.deliver import deliver_archive, deliver_to_git, deliver_to_github, deliver_to_gitlab
from backend.apps.exports.services.retention import Removed, archive_generations
from backend.apps.projects.errors import Diverged
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.projects.services.generations import generate, package
from backend.apps.projects.services.repository_exporter import RepositoryExporter
from backend.apps.workflows.models import TaskExecution
from backend.apps.workflows.services import enqueue_method
from backend.errors import Conflict, InvalidInput, NotFound, PermissionRefused, RateLimited, RemoteRefused

pytestmark = pytest.mark.django_db
Status = RepositoryExport.Status


@pytest.fixture(autouse=True)
def root(settings, tmp_path):
    settings.GENERATED_PROJECTS_DIR = tmp_path / "generated"
    settings.GIT_STORES_DIR = tmp_path / "stores"
    settings.ARCHIVES_DIR = tmp_path / "archives"
    settings.LOCAL_REPOSITORIES_DIR = tmp_path / "repositories"
    return tmp_path / "repositories"


@pytest.fixture
def user():
    return User.objects.create(username="owner")


@pytest.fixture
def project(user):
    return Project.objects.create(name="Demo", slug="demo", owner=user)


@pytest.fixture
def to_git(project, user):
    """Return a function that delivers to a repository called r."""

    def call(key="k", **target):
        target = target or {"repository_name": "team/r"}
        return deliver_to_git(key=key, project=project, user=user, execution_id=None, **target)

    return call


def refuse(root: Path) -> Path:
    hook = root / "team" / "r.git" / "hooks" / "pre-receive"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    return hook


def test_a_push_is_recorded(project, user, to_git, root):
    generated = generate(project=project, user=user, execution_id=None, readme="# x")
    result = to_git()
    export = RepositoryExport.objects.get()
    assert result["export"] == str(export.pk)
    assert result["generation"] == generated["generation"]
    assert (result["commit"], result["created"], result["pushed"]) == (generated["commit"], True, True)
    assert (export.status, export.export_type, export.commit) == (Status.COMPLETED, "git", generated["commit"])
    assert (export.repository_name, export.repository_url) == ("team/r", f"file://{root}/team/r.git")
    assert export.completed_at is not None
    assert export.created_by == user


def test_a_key_is_delivered_once(project, user, to_git, root):
    generate(project=project, user=user, execution_id=None, readme="# x")
    first = to_git()
    subprocess.run(["rm", "-r", str(root)], check=True)
    assert to_git() == first
    assert not root.exists()
    assert RepositoryExport.objects.count() == 1


def test_another_key_is_another_record_and_no_second_push(project, user, to_git):
    generate(project=project, user=user, execution_id=None, readme="# x")
    to_git()
    assert to_git(key="k2")["pushed"] is False
    assert RepositoryExport.objects.count() == 2


def test_a_refusal_is_recorded_and_may_be_tried_again(project, user, to_git, root):
    generate(project=project, user=user, execution_id=None, readme="# x")
    to_git(key="makes the repository")
    generate(project=project, user=user, execution_id=None, readme="# y")
    hook = refuse(root)
    with pytest.raises(RemoteRefused, match="not today") as refused:
        to_git()
    export = RepositoryExport.objects.get(key="k")
    assert (export.status, export.error_message) == (Status.FAILED, refused.value.message)
    hook.unlink()
    assert to_git()["pushed"]
    export.refresh_from_db()
    assert (export.status, export.error_message) == (Status.COMPLETED, "")


def test_a_crash_between_push_and_record_is_made_good(project, user, to_git, monkeypatch):
    generate(project=project, user=user, execution_id=None, readme="# x")
    with monkeypatch.context() as broken:
        real = RepositoryExporter.export_to_git

        def die(self, **options):
            real(self, **options)
            raise KeyboardInterrupt

        broken.setattr(RepositoryExporter, "export_to_git", die)
        with pytest.raises(KeyboardInterrupt):
            to_git()
    assert RepositoryExport.objects.get().status == Status.EXPORTING
    assert to_git()["pushed"] is False
    assert RepositoryExport.objects.get().status == Status.COMPLETED


@pytest.mark.parametrize("change", ["target", "generation", "kind"])
def test_a_key_is_not_used_for_something_else(project, user, to_git, change):
    generate(project=project, user=user, execution_id=None, readme="# x")
    to_git()
    other = generate(project=project, user=user, execution_id=None, readme="# y")["generation"]
    again = {
        "target": lambda: to_git(repository_name="other"),
        "generation": lambda: to_git(repository_name="team/r", generation_id=other),
        "kind": lambda: deliver_archive(key="k", project=project, user=user, execution_id=None, format="zip"),
    }[change]
    with pytest.raises(Conflict, match="key"):
        again()


@pytest.mark.parametrize("target", [{"branch": "main"}, {"repository_name": "r", "url": "https://h/r"}])
def test_exactly_one_target(project, user, to_git, target):
    generate(project=project, user=user, execution_id=None, readme="# x")
    with pytest.raises(InvalidInput, match="exactly one"):
        to_git(**target)
    assert not RepositoryExport.objects.exists()


@pytest.mark.parametrize(
    "target", [{"repository_name": "../x"}, {"url": "ext::id"}, {"repository_name": "r", "branch": "-x"}]
)
def test_an_invalid_target_is_a_failed_export(project, user, to_git, root, target):
    generate(project=project, user=user, execution_id=None, readme="# x")
    with pytest.raises(InvalidInput):
        to_git(**target)
    assert RepositoryExport.objects.get().status == Status.FAILED
    assert not root.exists()


@pytest.mark.parametrize(
    ("deliver", "wanted", "error"),
    [
        (deliver_to_github, {"repository_name": "r", "private": None}, InvalidInput),
        (deliver_to_github, {"repository_name": "r", "private": 0}, InvalidInput),
        (deliver_to_github, {"repository_name": "r", "private": "false"}, InvalidInput),
        (deliver_to_github, {"repository_name": "r", "topics": "web"}, InvalidInput),
        (deliver_to_github, {"repository_name": 5}, InvalidInput),
        (deliver_to_gitlab, {"project_name": 5}, InvalidInput),
        (deliver_to_gitlab, {"project_name": "r", "topics": {"web": 1}}, InvalidInput),
        (deliver_to_git, {"repository_name": 5}, InvalidInput),
        (deliver_to_git, {"repository_name": "r", "generation_id": 5}, NotFound),
        (deliver_archive, {"format": ["zip"]}, InvalidInput),
        (deliver_archive, {"format": "zip", "generation_id": 5}, NotFound),
    ],
)
def test_values_of_the_wrong_kind_deliver_nothing(project, user, root, monkeypatch, deliver, wanted, error):
    """As a task's JSON may have them; what is neither true nor false makes no repository public."""
    monkeypatch.setattr("backend.apps.projects.hosts.api_session.ApiSession.send", None)
    generate(project=project, user=user, execution_id=None, readme="# x")
    token = {"deliver_to_github": "github_token", "deliver_to_gitlab": "gitlab_token"}.get(deliver.__name__)
    given = {token: Secret("a-token"), "base_url": "http://localhost:9"} if token else {}
    with pytest.raises(error):
        deliver(key="k", project=project, user=user, execution_id=None, **given, **wanted)
    assert not root.exists()
    assert not RepositoryExport.objects.filter(status=Status.COMPLETED).exists()


def test_nothing_is_delivered_before_something_is_generated(project, user, to_git):
    with pytest.raises(Conflict, match="Nothing has been generated"):
        to_git()
    with pytest.raises(Conflict):
        deliver_to_git(key="k", project=project, user=user, execution_id=uuid4(), repository_name="r")
    assert not RepositoryExport.objects.exists()


@pytest.mark.parametrize("format", ["zip", "tar", "tar.gz"])
def test_an_archive_is_recorded(project, user, format):
    generate(project=project, user=user, execution_id=None, readme="# x")
    call = {"key": "k", "project": project, "user": user, "execution_id": None, "format": format}
    result = deliver_archive(**call)
    export = RepositoryExport.objects.get()
    assert (export.status, export.export_type) == (Status.COMPLETED, format)
    assert (export.archive_path, export.archive_size) == (result["path"], Path(result["path"]).stat().st_size)
    assert result["export"] == str(export.pk)
    assert deliver_archive(**call) == result


@pytest.mark.parametrize("format", ["", "git", "github", "rar"])
def test_other_formats_are_refused(project, user, format):
    with pytest.raises(InvalidInput):
        deliver_archive(key="k", project=project, user=user, execution_id=None, format=format)


@pytest.mark.parametrize(("role", "error"), [(None, NotFound), ("viewer", PermissionRefused)])
def test_rights(project, user, role, error):
    generate(project=project, user=user, execution_id=None, readme="# x")
    other = User.objects.create(username="other")
    if role:
        ProjectMembership.objects.create(project=project, user=other, role=role)
    with pytest.raises(error):
        deliver_to_git(key="k", project=project, user=other, execution_id=None, repository_name="r")
    with pytest.raises(error):
        deliver_archive(key="k", project=project, user=other, execution_id=None, format="zip")


def test_exports_are_seen_by_those_who_see_the_project(project, user, to_git):
    generate(project=project, user=user, execution_id=None, readme="# x")
    export = to_git()["export"]
    stranger = User.objects.create(username="stranger")
    viewer = User.objects.create(username="viewer")
    ProjectMembership.objects.create(project=project, user=viewer, role="viewer")
    for reader in (user, viewer):
        assert get_export(user=reader, export_id=export).key == "k"
        assert visible_exports(user=reader).count() == 1
    for wrong in ((stranger, export), (user, str(uuid4())), (user, "nothing")):
        with pytest.raises(NotFound):
            get_export(user=wrong[0], export_id=wrong[1])


def limited(*_, **__):
    raise RateLimited("The host asks to wait.", retry_after=3600.0)


def test_a_newer_generation_between_two_attempts_changes_nothing(project, user, to_git, monkeypatch):
    first = generate(project=project, user=user, execution_id=None, readme="# x")
    with monkeypatch.context() as patched:
        patched.setattr(RepositoryExporter, "export_to_git", limited)
        with pytest.raises(RateLimited):
            to_git()
    generate(project=project, user=user, execution_id=None, readme="# y")
    assert to_git()["commit"] == first["commit"]


def test_an_archive_is_of_the_generation_that_is_recorded(project, user, monkeypatch):
    first = generate(project=project, user=user, execution_id=None, readme="# x")

    def package_late(**wanted):
        generate(project=project, user=user, execution_id=None, readme="# y")
        return package(**wanted)

    monkeypatch.setattr(deliver, "package", package_late)
    made = deliver_archive(key="k", project=project, user=user, execution_id=None, format="zip")
    export = RepositoryExport.objects.get()
    assert str(export.generated_project_id) == first["generation"]
    assert (made["commit"], export.commit) == (first["commit"], first["commit"])


def test_a_generation_is_not_archived_while_its_delivery_waits(project, user, monkeypatch):
    first = generate(project=project, user=user, execution_id=None, readme="# x")["generation"]
    generate(project=project, user=user, execution_id=None, readme="# y")
    asked = {"repository_name": "r", "generation": first}
    enqueue_method(method="export.export_to_git", arguments=asked, key="k", user=user, project_id=project.pk)
    target = {"project": project, "user": user, "execution_id": None, "generation_id": first, "repository_name": "r"}
    with monkeypatch.context() as patched:
        patched.setattr(RepositoryExporter, "export_to_git", limited)
        with pytest.raises(RateLimited):
            deliver_to_git(key="k", **target)
    later = timezone.now() + timedelta(days=1)
    assert archive_generations(older_than=later, now=later) == Removed(0)
    assert deliver_to_git(key="k", **target)["pushed"]
    TaskExecution.objects.update(status="completed")
    assert archive_generations(older_than=later, now=later) == Removed(1)


def test_an_older_generation_after_a_newer_one_is_told_from_somebody_elses_commits(project, user):
    one, two = (generate(project=project, user=user, execution_id=None, readme=text)["generation"] for text in "xy")
    target = {"project": project, "user": user, "execution_id": None, "repository_name": "r"}
    deliver_to_git(key="a", generation_id=two, **target)
    with pytest.raises(Diverged, match="another generation of this project"):
        deliver_to_git(key="b", generation_id=one, **target)
