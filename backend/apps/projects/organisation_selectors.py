"""Who may see and manage which organisation. It reads; it changes nothing."""

from __future__ import annotations

from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import Scope, is_operator
from backend.apps.projects.models import Organisation, OrganisationMembership
from backend.apps.projects.selectors import locked
from backend.errors import NotFound, PermissionRefused

ADMIN = OrganisationMembership.Role.ADMIN


def visible_organisations(*, user: User) -> QuerySet[Organisation]:
    """Return the organisations that the user is in; all for an operator, none with a token for one project."""
    if not user.is_active or (user.grant is not None and user.grant.project_id is not None):
        return Organisation.objects.none()
    if is_operator(user):
        return Organisation.objects.all()
    places = OrganisationMembership.objects.filter(user=user).values("organisation_id")
    return Organisation.objects.filter(pk__in=places)


def get_organisation(*, user: User, organisation_id: UUID, manage: bool = False, lock: bool = False) -> Organisation:
    """Return the organisation. manage: for its admins and operators alone.

    lock: nobody else changes or deletes it until the transaction ends.
    Raises NotFound where there is none or the user is not in it (the two look alike), and PermissionRefused.
    """
    visible = visible_organisations(user=user)
    found = (locked(visible) if lock else visible).filter(pk=organisation_id).first()
    if found is None:
        raise NotFound(
            f"There is no organisation '{organisation_id}'.",
            field="organisation",
            hint="Check the id, and that you are a member of the organisation.",
        )
    if manage and not _is_admin(user, found):
        raise PermissionRefused("Only the organisation's admins may do this.", field="organisation")
    if manage and user.grant is not None and not user.grant.allows(Scope.MANAGE):
        raise PermissionRefused("The token does not have the scope 'manage'.", field="organisation")
    return found


def organisation_members(*, user: User, organisation_id: UUID) -> QuerySet[User]:
    """Return the organisation's members by name, each with their `role`. Raises as `get_organisation` does."""
    return members(get_organisation(user=user, organisation_id=organisation_id))


def members(organisation: Organisation) -> QuerySet[User]:
    """Return the members of an organisation that was found already, each with their `role`."""
    places = OrganisationMembership.objects.filter(organisation=organisation)
    role = Subquery(places.filter(user=OuterRef("pk")).values("role")[:1])
    return User.objects.filter(pk__in=places.values("user_id")).annotate(role=role).order_by("username", "pk")


def member_of(organisation: Organisation, member_id: UUID) -> User:
    """Return one of the members, with their `role`. Raises NotFound."""
    found = members(organisation).filter(pk=member_id).first()
    if found is None:
        raise NotFound(f"The organisation has no member '{member_id}'.", field="member")
    return found


def _is_admin(user: User, organisation: Organisation) -> bool:
    if is_operator(user):
        return True
    return OrganisationMembership.objects.filter(organisation=organisation, user=user, role=ADMIN).exists()
