"""The members of a project: who is what in it, and who may change that."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backend.apps.authentication.roles import Right
from backend.apps.projects.membership_selectors import members_of
from backend.apps.projects.models import ProjectMembership
from backend.apps.projects.selectors import get_project
from backend.apps.projects.services import membership
from backend.console.field_errors import put_error
from backend.console.pages import action, form_page, user_of
from backend.console.views.projects.frame import head_of
from backend.errors import RepomillError

PER_PAGE = 50
ROLES = (
    ("viewer", "Viewer", "reads everything, and downloads archives"),
    ("author", "Author", "also changes files, and starts runs and exports"),
    ("maintainer", "Maintainer", "also controls the runs of others, and says who is a member"),
)


class MemberForm(forms.Form):
    """Who is to become a member, and as what."""

    username = forms.CharField(max_length=150, label="User", help_text="The name that they log in with.")
    role = forms.ChoiceField(choices=ProjectMembership.Role.choices, initial=ProjectMembership.Role.AUTHOR)


@form_page
def members(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """List who is in a project, and add somebody."""
    user = user_of(request)
    adds = request.method == "POST"
    project = get_project(user=user, project_id=project_id, right=Right.MANAGE if adds else Right.SEE)
    form = MemberForm(request.POST if adds else None)
    if adds and form.is_valid():
        try:
            added = membership.add_member(user=user, project_id=project.pk, **form.cleaned_data)
        except RepomillError as error:
            put_error(form, error)
        else:
            messages.success(request, f"{added.get_username()} is a member now.")
            return HttpResponseRedirect(reverse("console:members", args=[project.pk]))
    people = members_of(user=user, project_id=project.pk)
    context = {
        **head_of(request, project, tab="members"),
        "found": Paginator(people, PER_PAGE).get_page(request.GET.get("page")),
        "form": form,
        "roles": ROLES,
    }
    return render(request, "console/projects/members.html", context, status=422 if form.errors else 200)


@action
def change_role(request: HttpRequest, project_id: UUID, member_id: UUID) -> HttpResponseBase:
    """Give a member another role."""
    role = request.POST.get("role", "")
    changed = membership.change_role(user=user_of(request), project_id=project_id, member_id=member_id, role=role)
    messages.success(request, f"{changed.get_username()} is {role} now.")
    return HttpResponseRedirect(reverse("console:members", args=[project_id]))


@action
def hand_over(request: HttpRequest, project_id: UUID, member_id: UUID) -> HttpResponseBase:
    """Make a member the project's owner; who was it stays as a maintainer."""
    project = membership.transfer_project(user=user_of(request), project_id=project_id, member_id=member_id)
    messages.success(request, f"{project.owner.get_username()} owns {project.name} now.")
    return HttpResponseRedirect(reverse("console:members", args=[project_id]))


@action
def remove(request: HttpRequest, project_id: UUID, member_id: UUID) -> HttpResponseBase:
    """Remove somebody from a project, or leave it."""
    user = user_of(request)
    membership.remove_member(user=user, project_id=project_id, member_id=member_id)
    if member_id == user.pk and not user.is_superuser:
        messages.success(request, "You have left the project.")
        return HttpResponseRedirect(reverse("console:projects"))
    messages.success(request, "They are no longer a member.")
    return HttpResponseRedirect(reverse("console:members", args=[project_id]))
