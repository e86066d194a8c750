"""Labels of projects."""

import json

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.projects.services.labels import change_labels
from backend.cli.app import main
from backend.errors import InvalidInput, PermissionRefused

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return User.objects.create(username="operator")


@pytest.fixture
def project(owner):
    return Project.objects.create(name="p", slug="p", owner=owner)


def test_labels_are_added_once_and_taken_away(owner, project):
    assert change_labels(user=owner, project=project, add=["nightly", "acme"]) == ["acme", "nightly"]
    assert change_labels(user=owner, project=project, add=["acme"], remove=["nightly", "other"]) == ["acme"]


@pytest.mark.parametrize("name", ["", "A", "-x", "a b", "x" * 51, "a\0"])
def test_what_is_no_label(owner, project, name):
    with pytest.raises(InvalidInput):
        change_labels(user=owner, project=project, add=["fine", name])
    assert not project.labels.exists()


def test_viewers_do_not_label(project):
    viewer = User.objects.create(username="viewer")
    ProjectMembership.objects.create(project=project, user=viewer, role="viewer")
    with pytest.raises(PermissionRefused):
        change_labels(user=viewer, project=project, add=["x"])


def test_the_command(owner, project, capsys):
    with pytest.raises(SystemExit):
        main(["projects", "label", "p", "nightly", "--json"])
    assert json.loads(capsys.readouterr().out) == ["nightly"]
