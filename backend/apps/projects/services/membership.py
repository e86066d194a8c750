"""Adds and removes the members of a project, changes their roles, and hands the project over.

The rights of who asks are checked here, so that REST, the console and the command line may all call it.
"""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Right, Role
from backend.apps.authentication.selectors import find_user
from backend.apps.projects.membership_selectors import member_in
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.projects.selectors import get_project
from backend.errors import Conflict, InvalidInput, NotFound

GIVEN = frozenset({Role.VIEWER, Role.AUTHOR, Role.MAINTAINER})
"""The roles that can be given; a project has one owner, and operators are the installation's."""


def add_member(
    *, user: User, project_id: UUID, role: str, member_id: UUID | None = None, username: str | None = None
) -> User:
    """Add somebody to a project and return them, with their `role`.

    member_id, username: who; one of the two.
    Raises NotFound or PermissionRefused as `get_project` does, NotFound where there is no such user, InvalidInput for
    another role, Conflict for who is its owner or a member already.
    """
    project = get_project(user=user, project_id=project_id, right=Right.MANAGE)
    given = _given(role)
    new = find_user(user_id=member_id, username=username)
    if new.pk == project.owner_id:
        raise Conflict("This is the project's owner.", field="username", hint="The owner may do everything already.")
    try:
        with transaction.atomic():
            ProjectMembership.objects.create(project=project, user=new, role=given)
    except IntegrityError as error:
        raise Conflict(
            f"{new.get_username()} is a member already.", field="username", hint="Change their role instead."
        ) from error
    return member_in(project, new.pk)


def change_role(*, user: User, project_id: UUID, member_id: UUID, role: str) -> User:
    """Give a member another role, and return them. Raises as `add_member` does, Conflict for the owner."""
    project = get_project(user=user, project_id=project_id, right=Right.MANAGE)
    given = _given(role)
    _refuse_owner(project, member_id)
    if not ProjectMembership.objects.filter(project=project, user_id=member_id).update(role=given):
        raise _no_member(member_id)
    return member_in(project, member_id)


def remove_member(*, user: User, project_id: UUID, member_id: UUID) -> None:
    """Remove somebody from a project; everybody may leave one by themselves.

    Raises NotFound or PermissionRefused as `get_project` does, NotFound for who is no member, Conflict for the owner.
    """
    leaves = member_id == user.pk and user.grant is None
    project = get_project(user=user, project_id=project_id, right=Right.SEE if leaves else Right.MANAGE)
    _refuse_owner(project, member_id)
    deleted, _ = ProjectMembership.objects.filter(project=project, user_id=member_id).delete()
    if not deleted:
        raise _no_member(member_id)


@transaction.atomic
def transfer_project(
    *, user: User, project_id: UUID, member_id: UUID | None = None, username: str | None = None
) -> Project:
    """Hand a project over to one of its members; who owned it stays as a maintainer.

    Raises NotFound or PermissionRefused as `get_project` does, NotFound for who is no member of it, Conflict where
    somebody else has handed it over meanwhile.
    """
    project = get_project(user=user, project_id=project_id, right=Right.OWN)
    new = find_user(user_id=member_id, username=username)
    if new.pk == project.owner_id:
        raise Conflict("This is the project's owner already.", field="username")
    membership = ProjectMembership.objects.filter(project=project, user=new)
    if not membership.exists():
        raise NotFound(
            "Only a member of the project can become its owner.", field="username", hint="Add them as a member first."
        )
    former = project.owner_id
    if not Project.objects.filter(pk=project.pk, owner_id=former).update(owner=new):
        raise Conflict("The project was handed over by somebody else meanwhile.", hint="Look at it again.")
    membership.delete()
    ProjectMembership.objects.update_or_create(
        project=project, user_id=former, defaults={"role": Role.MAINTAINER.value}
    )
    project.owner = new
    return project


def _given(role: str) -> str:
    if role not in GIVEN:
        raise InvalidInput(
            f"{role[:50]!r} is no role that can be given.", field="role", expected="viewer, author or maintainer"
        )
    return str(role)


def _refuse_owner(project: Project, member_id: UUID) -> None:
    if member_id == project.owner_id:
        raise Conflict(
            "The owner's place in the project cannot be changed.",
            field="member",
            hint="Hand the project over to another member first.",
        )


def _no_member(member_id: UUID) -> NotFound:
    return NotFound(f"The project has no member '{member_id}'.", field="member")
