"""The composition root of the web process: which address serves what."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import conditional_page
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView

from backend.api.health import healthz, readyz
from backend.console.views.session import admin_login
from backend.console.views.step import task
from backend.metrics.views import metrics

admin.autodiscover()

handler400 = "backend.api.errors.bad_request"
handler403 = "backend.api.errors.forbidden"
handler404 = "backend.api.errors.not_found"
handler500 = "backend.api.errors.server_error"

# Every app brings the paths of its own nouns; here is only said where they begin.
api_v1: list[URLPattern | URLResolver] = [
    path("auth/", include("backend.apps.authentication.urls")),
    path("", include("backend.apps.credentials.urls")),
    path("", include("backend.apps.projects.urls")),
    path("", include("backend.apps.workflows.urls")),
    path("", include("backend.apps.exports.bulk_urls")),
    path("", include("backend.apps.projects.flat_urls")),
    path("", include("backend.apps.projects.generation_urls")),
    path("", include("backend.apps.projects.file_urls")),
    path("", include("backend.apps.exports.flat_urls")),
    path("", include("backend.apps.exports.urls")),
    path("", include("backend.apps.agents.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="console:home")),
    *([path("console/sso/", include("mozilla_django_oidc.urls"))] if settings.SINGLE_SIGN_ON else []),
    path("console/", include("backend.console.urls")),
    path("api/v1/", include(api_v1)),
    path("api/schema/", conditional_page(SpectacularAPIView.as_view()), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/redoc/", SpectacularRedocView.as_view(url_name="schema", template_name="api/redoc.html"), name="redoc"),
    # One way in: what the console's asks, throttles and allows.
    path("admin/login/", admin_login),
    path("admin/", admin.site.urls),
    # Where Flower's link leads: an address that stays, wherever a task is shown one day.
    path("tasks/<uuid:task_id>/", task),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
