"""What every template of the console knows: who looks, where they are, and how they want it to look."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from backend.apps.authentication.models import User
from backend.apps.authentication.roles import is_operator
from backend.console.navigation import places_for, section_of

THEME_COOKIE = "theme"
THEMES = ("system", "light", "dark")


def console(request: HttpRequest) -> dict[str, Any]:
    """Return it; nothing outside of the console."""
    if not request.path.startswith("/console/"):
        return {"theme": theme_of(request)}
    user = request.user if isinstance(request.user, User) else None
    operator = user is not None and is_operator(user)
    return {
        "theme": theme_of(request),
        "places": places_for(operator=operator) if user else [],
        "section": section_of(request.path),
        "is_operator": operator,
    }


def theme_of(request: HttpRequest) -> str:
    """Return how the user wants the pages to look: `system`, `light` or `dark`."""
    wanted = request.COOKIES.get(THEME_COOKIE, "")
    return wanted if wanted in THEMES else THEMES[0]
