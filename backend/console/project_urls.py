"""The addresses of the pages of projects. What a path names inside a project is in the query, as over REST."""

from __future__ import annotations

from django.urls import URLPattern, path

from backend.console.views.projects import archives, deliveries, draft, files, generations, lists, members

PROJECTS = "projects/"
PROJECT = f"{PROJECTS}<uuid:project_id>/"
DRAFT = f"{PROJECT}draft/"
GENERATION = f"{PROJECT}generations/<uuid:generation_id>/"
MEMBER = f"{PROJECT}members/<uuid:member_id>/"

urlpatterns: list[URLPattern] = [
    path(PROJECTS, lists.projects, name="projects"),
    path(f"{PROJECTS}-/new/", lists.new_project, name="project-new"),
    path(PROJECT, files.project, name="project"),
    path(f"{PROJECT}labels/", lists.labels, name="project-labels"),
    path(DRAFT, draft.tree, name="draft"),
    path(f"{DRAFT}file/", draft.file, name="draft-file"),
    path(f"{DRAFT}raw/", draft.raw, name="draft-raw"),
    path(f"{DRAFT}edit/", draft.edit, name="draft-edit"),
    path(f"{DRAFT}changes/", draft.changes, name="draft-changes"),
    path(f"{DRAFT}remove/", draft.remove, name="draft-remove"),
    path(f"{DRAFT}begin/", draft.begin, name="draft-begin"),
    path(f"{DRAFT}keep/", draft.keep, name="draft-keep"),
    path(f"{PROJECT}generations/", generations.generations, name="generations"),
    path(GENERATION, generations.generation, name="generation"),
    path(f"{GENERATION}patch/", generations.patch, name="generation-patch"),
    path(f"{GENERATION}files/", files.tree, name="generation-files"),
    path(f"{GENERATION}file/", files.file, name="generation-file"),
    path(f"{GENERATION}raw/", files.raw, name="generation-raw"),
    path(f"{PROJECT}archives/", archives.archives, name="archives"),
    path("exports/<uuid:export_id>/link/", archives.link, name="export-link"),
    path(f"{PROJECT}exports/", deliveries.exports, name="project-exports"),
    path(f"{PROJECT}exports/new/", deliveries.new_export, name="export-new"),
    path(f"{PROJECT}members/", members.members, name="members"),
    path(f"{MEMBER}role/", members.change_role, name="member-role"),
    path(f"{MEMBER}hand-over/", members.hand_over, name="member-hand-over"),
    path(f"{MEMBER}remove/", members.remove, name="member-remove"),
]
