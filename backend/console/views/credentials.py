"""Credentials: which there are, what they may do, what is left of their quota, where they are named. Never a value."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from backend.apps.authentication.models import User
from backend.apps.authentication.project_access import project_access
from backend.apps.authentication.roles import Right
from backend.apps.credentials.hosts import host_kind
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.selectors import find_credential, namable_credentials
from backend.apps.credentials.services.adding import add_checked, rotate_checked
from backend.apps.credentials.services.check import check_credential, concerns
from backend.apps.credentials.services.keeping import remove_credential
from backend.apps.credentials.services.sharing import share_credential
from backend.apps.exports.credential_uses import uses_of
from backend.apps.exports.quota_selectors import quotas_of
from backend.apps.projects.models import Project
from backend.apps.projects.selectors import projects_with_right, visible_projects
from backend.console.asking import Asking
from backend.console.lists import numbered
from backend.console.pages import action, back_of, form_page, page, user_of
from backend.console.shown import credentials as shown
from backend.console.wishes import credential_schema, value_schema
from backend.errors import NotFound, RepomillError

VALUE = "in/value"
MOST_PROJECTS = 500


@page
def credentials(request: HttpRequest) -> HttpResponseBase:
    """List the credentials that the user can name."""
    user = user_of(request)
    part = numbered(request, namable_credentials(user=user))
    now = timezone.now()
    uses = uses_of(user=user, credentials=part.rows)
    quotas = quotas_of(part.rows, now=now) or {}
    projects = _projects_of(user, part.rows)
    rows = [
        shown.Row(
            row, uses[row.pk], quotas.get(row.pk), projects.get(row.project_id), own=row.owner_id == user.pk, now=now
        )
        for row in part.rows
    ]
    return render(request, "console/credentials/credentials.html", {"part": part, "rows": rows})


@page
def credential(request: HttpRequest, credential_id: UUID) -> HttpResponseBase:
    """Show one credential, without its value."""
    user = user_of(request)
    found = find_credential(user=user, credential_id=credential_id)
    now = timezone.now()
    quotas = quotas_of([found], now=now)
    uses = uses_of(user=user, credentials=[found])[found.pk]
    project = _projects_of(user, [found]).get(found.project_id)
    row = shown.Row(found, uses, (quotas or {}).get(found.pk), project, own=found.owner_id == user.pk, now=now)
    context = {"row": row, "uses": uses, "quota_unknown": quotas is None}
    if row.own:
        context["projects"] = _circles(user)
    return render(request, "console/credentials/credential.html", context)


@action
def share(request: HttpRequest, credential_id: UUID) -> HttpResponseBase:
    """Share a credential of one's own with the members of a project, or take it back."""
    user = user_of(request)
    found = find_credential(user=user, credential_id=credential_id, own=True)
    project = request.POST.get("project", "")
    if project:
        project_access().find(user, project, Right.WRITE)
    share_credential(credential=found, project_id=_project_id(project))
    words = "is shared with the project's members" if project else "is yours alone"
    messages.success(request, f"The credential {found.name} {words} now.")
    return HttpResponseRedirect(reverse("console:credential", args=[found.pk]))


@action
def check(request: HttpRequest, credential_id: UUID) -> HttpResponseBase:
    """Ask the host whose it is, what it may do and until when."""
    found = find_credential(user=user_of(request), credential_id=credential_id)
    finding = check_credential(found)
    if finding.asked:
        messages.success(request, shown.finding_words(finding, host=found.host))
    for concern in concerns(finding, host=found.host, now=timezone.now()):
        messages.warning(request, concern.message)
    return HttpResponseRedirect(back_of(request, reverse("console:credential", args=[found.pk])))


@action
def remove(request: HttpRequest, credential_id: UUID) -> HttpResponseBase:
    """Remove a credential of one's own."""
    found = find_credential(user=user_of(request), credential_id=credential_id, own=True)
    remove_credential(credential=found)
    words = f"The credential {found.name} is removed. At its host it stays valid until you revoke it there."
    messages.success(request, words)
    return HttpResponseRedirect(reverse("console:credentials"))


@sensitive_post_parameters(VALUE)
@sensitive_variables("answers", "value")
@form_page
def add(request: HttpRequest) -> HttpResponseBase:
    """Keep a secret under a name."""
    user = user_of(request)
    project = request.POST.get("project", "")
    context: dict[str, Any] = {"projects": _circles(user), "project": project}
    asking = Asking(request, credential_schema(), "console/credentials/add.html", context=context)
    if request.method != "POST":
        return asking.first()
    answers = asking.answers()
    if asking.wanted != "add":
        return asking.again(answers)
    if answers.errors:
        return asking.show(answers, status=422)
    value = answers.inputs.pop("value")
    try:
        made = add_checked(
            user=user,
            secret=Secret(value),
            base_url=answers.inputs.get("base_url"),
            username=answers.inputs.get("username"),
            project_id=_project_id(project),
            check_with_host=answers.inputs.get("check_with_host", False),
            name=answers.inputs["name"],
            host=answers.inputs["host"],
        )
    except RepomillError as error:
        return asking.refused(answers, error)
    messages.success(request, f"The credential {made.name} is kept, encrypted. Its value is never shown again.")
    return HttpResponseRedirect(reverse("console:credential", args=[made.pk]))


@sensitive_post_parameters(VALUE)
@sensitive_variables("answers", "value")
@form_page
def rotate(request: HttpRequest, credential_id: UUID) -> HttpResponseBase:
    """Give a credential of one's own another value."""
    found = find_credential(user=user_of(request), credential_id=credential_id, own=True)
    schema = value_schema(check=bool(host_kind(found.host).api_path))
    asking = Asking(request, schema, "console/credentials/rotate.html", context={"credential": found})
    if request.method != "POST":
        return asking.first()
    answers = asking.answers()
    if answers.errors:
        return asking.show(answers, status=422)
    value = answers.inputs.pop("value")
    try:
        rotate_checked(
            credential=found, secret=Secret(value), check_with_host=answers.inputs.get("check_with_host", False)
        )
    except RepomillError as error:
        return asking.refused(answers, error)
    messages.success(request, f"{found.name} has its new value. Whatever names it uses that from now on.")
    return HttpResponseRedirect(reverse("console:credential", args=[found.pk]))


def _circles(user: User) -> QuerySet[Project]:
    """Return the projects with whose members the user may share a credential."""
    return projects_with_right(user=user, right=Right.WRITE).order_by("name", "id")[:MOST_PROJECTS]


def _projects_of(user: User, rows: list[Credential]) -> dict[UUID | None, str]:
    """Return the names of the projects with which credentials are shared."""
    wanted = {row.project_id for row in rows if row.project_id}
    return dict(visible_projects(user=user).filter(pk__in=wanted).values_list("pk", "name"))


def _project_id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise NotFound("There is no such project.", field="project") from None
