"""What a list of projects tells of each, and what it can be narrowed to. It reads; it changes nothing."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, IntegerField, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce

from backend.apps.authentication.models import User
from backend.apps.projects.models import Archive, GeneratedProject, Project, ProjectLabel
from backend.apps.projects.selectors import as_uuid, visible_projects
from backend.errors import NotFound


def at_a_glance(projects: QuerySet[Project]) -> QuerySet[Project]:
    """Return projects with their owner and labels, `generations` (how many) and `generated_at` (the newest one)."""
    own = GeneratedProject.objects.filter(project=OuterRef("pk")).order_by()
    count = own.values("project").annotate(count=Count("pk")).values("count")
    newest = own.filter(status=GeneratedProject.Status.COMPLETED).order_by("-completed_at").values("completed_at")[:1]
    labels = Prefetch("labels", queryset=ProjectLabel.objects.order_by("name"))
    return (
        projects.select_related("owner")
        .prefetch_related(labels)
        .annotate(generations=Coalesce(Subquery(count, output_field=IntegerField()), 0), generated_at=Subquery(newest))
    )


def owners_of(*, user: User, most: int) -> list[User]:
    """Return who owns the projects that the user may see, by name."""
    owners = visible_projects(user=user).order_by().values("owner_id")
    return list(User.objects.filter(pk__in=owners).order_by("username")[:most])


def labels_in_use(*, user: User, most: int) -> list[str]:
    """Return the labels of the projects that the user may see, sorted."""
    visible = visible_projects(user=user).order_by().values("pk")
    names = ProjectLabel.objects.filter(project__in=visible).order_by("name").values_list("name", flat=True)
    return list(names.distinct()[:most])


def completed_generations(project: Project, *, most: int, named: str = "") -> list[GeneratedProject]:
    """Return the newest generations of a project that can be exported, and the one of this id, newest first."""
    found = GeneratedProject.objects.filter(project=project, status=GeneratedProject.Status.COMPLETED)
    ordered = found.exclude(commit="").order_by("-completed_at", "-created_at")
    newest = list(ordered[:most])
    identifier = as_uuid(named)
    if identifier is None or any(each.pk == identifier for each in newest):
        return newest
    return newest + list(ordered.filter(pk=identifier))


def archives_of(project: Project) -> QuerySet[Archive]:
    """Return the archives that were made of a project's generations."""
    return Archive.objects.filter(generated_project__project=project).select_related("generated_project")


def visible_archives(*, user: User) -> QuerySet[Archive]:
    """Return the archives of the projects that the user may see, each with its generation and project."""
    projects = visible_projects(user=user).order_by().values("pk")
    return Archive.objects.filter(generated_project__project__in=projects).select_related("generated_project__project")


def get_archive(*, user: User, archive_id: UUID) -> Archive:
    """Return the archive. Raises NotFound where there is none or the user may not see its project."""
    found = visible_archives(user=user).filter(pk=archive_id).first()
    if found is None:
        raise NotFound(
            f"There is no archive '{archive_id}'.",
            field="archive",
            hint="Check the id, and that you are a member of its project.",
        )
    return found
