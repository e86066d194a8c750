"""The first page."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from backend.console.pages import page


@page
def home(request: HttpRequest) -> HttpResponseBase:
    """Show how things stand."""
    return render(request, "console/home.html", {})
