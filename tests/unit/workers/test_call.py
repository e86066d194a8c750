"""What a task's body is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.projects.models import Organisation, OrganisationMembership, Project, ProjectMembership
from backend.apps.projects.services.membership import transfer_project
from backend.apps.workflows.execution.claim import ClaimedTask, claim
from backend.apps.workflows.services import enqueue_method
from backend.errors import InvalidInput, NotFound, PermissionRefused, RateLimited, RepomillError, TemporaryFailure
from workers.call import TaskCall
from workers.generation.tasks import write_file
from workers.service_task import TaskFailed


@pytest.mark.parametrize(
    ("error", "retries", "last"),
    [
        (InvalidInput(), 0, True),
        (TemporaryFailure(), 0, False),
        (TemporaryFailure(), 2, False),
        (TemporaryFailure(), 3, True),
        (RateLimited(retry_after=60), 3, False),
    ],
)
def test_an_attempt_knows_whether_it_is_the_last(error, retries, last):
    # Of a claimed task it looks at these two alone.
    claimed = cast(ClaimedTask, SimpleNamespace(retries=retries, max_retries=3))
    assert TaskCall(claimed).gives_up(error) is last


LATER: dict[str, type[RepomillError] | None] = {
    "nothing": None,
    "left": NotFound,
    "viewer now": PermissionRefused,
    "deactivated": NotFound,
    "project deleted": NotFound,
    "handed over": None,
    "no admin any more": NotFound,
}


@pytest.mark.django_db
@pytest.mark.parametrize("event", LATER)
def test_rights_are_those_of_the_moment_when_the_work_is_done(event):
    owner, author, admin = (User.objects.create_user(name) for name in ("owner", "author", "admin"))
    acme = Organisation.objects.create(name="Acme", slug="acme")
    place = OrganisationMembership.objects.create(organisation=acme, user=admin, role="admin")
    project = Project.objects.create(name="Mill", slug="mill", owner=owner, organisation=acme)
    membership = ProjectMembership.objects.create(project=project, user=author, role="author")
    acting = admin if event == "no admin any more" else author
    claimed = enqueued(acting, project)
    match event:
        case "left":
            membership.delete()
        case "viewer now":
            ProjectMembership.objects.update(role="viewer")
        case "deactivated":
            User.objects.filter(pk=author.pk).update(is_active=False)
        case "project deleted":
            project.delete()
        case "handed over":
            transfer_project(user=owner, project_id=project.pk, username="author")
        case "no admin any more":
            place.delete()
    call = TaskCall(claimed)
    error = LATER[event]
    if error is None:
        assert call.project.pk == project.pk
        return
    with pytest.raises(error) as refused:
        _ = call.project
    # It is final: nobody tries again in the hope that they come back.
    assert not refused.value.retryable


@pytest.mark.django_db(transaction=True)
def test_nothing_is_done_for_who_has_left_between_the_start_and_the_work(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("backend.apps.workflows.execution.chains.publish_chain", lambda tasks: True)
    settings.GENERATED_PROJECTS_DIR = tmp_path
    owner, author = (User.objects.create_user(name) for name in ("owner", "author"))
    project = Project.objects.create(name="Mill", slug="mill", owner=owner)
    membership = ProjectMembership.objects.create(project=project, user=author, role="author")
    task = enqueue_method(
        method="generation.write_file",
        arguments={"path": "a.txt", "content": "a"},
        key="k",
        user=author,
        project_id=project.pk,
    )
    membership.delete()
    with pytest.raises(TaskFailed):
        write_file.apply(args=(str(task.pk),), throw=True)
    task.refresh_from_db()
    assert (task.status, list(tmp_path.glob("*/a.txt"))) == ("failed", [])
    assert task.error is not None
    assert task.error["code"] == "not_found"


def enqueued(user, project):
    task = enqueue_method(
        method="generation.write_file",
        arguments={"path": "a.txt", "content": "a"},
        key="k",
        user=user,
        project_id=project.pk,
    )
    claimed = claim(task.pk, worker="w", now=timezone.now())
    assert isinstance(claimed, ClaimedTask)
    return claimed
