"""Projects, stories and sprints: what may be done with them, whoever asks."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectMembership, Sprint, Story
from backend.apps.projects.planning_selectors import get_sprint, get_story, sprints_of, stories_of
from backend.apps.projects.services import planning
from backend.errors import InvalidInput, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db
TWO_WEEKS: Any = {"start_date": date(2026, 1, 1), "end_date": date(2026, 1, 14)}


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def project(owner: User) -> Project:
    return planning.create_project(user=owner, name="Mill")


def member(project: Project, role: str) -> User:
    user = User.objects.create_user(role)
    ProjectMembership.objects.create(project=project, user=user, role=role)
    return user


@pytest.mark.parametrize(
    ("names", "slugs"),
    [
        (["Mill", "Mill", "Mill"], ["mill", "mill-2", "mill-3"]),
        (["Ünïcode & Co."], ["unicode-co"]),
        (["東京"], ["project"]),
        (["x" * 200], ["x" * 90]),
    ],
)
def test_slugs_are_made_from_names(owner: User, names: list[str], slugs: list[str]) -> None:
    assert [planning.create_project(user=owner, name=name).slug for name in names] == slugs


def test_a_given_slug_is_kept_and_a_taken_one_refused(owner: User) -> None:
    assert planning.create_project(user=owner, name="Mill", slug="my-mill").slug == "my-mill"
    with pytest.raises(InvalidInput, match="taken") as caught:
        planning.create_project(user=owner, name="Mill", slug="my-mill")
    assert caught.value.place["field"] == "slug"


def test_many_projects_of_one_name(owner: User) -> None:
    taken = ["mill", *(f"mill-{number}" for number in range(2, planning.MOST_NUMBERED))]
    Project.objects.bulk_create(Project(name="Mill", slug=slug, owner=owner) for slug in taken)
    slug = planning.create_project(user=owner, name="Mill").slug
    assert slug.startswith("mill-")
    assert slug not in taken


def test_a_slug_that_is_taken_meanwhile_is_no_failure(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    planning.create_project(user=owner, name="Mill")
    monkeypatch.setattr(planning, "_free_slug", lambda name: "mill")
    assert planning.create_project(user=owner, name="Mill").slug.startswith("mill-")


def test_other_failures_of_the_database_are_not_explained_away(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Project, *args: Any, **kwargs: Any) -> None:
        raise IntegrityError("something else")

    monkeypatch.setattr(Project, "save", broken)
    with pytest.raises(IntegrityError, match="something else"):
        planning.create_project(user=owner, name="Mill")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "Mill", "slug": "no slug"}, "slug"),
        ({"name": "Mill", "description": "\0"}, "description"),
    ],
)
def test_values_that_cannot_be_are_refused(owner: User, fields: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        planning.create_project(user=owner, **fields)
    assert caught.value.place["field"] == field
    assert Project.objects.count() == 0


def test_a_project_is_changed(owner: User, project: Project) -> None:
    changed = planning.update_project(user=owner, project_id=project.pk, name="Other", description="D")
    assert (changed.name, changed.description, changed.slug) == ("Other", "D", "mill")
    planning.create_project(user=owner, name="Taken", slug="taken")
    with pytest.raises(InvalidInput, match="taken"):
        planning.update_project(user=owner, project_id=project.pk, slug="taken")


def test_a_story_is_created_changed_and_deleted(owner: User, project: Project) -> None:
    sprint = planning.create_sprint(user=owner, project_id=project.pk, name="S", **TWO_WEEKS)
    story = planning.create_story(user=owner, project_id=project.pk, title="T", sprint_id=sprint.pk, story_points=3)
    assert (story.status, story.created_by, story.sprint) == ("backlog", owner, sprint)
    changed = planning.update_story(user=owner, story_id=story.pk, status="done", sprint_id=None)
    assert (changed.status, changed.sprint, changed.title) == ("done", None, "T")
    planning.delete_story(user=owner, story_id=story.pk)
    assert Story.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"title": "T", "status": "lost"}, "status"),
        ({"title": "T", "story_points": -1}, "story_points"),
        ({"title": "T", "acceptance_criteria": "a\0"}, "acceptance_criteria"),
    ],
)
def test_story_values_that_cannot_be_are_refused(owner: User, project: Project, fields: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        planning.create_story(user=owner, project_id=project.pk, **fields)
    assert caught.value.place["field"] == field


def test_a_sprint_of_another_project_is_missing(owner: User, project: Project) -> None:
    other = planning.create_project(user=owner, name="Other")
    foreign = planning.create_sprint(user=owner, project_id=other.pk, name="S", **TWO_WEEKS)
    story = planning.create_story(user=owner, project_id=project.pk, title="T")
    for sprint_id in (foreign.pk, uuid4()):
        with pytest.raises(NotFound, match="no sprint") as caught:
            planning.create_story(user=owner, project_id=project.pk, title="T", sprint_id=sprint_id)
        assert caught.value.place["field"] == "sprint"
        with pytest.raises(NotFound, match="no sprint"):
            planning.update_story(user=owner, story_id=story.pk, sprint_id=sprint_id)


def test_a_sprint_does_not_end_before_it_begins(owner: User, project: Project) -> None:
    sprint = planning.create_sprint(user=owner, project_id=project.pk, name="S", **TWO_WEEKS)
    with pytest.raises(InvalidInput, match="before it begins"):
        planning.update_sprint(user=owner, sprint_id=sprint.pk, end_date=date(2025, 12, 31))
    with pytest.raises(InvalidInput, match="before it begins"):
        planning.create_sprint(
            user=owner, project_id=project.pk, name="S", start_date=date(2026, 1, 2), end_date=date(2026, 1, 1)
        )
    one_day = planning.update_sprint(user=owner, sprint_id=sprint.pk, end_date=date(2026, 1, 1), status="active")
    assert (one_day.end_date, one_day.status) == (date(2026, 1, 1), "active")


def test_a_sprint_without_dates_is_refused(owner: User, project: Project) -> None:
    with pytest.raises(InvalidInput) as caught:
        planning.create_sprint(user=owner, project_id=project.pk, name="S")
    assert caught.value.place["field"] == "start_date"


def test_stories_outlive_their_sprint(owner: User, project: Project) -> None:
    sprint = planning.create_sprint(user=owner, project_id=project.pk, name="S", **TWO_WEEKS)
    story = planning.create_story(user=owner, project_id=project.pk, title="T", sprint_id=sprint.pk)
    planning.delete_sprint(user=owner, sprint_id=sprint.pk)
    story.refresh_from_db()
    assert story.sprint is None


@pytest.mark.parametrize(
    ("who", "error"),
    [
        ("viewer", PermissionRefused),
        ("stranger", NotFound),
        ("inactive", NotFound),
        ("author", None),
        ("maintainer", None),
    ],
)
def test_who_may_change_things(owner: User, project: Project, who: str, error: Any) -> None:
    sprint = planning.create_sprint(user=owner, project_id=project.pk, name="S", **TWO_WEEKS)
    story = planning.create_story(user=owner, project_id=project.pk, title="T")
    user = User.objects.create_user(who, is_active=who != "inactive") if error is NotFound else member(project, who)
    changes: list[Any] = [
        lambda: planning.update_project(user=user, project_id=project.pk, name="N"),
        lambda: planning.create_story(user=user, project_id=project.pk, title="N"),
        lambda: planning.update_story(user=user, story_id=story.pk, title="N"),
        lambda: planning.create_sprint(user=user, project_id=project.pk, name="N", **TWO_WEEKS),
        lambda: planning.update_sprint(user=user, sprint_id=sprint.pk, name="N"),
        lambda: planning.delete_story(user=user, story_id=story.pk),
        lambda: planning.delete_sprint(user=user, sprint_id=sprint.pk),
    ]
    for change in changes:
        if error is None:
            change()
        else:
            with pytest.raises(error):
                change()
    if error is not None:
        assert (Story.objects.get().title, Sprint.objects.get().name) == ("T", "S")


def test_who_may_read_things(owner: User, project: Project) -> None:
    sprint = planning.create_sprint(user=owner, project_id=project.pk, name="S", **TWO_WEEKS)
    story = planning.create_story(user=owner, project_id=project.pk, title="T", sprint_id=sprint.pk)
    viewer, stranger = member(project, "viewer"), User.objects.create_user("stranger")
    assert get_story(user=viewer, story_id=story.pk, write=False) == story
    assert get_sprint(user=viewer, sprint_id=sprint.pk, write=False) == sprint
    assert list(stories_of(user=viewer, project_id=project.pk, status="backlog", sprint_id=sprint.pk)) == [story]
    assert list(stories_of(user=viewer, project_id=project.pk, status="done")) == []
    assert list(sprints_of(user=viewer, project_id=project.pk)) == [sprint]
    assert list(sprints_of(user=viewer, project_id=project.pk, status="active")) == []
    for read in (
        lambda: get_story(user=stranger, story_id=story.pk, write=False),
        lambda: get_sprint(user=stranger, sprint_id=sprint.pk, write=False),
        lambda: stories_of(user=stranger, project_id=project.pk),
        lambda: sprints_of(user=stranger, project_id=project.pk),
    ):
        with pytest.raises(NotFound):
            read()
