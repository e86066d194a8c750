"""What every page and every button of the console has without asking for it.

A page needs a user who has logged in, is never cached, and shows an error of ours as a page with what to do next. An
action is a POST that ends in a redirect; an error of ours becomes a notice on the page that it leads back to. Neither
decides who may do what: the selectors and services of the apps do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from backend.api.errors import status_of
from backend.apps.authentication.models import User
from backend.errors import RepomillError

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def user_of(request: HttpRequest) -> User:
    """Return who looks at the page; `page` and `action` have seen to it that somebody does."""
    return cast("User", request.user)


def is_partial(request: HttpRequest) -> bool:
    """Return whether htmx asks, for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def page(view: Page[P]) -> Page[P]:
    """Make a page of a view that reads."""
    # Django adds a random length to what it compresses, so that its size tells nothing of the secrets in it.
    return _for_users(cast("Page[P]", gzip_page(cast("Any", require_safe(_with_error_pages(view))))))


def attachment(view: Page[P]) -> Page[P]:
    """Make a download of a view that answers with a file; it says itself how that is sent."""
    return _for_users(require_safe(_with_error_pages(view)))


def form_page(view: Page[P]) -> Page[P]:
    """Make a page of a view that shows a form and takes its answers; an error that it does not catch is a page."""
    return _for_users(_with_error_pages(view))


def action(view: Page[P]) -> Page[P]:
    """Make an action of a view that changes something and returns where to go on.

    An error of ours leads back to where the user was, with a notice. The form's field `back` says where that is.
    """

    @wraps(view)
    def act(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except RepomillError as error:
            messages.error(request, said(error))
            return HttpResponseRedirect(back_of(request))

    return _for_users(require_POST(cast("Page[P]", act)))


def back_of(request: HttpRequest, default: str = "/console/") -> str:
    """Return the page that the form says it was sent from, where it is one of ours."""
    wanted = request.POST.get("back", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else default


def said(error: RepomillError) -> str:
    """Return an error as one text: what happened, and what to do next."""
    return " ".join(part for part in (error.message, error.hint) if part)


def error_page(request: HttpRequest, error: RepomillError) -> HttpResponse:
    """Return the page, or the part of one, that shows an error."""
    template = "console/parts/error.html" if is_partial(request) else "console/error.html"
    return render(request, template, {"error": error}, status=status_of(error))


def _for_users(view: Page[P]) -> Page[P]:
    return cast("Page[P]", never_cache(_known_user(login_required(cast("Any", view)))))


def _known_user(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def ask(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        if not request.user.is_authenticated and is_partial(request):
            # A session that has ended: the whole page goes to the login, and not a part of it.
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return view(request, *args, **kwargs)

    return ask


def _with_error_pages(view: Page[P]) -> Page[P]:
    @wraps(view)
    def show(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except RepomillError as error:
            return error_page(request, error)

    return cast("Page[P]", show)
