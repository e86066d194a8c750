"""For whom the command line acts."""

from __future__ import annotations

from backend.apps.authentication.models import User
from backend.errors import NotFound

OPERATOR = "operator"


def acting_user(username: str | None) -> User:
    """Return the user of that name, or the local operator when none is given. Raises NotFound.

    Whoever may run this command may read the database itself, so no password is asked.
    """
    wanted = username or OPERATOR
    user = User.objects.filter(username=wanted).first()
    if user is None:
        raise NotFound(
            f"There is no user {wanted!r}.",
            field="--user",
            hint="`repomill up` makes the user operator on its first start."
            if username is None
            else "Make one: python -m backend.manage createsuperuser",
        )
    return user
