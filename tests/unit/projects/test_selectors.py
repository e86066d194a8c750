"""Who may see and change which project."""

from __future__ import annotations

from uuid import uuid4

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.generation_selectors import recorded_files, visible_files
from backend.apps.projects.models import GeneratedProject, Project, ProjectMembership
from backend.apps.projects.selectors import get_project, list_files, project_by_slug_or_id, visible_projects
from backend.apps.projects.services.content import content_file
from backend.apps.projects.services.recorded_files import record_files
from backend.errors import InvalidInput, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db

Role = ProjectMembership.Role


@pytest.fixture
def project():
    project = Project.objects.create(name="Demo", slug="demo", owner=User.objects.create(username="owner"))
    for role in Role:
        ProjectMembership.objects.create(project=project, user=User.objects.create(username=role), role=role)
    User.objects.create(username="stranger")
    User.objects.create(username="root", is_superuser=True)
    other = Project.objects.create(name="Other", slug="other", owner=User.objects.get(username="stranger"))
    ProjectMembership.objects.create(project=other, user=User.objects.get(username="author"))
    return project


@pytest.mark.parametrize(
    ("username", "reads", "writes"),
    [
        ("owner", True, True),
        ("viewer", True, False),
        ("author", True, True),
        ("maintainer", True, True),
        ("root", True, True),
        ("stranger", False, False),
    ],
)
def test_the_matrix_of_rights(project, username, reads, writes):
    user = User.objects.get(username=username)
    for write, allowed in ((False, reads), (True, writes)):
        for find in (
            lambda write: get_project(user=user, project_id=project.pk, write=write),
            lambda write: get_project(user=user, project_id=str(project.pk), write=write),
            lambda write: project_by_slug_or_id(user=user, reference="demo", write=write),
            lambda write: project_by_slug_or_id(user=user, reference=project.pk, write=write),
        ):
            if allowed:
                assert find(write) == project
            else:
                with pytest.raises(PermissionRefused if reads else NotFound) as refused:
                    find(write)
                assert refused.value.hint


@pytest.mark.parametrize("username", ["owner", "author", "root"])
def test_an_inactive_user_sees_nothing(project, username):
    user = User.objects.get(username=username)
    user.is_active = False
    with pytest.raises(NotFound):
        get_project(user=user, project_id=project.pk, write=False)


def test_a_stranger_cannot_tell_a_project_from_none(project):
    user = User.objects.get(username="stranger")
    shown = []
    for reference in (project.pk, uuid4()):
        with pytest.raises(NotFound) as missing:
            get_project(user=user, project_id=reference, write=True)
        shown.append(str(missing.value.as_json()).replace(str(reference), "ID"))
    assert shown[0] == shown[1]


@pytest.mark.parametrize("reference", ["", "nothing", "0", "x" * 5000, "\x00"])
def test_what_is_no_id_is_not_found(project, reference):
    user = User.objects.get(username="owner")
    for find in (
        lambda: get_project(user=user, project_id=reference, write=False),
        lambda: project_by_slug_or_id(user=user, reference=reference, write=False),
    ):
        with pytest.raises(NotFound) as missing:
            find()
        assert len(missing.value.message) < 500


def test_each_project_is_seen_once(project):
    seen = visible_projects(user=User.objects.get(username="author"))
    assert [found.slug for found in seen] == ["demo", "other"]
    assert visible_projects(user=User.objects.get(username="root")).count() == 2


def test_an_id_wins_over_a_slug_that_looks_like_one(project):
    owner = User.objects.get(username="owner")
    Project.objects.create(name="Sly", slug=str(project.pk), owner=owner)
    assert project_by_slug_or_id(user=owner, reference=str(project.pk), write=False) == project


@pytest.fixture
def generation(project):
    made = GeneratedProject.objects.create(project=project, created_by=project.owner)
    files = [content_file(f"d{n % 20:02}/f{n:05}.py", b"x = 1\n", executable=False) for n in range(20_000)]
    record_files(made, [*files, content_file("README.md", b"# x", executable=False)])
    return made


def test_twenty_thousand_files_are_listed_page_by_page_with_one_query_each(generation, django_assert_num_queries):
    paths: list[str] = []
    after = None
    while True:
        with django_assert_num_queries(1):
            page = list_files(generation=generation, after=after, limit=1000)
            shown = [(file.file_path, file.file_name, file.file_type, file.file_size) for file in page]
        if not page:
            break
        assert shown[-1][2:] == ("python", 6)
        paths += [file.file_path for file in page]
        after = paths[-1]
    assert len(paths) == len(set(paths)) == 20_001
    assert paths == sorted(paths)


def test_files_are_chosen_by_type_and_directory_with_or_without_previews(generation, django_assert_num_queries):
    assert [file.file_path for file in list_files(generation=generation, file_type="markdown")] == ["README.md"]
    assert len(list_files(generation=generation, below="d03", limit=1000)) == 1000
    assert list_files(generation=generation, below="d0") == []
    with django_assert_num_queries(1):
        assert list_files(generation=generation, below="d03/", limit=2, previews=True)[0].content_preview == "x = 1\n"


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_has_a_limit(generation, limit):
    with pytest.raises(InvalidInput):
        list_files(generation=generation, limit=limit)


def test_paths_that_differ_in_case_are_different(project):
    made = GeneratedProject.objects.create(project=project, created_by=project.owner)
    paths = ["SRC/a.py", "src/a.py", "src/b.py", "s%c/a.py", "Éé/x", "éé/x"]
    record_files(made, [content_file(path, b"", executable=False) for path in paths])
    owner = User.objects.get(username="owner")
    for begin, found in {
        "src": ["src/a.py", "src/b.py"],
        "SRC": ["SRC/a.py"],
        "s%c": ["s%c/a.py"],
        "éé": ["éé/x"],
    }.items():
        listed = [
            list_files(generation=made, below=begin),
            recorded_files(made, path=f"{begin}/"),
            visible_files(user=owner, generation_id=made.pk, path=f"{begin}/"),
        ]
        assert [[file.file_path for file in files] for files in listed] == [found] * 3
