"""Who may see and control which execution."""

from __future__ import annotations

from uuid import uuid4

import pytest

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Grant, Scope
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.workflows.access import (
    get_execution,
    may_control,
    visible_executions,
    visible_tasks,
)
from backend.apps.workflows.models import TaskExecution, Workflow, WorkflowExecution, WorkflowVersion
from backend.errors import NotFound, PermissionRefused

pytestmark = pytest.mark.django_db

PEOPLE = ("owner", "viewer", "author", "maintainer", "stranger", "operator", "staff", "gone", "former")


@pytest.fixture
def people():
    made = {name: User.objects.create(username=name) for name in PEOPLE}
    User.objects.filter(username="operator").update(is_superuser=True)
    User.objects.filter(username="staff").update(is_staff=True)
    User.objects.filter(username="gone").update(is_active=False)
    return {name: User.objects.get(pk=user.pk) for name, user in made.items()}


@pytest.fixture
def project(people):
    project = Project.objects.create(name="Demo", slug="demo", owner=people["owner"])
    for role in ProjectMembership.Role:
        ProjectMembership.objects.create(project=project, user=people[role], role=role)
    ProjectMembership.objects.create(project=project, user=people["gone"], role="maintainer")
    return project


def _execution(*, user: User, project: Project | None) -> WorkflowExecution:
    workflow, _ = Workflow.objects.get_or_create(name="demo")
    version, _ = WorkflowVersion.objects.get_or_create(workflow=workflow, number=1, digest="1", definition={})
    return WorkflowExecution.objects.create(
        workflow=workflow, version=version, user=user, project_id=project.pk if project else None
    )


SEES, CONTROLS, NOTHING = "sees", "controls", "nothing"


@pytest.mark.parametrize(
    ("started_by", "expected"),
    [
        (
            "author",
            {"owner": CONTROLS, "maintainer": CONTROLS, "author": CONTROLS, "viewer": SEES, "operator": CONTROLS},
        ),
        (
            "owner",
            {"owner": CONTROLS, "maintainer": CONTROLS, "author": SEES, "viewer": SEES, "operator": CONTROLS},
        ),
        # Who has left the project no longer sees what they started there.
        (
            "former",
            {"owner": CONTROLS, "maintainer": CONTROLS, "author": SEES, "viewer": SEES, "operator": CONTROLS},
        ),
    ],
)
def test_an_execution_on_a_project_is_its_members_by_role(people, project, started_by, expected):
    execution = _execution(user=people[started_by], project=project)
    task = TaskExecution.objects.create(
        key="t", execution=execution, user=people[started_by], project_id=project.pk, method="m", description="d"
    )
    for name, user in people.items():
        wanted = expected.get(name, NOTHING)
        assert _standing(user, execution) == wanted, name
        assert list(visible_tasks(user=user)) == ([] if wanted == NOTHING else [task]), name
        assert may_control(user=user, execution=task) == (wanted == CONTROLS), name


def test_an_execution_without_a_project_is_its_users_alone(people):
    execution = _execution(user=people["author"], project=None)
    for name, user in people.items():
        assert _standing(user, execution) == (CONTROLS if name in ("author", "operator") else NOTHING), name


def test_an_execution_of_a_project_that_is_no_more_is_nobodys_but_an_operators(people, project):
    execution = _execution(user=people["author"], project=project)
    project.delete()
    for name, user in people.items():
        assert (_standing(user, execution) == NOTHING) == (name != "operator"), name


@pytest.mark.parametrize(
    ("scopes", "standing"),
    [(set(), SEES), ({Scope.READ}, SEES), ({Scope.WRITE}, SEES), ({Scope.RUN}, CONTROLS), ({Scope.MANAGE}, SEES)],
)
def test_a_token_controls_only_with_the_scope_to_run(people, project, scopes, standing):
    execution = _execution(user=people["author"], project=project)
    people["author"].grant = Grant(frozenset(scopes))
    assert _standing(people["author"], execution) == standing


@pytest.mark.parametrize("name", ["author", "operator"])
def test_a_token_for_one_project_sees_nothing_else(people, project, name):
    user = people[name]
    inside, outside = _execution(user=user, project=project), _execution(user=user, project=None)
    other = _execution(user=user, project=Project.objects.create(name="Other", slug="other", owner=user))
    user.grant = Grant(frozenset({Scope.RUN}), project.pk)
    assert _standing(user, inside) == CONTROLS
    assert [_standing(user, each) for each in (outside, other)] == [NOTHING, NOTHING]


def test_a_strangers_execution_looks_like_none(people, project):
    execution = _execution(user=people["author"], project=project)
    with pytest.raises(NotFound) as stranger:
        get_execution(user=people["stranger"], execution_id=execution.pk)
    nowhere = uuid4()
    with pytest.raises(NotFound) as absent:
        get_execution(user=people["stranger"], execution_id=nowhere)
    assert str(stranger.value).replace(str(execution.pk), str(nowhere)) == str(absent.value)


def _standing(user: User, execution: WorkflowExecution) -> str:
    seen = execution in visible_executions(user=user)
    try:
        get_execution(user=user, execution_id=execution.pk)
    except NotFound:
        assert not seen
        return NOTHING
    assert seen
    try:
        get_execution(user=user, execution_id=execution.pk, control=True)
    except PermissionRefused:
        return SEES
    return CONTROLS
