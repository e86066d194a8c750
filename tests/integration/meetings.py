"""Two transactions of which the second begins while the first is not committed yet; part of `tests.integration.races`.

A database of rows that can be locked is needed: on SQLite one writes at a time. There each function returns None.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import Any
from uuid import uuid4

from django.db import connection, models, transaction

from backend.apps.authentication.models import User
from backend.apps.projects.models import Organisation, OrganisationMembership, Project, Sprint, Story
from backend.apps.projects.services import deletion, organisations, planning
from backend.errors import RepomillError

PATIENCE = 60
BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def meet(first: Callable[[], Any], second: Callable[[], Any]) -> str:
    """Do the first, let a thread begin the second, and commit the first when the second waits or is done.

    Returns what became of the second: `done`, or its error's code.
    """
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            later = pool.submit(_outcome, second)
            _wait_for(later)
        return later.result(PATIENCE)


def _outcome(work: Callable[[], Any]) -> str:
    try:
        work()
    except RepomillError as error:
        return error.code
    finally:
        connection.close()
    return "done"


def _wait_for(later: Future[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not later.done():
        with connection.cursor() as cursor:
            cursor.execute(BLOCKED)
            if cursor.fetchone()[0]:
                return
        assert time.monotonic() < end, "the second neither waits nor ends"
        time.sleep(0.01)


def changes_that_meet() -> dict[str, Any] | None:
    """Change each kind of row while another transaction has changed another column of it, or has deleted it.

    Returns what the row has then, and what the change of the deleted one was told and how many rows there are of it.
    """
    if not connection.features.has_select_for_update:
        return None
    found: dict[str, Any] = {}
    for name, (make, change, ours, theirs) in _kinds().items():
        row, gone = make(), make()
        meet(partial(_rows(row).update, **{theirs: "theirs"}), partial(change, row.pk, **{ours: "ours"}))
        told = meet(gone.delete, partial(change, gone.pk, **{ours: "ours"}))
        kept = _rows(row).values_list(ours, theirs).get()
        found[name] = {"kept": list(kept), "told": told, "left": _rows(gone).count()}
    return found


def _kinds() -> dict[str, tuple[Callable[[], models.Model], Callable[..., Any], str, str]]:
    """Return, of each kind, what makes a row and what changes one, and two columns that have any text."""
    user = _operator()
    return {
        "project": (_project, lambda pk, **new: planning.update_project(user=user, project_id=pk, **new), *TEXTS),
        "story": (_story, lambda pk, **new: planning.update_story(user=user, story_id=pk, **new), "title", TEXTS[1]),
        "sprint": (_sprint, lambda pk, **new: planning.update_sprint(user=user, sprint_id=pk, **new), "name", "goal"),
        "organisation": (
            _organisation,
            lambda pk, **new: organisations.update_organisation(user=user, organisation_id=pk, **new),
            "name",
            "slug",
        ),
    }


TEXTS = ("name", "description")


def what_is_taken_away() -> dict[str, str] | None:
    """Refer to a row while another transaction deletes it, and the other way round. Returns what the later is told."""
    if not connection.features.has_select_for_update:
        return None
    by: dict[str, Any] = {"user": _operator()}
    told = {}
    story, sprint = _story(), _sprint()
    Story.objects.update(project=sprint.project)
    put = partial(planning.update_story, **by, story_id=story.pk, sprint_id=sprint.pk)
    told["sprint of a story"] = meet(put, partial(planning.delete_sprint, **by, sprint_id=sprint.pk))
    sprint = Sprint.objects.create(project=sprint.project, name="S", created_by=by["user"], **DAYS)
    put = partial(planning.update_story, **by, story_id=story.pk, sprint_id=sprint.pk)
    told["story into a sprint"] = meet(sprint.delete, put)

    project = _project()
    tell = partial(planning.create_story, **by, project_id=project.pk, title="S")
    told["project of a story"] = meet(tell, partial(deletion.delete_project, **by, project_id=project.pk))
    project = _project()
    tell = partial(planning.create_story, **by, project_id=project.pk, title="S")
    told["story of a project"] = meet(partial(deletion.delete_project, **by, project_id=project.pk), tell)

    group, project = _organisation(), _project()
    move = partial(planning.update_project, **by, project_id=project.pk, organisation_id=group.pk)
    told["organisation of a project"] = meet(
        move, partial(organisations.delete_organisation, **by, organisation_id=group.pk)
    )
    group = _organisation()
    move = partial(planning.update_project, **by, project_id=project.pk, organisation_id=group.pk)
    told["project into an organisation"] = meet(group.delete, move)

    group = _organisation()
    place = OrganisationMembership.objects.create(organisation=group, user=by["user"], role="member")
    promote = partial(
        organisations.change_organisation_role, **by, organisation_id=group.pk, member_id=place.user_id, role="admin"
    )
    told["member of an organisation"] = meet(group.delete, promote)
    return told


DAYS: Any = {"start_date": date(2026, 1, 1), "end_date": date(2026, 1, 14)}


def _rows(row: models.Model) -> Any:
    return type(row)._default_manager.filter(pk=row.pk)


def _operator() -> User:
    return User.objects.get(username="operator")


def _project() -> Project:
    return Project.objects.create(name="P", slug=uuid4().hex, owner=_operator())


def _story() -> Story:
    return Story.objects.create(project=_project(), title="S", created_by=_operator())


def _sprint() -> Sprint:
    return Sprint.objects.create(project=_project(), name="S", created_by=_operator(), **DAYS)


def _organisation() -> Organisation:
    return Organisation.objects.create(name="O", slug=uuid4().hex)
