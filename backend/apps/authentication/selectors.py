"""Finds users by what others call them, and their own service tokens. It reads; it changes nothing."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from backend.apps.authentication.models import ServiceToken, User
from backend.errors import InvalidInput, NotFound


def find_user(*, user_id: UUID | None = None, username: str | None = None) -> User:
    """Return the active user of an id or a name.

    Raises InvalidInput unless exactly one of the two is given, NotFound where there is no such user or an inactive one.
    """
    if (user_id is None) == (username is None):
        raise InvalidInput("Give either user, an id, or username.", field="username")
    named = User.objects.filter(is_active=True)
    found = named.filter(pk=user_id) if user_id is not None else named.filter(username=username)
    user = found.first()
    if user is None:
        field, said = ("user", str(user_id)) if user_id is not None else ("username", str(username)[:150])
        raise NotFound(f"There is no user {said!r}.", field=field, hint="Names are told apart by upper and lower case.")
    return user


def own_tokens(*, user: User) -> QuerySet[ServiceToken]:
    """Return the user's service tokens, newest first, also those that have expired."""
    return ServiceToken.objects.filter(user=user)


def own_token(*, user: User, token_id: UUID | None = None, name: str | None = None) -> ServiceToken:
    """Return one of the user's service tokens, by its id or its name. Raises NotFound, also for somebody else's."""
    tokens = own_tokens(user=user)
    found = (tokens.filter(pk=token_id) if token_id is not None else tokens.filter(name=name)).first()
    if found is None:
        raise NotFound(f"There is no token '{token_id or str(name)[:100]}'.", field="token")
    return found
