"""Makes and changes organisations and who is in them.

The rights of who asks are checked here, so that REST, the console and the command line may all call it. What a plan
allows is `organisation_limits`'.
"""

from __future__ import annotations

from typing import TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError, transaction

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import is_operator
from backend.apps.authentication.selectors import find_user
from backend.apps.projects.models import Organisation, OrganisationMembership
from backend.apps.projects.organisation_selectors import ADMIN, get_organisation, member_of
from backend.errors import Conflict, InvalidInput, NotFound, PermissionRefused

OPERATORS = frozenset({"plan", "is_active"})
"""What of an organisation only operators change."""


class OrganisationFields(TypedDict, total=False):
    """What can be said about an organisation. `slug` is unique among all; `plan` and `is_active` are an operator's."""

    name: str
    slug: str
    plan: str
    is_active: bool


@transaction.atomic
def create_organisation(*, user: User, **fields: Unpack[OrganisationFields]) -> Organisation:
    """Create an organisation with the user as its admin. Raises InvalidInput, or PermissionRefused for its plan."""
    if user.grant is not None and user.grant.project_id is not None:
        raise PermissionRefused("The token is good for one project alone.")
    _refuse_operators_fields(user, fields)
    organisation = _save(Organisation(**fields))
    OrganisationMembership.objects.create(organisation=organisation, user=user, role=ADMIN)
    return organisation


@transaction.atomic
def update_organisation(*, user: User, organisation_id: UUID, **fields: Unpack[OrganisationFields]) -> Organisation:
    """Change an organisation; for its admins, its plan and whether it is active for operators alone.

    Raises as `get_organisation` and `create_organisation` do.
    """
    organisation = get_organisation(user=user, organisation_id=organisation_id, manage=True, lock=True)
    _refuse_operators_fields(user, fields)
    for name, value in fields.items():
        setattr(organisation, name, value)
    return _save(organisation, only=[*fields, "updated_at"])


@transaction.atomic
def delete_organisation(*, user: User, organisation_id: UUID) -> None:
    """Delete an organisation; for its admins. Raises as `get_organisation` does, and Conflict while it has projects."""
    organisation = get_organisation(user=user, organisation_id=organisation_id, manage=True, lock=True)
    count = organisation.projects.count()
    if count:
        raise Conflict(
            f"The organisation has {count} projects.", hint="Delete them or take them out first.", projects=count
        )
    organisation.delete()


def add_organisation_member(
    *, user: User, organisation_id: UUID, role: str, member_id: UUID | None = None, username: str | None = None
) -> User:
    """Add somebody and return them, with their `role`; for admins. Raises Conflict for who is a member already."""
    organisation = get_organisation(user=user, organisation_id=organisation_id, manage=True)
    new = find_user(user_id=member_id, username=username)
    try:
        with transaction.atomic():
            OrganisationMembership.objects.create(organisation=organisation, user=new, role=role)
    except IntegrityError as error:
        raise Conflict(f"{new.get_username()} is a member already.", field="username") from error
    return member_of(organisation, new.pk)


@transaction.atomic
def change_organisation_role(*, user: User, organisation_id: UUID, member_id: UUID, role: str) -> User:
    """Give a member another role; for admins. Raises NotFound for who is no member, Conflict for the last admin."""
    # Locked: two admins who remove each other at once must not both succeed.
    organisation = get_organisation(user=user, organisation_id=organisation_id, manage=True, lock=True)
    place = _place(organisation, member_id)
    if role != ADMIN:
        _refuse_last_admin(organisation, place)
    place.role = role
    place.save(update_fields=["role"])
    return member_of(organisation, member_id)


@transaction.atomic
def remove_organisation_member(*, user: User, organisation_id: UUID, member_id: UUID) -> None:
    """Remove somebody; for admins, and for the member who leaves. Their projects stay where they are.

    Raises NotFound for who is no member, Conflict for the last admin.
    """
    leaves = member_id == user.pk and user.grant is None
    organisation = get_organisation(user=user, organisation_id=organisation_id, manage=not leaves, lock=True)
    place = _place(organisation, member_id)
    _refuse_last_admin(organisation, place)
    place.delete()


def organisation_for_project(*, user: User, organisation_id: UUID | None) -> Organisation | None:
    """Return the organisation that a project is to be put into, locked: it must not be deleted meanwhile.

    Raises NotFound for one that the user is not in.
    """
    return None if organisation_id is None else get_organisation(user=user, organisation_id=organisation_id, lock=True)


def _place(organisation: Organisation, member_id: UUID) -> OrganisationMembership:
    found = OrganisationMembership.objects.filter(organisation=organisation, user_id=member_id).first()
    if found is None:
        raise NotFound(f"The organisation has no member '{member_id}'.", field="member")
    return found


def _refuse_last_admin(organisation: Organisation, place: OrganisationMembership) -> None:
    others = OrganisationMembership.objects.filter(organisation=organisation, role=ADMIN).exclude(pk=place.pk)
    if place.role == ADMIN and not others.exists():
        raise Conflict("This is the organisation's last admin.", field="member", hint="Make somebody else admin first.")


def _refuse_operators_fields(user: User, fields: OrganisationFields) -> None:
    reserved = sorted(OPERATORS & fields.keys())
    if reserved and not is_operator(user):
        raise PermissionRefused(f"Only an operator may set {reserved[0]}.", field=reserved[0])


def _save(organisation: Organisation, *, only: list[str] | None = None) -> Organisation:
    try:
        with transaction.atomic():
            organisation.save(update_fields=only)
    except IntegrityError as error:
        raise InvalidInput(
            f"The slug {organisation.slug!r} is taken.", field="slug", hint="Choose another one."
        ) from error
    return organisation
