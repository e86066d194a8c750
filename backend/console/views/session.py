"""Logging in and out, and how the pages look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from backend.api.throttles import LoginThrottle
from backend.console.context import THEME_COOKIE, THEMES
from backend.console.pages import back_of

YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class _Attempt:
    """What the API's throttle wants to know of somebody who gives a password."""

    META: dict[str, Any]
    headers: Mapping[str, str]
    data: dict[str, Any]
    user: None = field(default=None)


class Login(LoginView):
    """The page on which a user gives name and password. Whoever tries too often waits, as at the API."""

    template_name = "console/login.html"
    redirect_authenticated_user = True
    extra_context = {"single_sign_on": settings.SINGLE_SIGN_ON}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ANN401  (Django's)
        """Log in, or say what is wrong."""
        throttle = LoginThrottle()
        attempt = _Attempt(request.META, request.headers, {"username": request.POST.get("username")})
        if not throttle.allow_request(cast("Any", attempt), cast("Any", self)):
            seconds = max(1, round(throttle.wait()))
            context = self.get_context_data(form=AuthenticationForm(request), wait=seconds)
            response = render(request, self.template_name, context, status=429)
            response.headers["Retry-After"] = str(seconds)
            return response
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  (Django's)
        """Return what the page shows."""
        return {**super().get_context_data(**kwargs), "next_name": REDIRECT_FIELD_NAME}


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember in a cookie how the pages are to look, and go back."""
    wanted = request.POST.get("theme", "")
    response = HttpResponseRedirect(back_of(request))
    if wanted in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            wanted,
            max_age=YEAR,
            path="/",
            secure=bool(settings.SESSION_COOKIE_SECURE),
            httponly=True,
            samesite="Lax",
        )
    return response


def admin_login(request: HttpRequest) -> HttpResponse:
    """Lead to the page where one logs in. Raises PermissionDenied for somebody who has, and is not of the staff."""
    if request.user.is_authenticated:
        # The admin sends only those here who may not see it: to be led back to it would go round for ever.
        raise PermissionDenied
    return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME, reverse("admin:index")))
