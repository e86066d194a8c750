"""Which credentials a user can name."""

from uuid import uuid4

import pytest

from backend.apps.credentials.selectors import get_credential, own_credential, visible_credentials
from backend.apps.credentials.services.keeping import add_credential
from backend.errors import NotFound

pytestmark = pytest.mark.django_db

SHOP, BLOG = uuid4(), uuid4()


@pytest.fixture
def rows(ada, bob, secret):
    """Ada's own `x`; Bob's `x` and `y`, shared with the project SHOP, and his own `z`."""
    made = [(ada, "x", None), (bob, "x", SHOP), (bob, "y", SHOP), (bob, "z", None)]
    return [
        add_credential(user=user, name=name, host="github", secret=secret, project_id=project)
        for user, name, project in made
    ]


@pytest.mark.parametrize(
    ("name", "project", "found"),
    [("x", SHOP, 0), ("x", None, 0), ("y", SHOP, 2), ("y", BLOG, None), ("y", None, None), ("z", SHOP, None)],
)
def test_the_users_own_comes_first_then_the_projects(ada, rows, name, project, found):
    if found is None:
        with pytest.raises(NotFound) as missing:
            get_credential(user=ada, name=name, project_id=project)
        assert missing.value.hint
    else:
        assert get_credential(user=ada, name=name, project_id=project) == rows[found]


def test_a_strangers_looks_like_none(ada, rows):
    messages = set()
    for name in ("z", "q"):
        with pytest.raises(NotFound) as missing:
            get_credential(user=ada, name=name, project_id=SHOP)
        messages.add(missing.value.message.replace(name, "?"))
    assert len(messages) == 1


def test_a_superuser_uses_no_strangers_either(ada, rows):
    ada.is_superuser = True
    with pytest.raises(NotFound):
        get_credential(user=ada, name="z", project_id=SHOP)


def test_an_inactive_user_finds_none(ada, rows):
    ada.is_active = False
    assert not visible_credentials(user=ada, project_ids=[SHOP])
    with pytest.raises(NotFound):
        get_credential(user=ada, name="x", project_id=SHOP)


def test_the_credential_of_somebody_who_left_is_nobodys(ada, bob, rows):
    bob.is_active = False
    bob.save()
    with pytest.raises(NotFound):
        get_credential(user=ada, name="y", project_id=SHOP)


def test_only_the_owner_may_change_it(ada, bob, rows):
    assert own_credential(user=bob, name="y") == rows[2]
    with pytest.raises(NotFound):
        own_credential(user=ada, name="y")


@pytest.mark.parametrize("name", ["", "x\0", "ghp_canary000000000", "CANARY", "y" * 1000])
def test_what_is_no_name_is_not_looked_for_and_not_repeated(ada, rows, name, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(NotFound) as missing:
        get_credential(user=ada, name=name, project_id=SHOP)
    assert "canary" not in str(missing.value.as_json()).lower()
    with django_assert_num_queries(0), pytest.raises(NotFound):
        own_credential(user=ada, name=name)


def test_a_list_holds_ones_own_and_the_projects(ada, bob, rows):
    assert list(visible_credentials(user=ada)) == [rows[0]]
    assert set(visible_credentials(user=ada, project_ids=[SHOP, BLOG])) == {rows[0], rows[1], rows[2]}
    assert list(visible_credentials(user=bob, project_ids=[SHOP])) == [rows[1], rows[2], rows[3]]
