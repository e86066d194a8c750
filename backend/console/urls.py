"""The addresses of the console's pages, below /console/."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from backend.console.views.design import design
from backend.console.views.home import home
from backend.console.views.session import Login, theme

app_name = "console"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("login/", Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("theme/", theme, name="theme"),
    path("design/", design, name="design"),
    path("workflows/", include("backend.console.workflow_urls")),
]
