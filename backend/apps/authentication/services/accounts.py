"""Changes the user's own account."""

from __future__ import annotations

from typing import TypedDict, Unpack

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from backend.apps.authentication.models import User
from backend.errors import InvalidInput


class AccountFields(TypedDict, total=False):
    """What users can say about themselves."""

    first_name: str
    last_name: str
    email: str


def change_account(*, user: User, **fields: Unpack[AccountFields]) -> User:
    """Change the user's names or e-mail address."""
    User.objects.filter(pk=user.pk).update(**fields)
    for name, value in fields.items():
        setattr(user, name, value)
    return user


def change_password(*, user: User, old_password: str, new_password: str) -> None:
    """Change the user's password, with which all their access and refresh tokens end; service tokens stay.

    Raises InvalidInput for a wrong old password, and for a new one that is too weak.
    """
    if not user.check_password(old_password):
        raise InvalidInput("This is not your password.", field="old_password")
    try:
        validate_password(new_password, user)
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), field="new_password") from error
    user.set_password(new_password)
    user.save(update_fields=["password"])
