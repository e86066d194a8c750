"""What an organisation's plan allows, and whether there is room for more work.

Everything is counted anew from the rows, under the lock of the organisation's row: a counter kept beside them would go
wrong with the first worker that dies. What begins, and what is recorded, asks here inside its own transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet, Sum

from backend.apps.projects.errors import OrganisationBusy, OrganisationFull, OrganisationInactive
from backend.apps.projects.models import Archive, GeneratedProject, Organisation, Project

GIGABYTE = 1024**3
ASK_AGAIN_SECONDS = 10.0

_Status = GeneratedProject.Status
BEGUN = (_Status.GENERATING,)
BEGUN_OR_ASKED_FOR = (_Status.PENDING, _Status.GENERATING)


@dataclass(frozen=True)
class Allowance:
    """What a plan allows: generations at once, and bytes stored. None: as much as wanted."""

    generations: int | None
    storage: int | None


ALLOWANCES: dict[str, Allowance] = {
    Organisation.Plan.FREE: Allowance(generations=1, storage=1 * GIGABYTE),
    Organisation.Plan.TEAM: Allowance(generations=5, storage=10 * GIGABYTE),
    Organisation.Plan.ENTERPRISE: Allowance(generations=None, storage=None),
}


def allowance_of(organisation: Organisation) -> Allowance:
    """Return what an organisation's plan allows."""
    return ALLOWANCES[organisation.plan]


def generating(organisation_id: UUID, *, statuses: Collection[str] = BEGUN, without: UUID | None = None) -> int:
    """Return how many generations of the organisation's projects are in one of the statuses."""
    return _generations(organisation_id, without=without).filter(status__in=statuses).count()


def stored(organisation_id: UUID, *, without: UUID | None = None) -> int:
    """Return the bytes that the organisation's generations and archives have, as they were recorded.

    A generation whose files were removed counts nothing, its archives as long as they are there.
    """
    there = _generations(organisation_id, without=without).exclude(status=_Status.ARCHIVED)
    files = there.aggregate(bytes=Sum("total_size"))
    archives = Archive.objects.filter(generated_project__project__organisation_id=organisation_id)
    return int(files["bytes"] or 0) + int(archives.aggregate(bytes=Sum("size"))["bytes"] or 0)


def require_room_to_ask(*, project: Project) -> None:
    """Check that another generation of the project can be asked for; those that were asked for before count too.

    To be called in the transaction that records the wish. Raises as `require_room_to_generate` does.
    """
    _require_room(project, statuses=BEGUN_OR_ASKED_FOR, without=None)


def require_room_to_generate(*, generation: GeneratedProject) -> None:
    """Check that this generation can begin now. To be called in the transaction that lets it begin.

    Raises OrganisationInactive, OrganisationFull where everything is used up, and OrganisationBusy where as many are
    being generated as the plan allows; that passes.
    """
    _require_room(generation.project, statuses=BEGUN, without=generation.pk)


def require_storage(*, generation: GeneratedProject, size: int) -> None:
    """Check that what was generated can be recorded. To be called in the transaction that records it.

    size: the bytes of all its files. Raises OrganisationFull.
    """
    organisation = _locked(generation.project)
    if organisation is not None:
        _require_storage(organisation, more=size, without=generation.pk)


def require_storage_for_archive(*, project: Project, more: int) -> None:
    """Check that an archive can be recorded. To be called in the transaction that records it.

    more: the bytes it has beyond the one that it replaces, if any. Raises OrganisationFull.
    """
    organisation = _locked(project)
    if organisation is not None:
        _require_storage(organisation, more=more, without=None)


def _require_room(project: Project, *, statuses: Collection[str], without: UUID | None) -> None:
    organisation = _locked(project)
    if organisation is None:
        return
    if not organisation.is_active:
        raise OrganisationInactive(
            f"The organisation {organisation.name} is not active.", hint="Ask an operator to activate it."
        )
    _require_storage(organisation, more=1, without=without)
    most = allowance_of(organisation).generations
    if most is not None and generating(organisation.pk, statuses=statuses, without=without) >= most:
        raise OrganisationBusy(
            f"The organisation {organisation.name} may generate {most} at once, and does.",
            retry_after=ASK_AGAIN_SECONDS,
            hint="Wait for one to end, or ask an operator for another plan.",
            limit="generations",
            maximum=most,
        )


def _require_storage(organisation: Organisation, *, more: int, without: UUID | None) -> None:
    most = allowance_of(organisation).storage
    if most is None:
        return
    used = stored(organisation.pk, without=without)
    if used + more > most:
        raise OrganisationFull(
            f"The organisation {organisation.name} may store {most} bytes, and stores {used}.",
            hint="Delete projects or archives that are not needed, or ask an operator for another plan.",
            limit="storage",
            maximum=most,
            value=used + more,
        )


def _generations(organisation_id: UUID, *, without: UUID | None) -> QuerySet[GeneratedProject]:
    found = GeneratedProject.objects.filter(project__organisation_id=organisation_id)
    return found if without is None else found.exclude(pk=without)


def _locked(project: Project) -> Organisation | None:
    """Lock the project's organisation, as it is now: whoever else begins something in it waits until this is done."""
    organisation_id = Project.objects.filter(pk=project.pk).values_list("organisation_id", flat=True).first()
    if organisation_id is None:
        return None
    # None where the project was taken out of it, and it was deleted, between the two.
    return Organisation.objects.select_for_update().filter(pk=organisation_id).first()
