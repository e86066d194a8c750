"""The addresses of the console's pages, below /console/."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, path

from backend.console import export_urls, project_urls, workflow_urls
from backend.console.views import run_actions
from backend.console.views.design import design
from backend.console.views.home import home, home_queues
from backend.console.views.run import run, run_data, run_history, run_log
from backend.console.views.runs import runs
from backend.console.views.session import Login, theme
from backend.console.views.step import step
from backend.console.views.system import system

RUN = "runs/<uuid:execution_id>/"
STEP = f"{RUN}steps/<str:step_id>/"

app_name = "console"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("queues/", home_queues, name="home-queues"),
    path("login/", Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("theme/", theme, name="theme"),
    path("design/", design, name="design"),
    *workflow_urls.urlpatterns,
    *export_urls.urlpatterns,
    *project_urls.urlpatterns,
    path("runs/", runs, name="runs"),
    path(RUN, run, name="run"),
    path(f"{RUN}data/", run_data, name="run-data"),
    path(f"{RUN}history/", run_history, name="run-history"),
    path(f"{RUN}log/", run_log, name="run-log"),
    path(f"{RUN}pause/", run_actions.pause, name="run-pause"),
    path(f"{RUN}resume/", run_actions.resume, name="run-resume"),
    path(f"{RUN}cancel/", run_actions.cancel, name="run-cancel"),
    path(f"{RUN}rerun/", run_actions.rerun, name="run-rerun"),
    path(STEP, step, name="step"),
    path(f"{STEP}cancel/", run_actions.cancel_step, name="step-cancel"),
    path(f"{STEP}retry/", run_actions.retry_step, name="step-retry"),
    path("tasks/<uuid:task_id>/settle/", run_actions.settle, name="task-settle"),
    path("exports/<uuid:export_id>/download/", run_actions.download, name="download"),
    path("archives/<uuid:archive_id>/download/", run_actions.download_archive, name="archive-download"),
    path("system/", system, name="system"),
]
