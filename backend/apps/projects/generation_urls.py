"""The paths of generations and their files, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from backend.apps.projects.generation_api import GeneratedFileViewSet, GenerationViewSet

PROJECT = "projects/<uuid:project_id>/"
GENERATION = f"{PROJECT}generated/<uuid:generation_id>/"
FILE = f"{GENERATION}files/<uuid:file_id>/"

urlpatterns = [
    path(f"{PROJECT}generate/", GenerationViewSet.as_view({"post": "create"}), name="generate"),
    path(f"{PROJECT}generated/generate/", GenerationViewSet.as_view({"post": "create"}), name="generated-generate"),
    path(f"{PROJECT}generated/", GenerationViewSet.as_view({"get": "list"}), name="generations"),
    path(GENERATION, GenerationViewSet.as_view({"get": "retrieve"}), name="generation"),
    path(f"{GENERATION}files/", GeneratedFileViewSet.as_view({"get": "list"}), name="generated-files"),
    path(f"{GENERATION}files/content/", GeneratedFileViewSet.as_view({"get": "content"}), name="generated-content"),
    path(FILE, GeneratedFileViewSet.as_view({"get": "retrieve"}), name="generated-file"),
    path(f"{FILE}raw/", GeneratedFileViewSet.as_view({"get": "raw"}), name="generated-file-raw"),
]
