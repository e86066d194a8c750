"""The list of projects, and the form that makes a new one."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from backend.apps.projects import list_selectors
from backend.apps.projects.selectors import find_projects
from backend.apps.projects.serializers import ProjectFilters
from backend.apps.projects.services.labels import change_labels
from backend.apps.projects.services.planning import create_project
from backend.console.field_errors import put_error
from backend.console.lists import narrowed
from backend.console.pages import form_page, page, user_of
from backend.console.views.projects.frame import head
from backend.errors import RepomillError

PER_PAGE = 25
MOST_CHOICES = 200
FILTERS = ("search", "owner", "label")


@page
def projects(request: HttpRequest) -> HttpResponseBase:
    """List projects by name, narrowed as the address says."""
    user = user_of(request)
    filters, wrong = narrowed(request, ProjectFilters)
    rows = list_selectors.at_a_glance(find_projects(user=user, **filters))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "found": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "query": query.urlencode(),
        "wrong": wrong,
        "owners": list_selectors.owners_of(user=user, most=MOST_CHOICES),
        "labels": list_selectors.labels_in_use(user=user, most=MOST_CHOICES),
        "narrowed": any(request.GET.get(name) for name in FILTERS),
        **{name: request.GET.get(name, "").replace("\0", "") for name in FILTERS},
    }
    return render(request, "console/projects/list.html", context)


class ProjectForm(forms.Form):
    """What a new project is called."""

    name = forms.CharField(max_length=200)
    slug = forms.SlugField(
        max_length=100, required=False, help_text="Its short name in addresses; without one it is made of the name."
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))


@form_page
def new_project(request: HttpRequest) -> HttpResponseBase:
    """Make a project that the user owns."""
    form = ProjectForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            made = create_project(user=user_of(request), **form.cleaned_data)
        except RepomillError as error:
            put_error(form, error)
        else:
            messages.success(request, f"{made.name} is there. Its files come from a workflow, or from you.")
            return HttpResponseRedirect(reverse("console:project", args=[made.pk]))
    return render(request, "console/projects/new.html", {"form": form}, status=422 if form.errors else 200)


class LabelsForm(forms.Form):
    """All labels of a project, in one line."""

    labels = forms.CharField(
        required=False, max_length=2000, help_text="Words such as nightly or customer-acme, with blanks between them."
    )


@form_page
def labels(request: HttpRequest, project_id: UUID) -> HttpResponseBase:
    """Say which labels a project has."""
    project, context = head(request, project_id, tab="labels")
    there = set(context["labels"])
    form = LabelsForm(request.POST if request.method == "POST" else None, initial={"labels": " ".join(sorted(there))})
    if request.method == "POST" and form.is_valid():
        wanted = set(form.cleaned_data["labels"].split())
        try:
            change_labels(
                user=user_of(request), project=project, add=sorted(wanted - there), remove=sorted(there - wanted)
            )
        except RepomillError as error:
            put_error(form, error, {"label": "labels"})
        else:
            messages.success(request, "The labels are saved.")
            return HttpResponseRedirect(reverse("console:project", args=[project.pk]))
    return render(
        request, "console/projects/labels.html", {**context, "form": form}, status=422 if form.errors else 200
    )
