"""The members of a project on their page."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest

from backend.apps.authentication.models import User
from backend.apps.projects.models import Project, ProjectMembership
from tests.unit.console.conftest import browser
from tests.unit.console.projects.conftest import EVIL, at

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"username": "nobody", "role": "author"}, "There is no user"),
        ({"username": "ada", "role": "author"}, "the project's owner"),
        ({"username": "grace", "role": "author"}, "is a member already"),
        ({"username": "", "role": "author"}, "required"),
        ({"username": "bob", "role": "owner"}, "valid choice"),
        ({"username": EVIL, "role": "author"}, "There is no user"),
    ],
)
def test_what_is_wrong_with_a_member_is_said(ada: User, stranger: User, shop: Project, sent: Any, words: str) -> None:
    grace = User.objects.create_user("grace")
    ProjectMembership.objects.create(project=shop, user=grace, role="author")
    answer = browser(ada).post(at(shop, "members/"), sent)
    assert answer.status_code == 422
    assert words in unescape(answer.text)
    assert "<script>alert" not in answer.text
    assert ProjectMembership.objects.count() == 1


def test_members_come_change_and_go(ada: User, stranger: User, shop: Project) -> None:
    client = browser(ada)
    client.post(at(shop, "members/"), {"username": "bob", "role": "viewer"})
    assert "bob" in client.get(at(shop, "members/")).text
    client.post(at(shop, f"members/{stranger.pk}/role/"), {"role": "author"})
    assert ProjectMembership.objects.get().role == "author"
    odd = client.post(
        at(shop, f"members/{stranger.pk}/role/"), {"role": "owner", "back": at(shop, "members/")}, follow=True
    )
    assert "is no role that can be given" in odd.text
    owner = client.post(at(shop, f"members/{ada.pk}/remove/"), {"back": at(shop, "members/")}, follow=True)
    assert "cannot be changed" in owner.text
    left = browser(stranger).post(at(shop, f"members/{stranger.pk}/remove/"), follow=True)
    assert "You have left the project" in left.text
    assert not ProjectMembership.objects.exists()


def test_an_owner_hands_the_project_over_and_nobody_else_does(ada: User, stranger: User, shop: Project) -> None:
    grace = User.objects.create_user("grace")
    for user, role in ((stranger, "author"), (grace, "maintainer")):
        ProjectMembership.objects.create(project=shop, user=user, role=role)
    over = at(shop, f"members/{stranger.pk}/hand-over/")
    assert over in browser(ada).get(at(shop, "members/")).text
    assert over not in browser(grace).get(at(shop, "members/")).text
    browser(grace).post(over)
    shop.refresh_from_db()
    assert shop.owner == ada
    assert "bob owns Shop now" in browser(ada).post(over, follow=True).text
    shop.refresh_from_db()
    assert shop.owner == stranger
    assert ProjectMembership.objects.get(project=shop, user=ada).role == "maintainer"
    assert "hand-over" not in browser(ada).get(at(shop, "members/")).text
