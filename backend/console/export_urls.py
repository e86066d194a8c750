"""The addresses of the pages of bulk exports, schedules and credentials."""

from __future__ import annotations

from django.urls import URLPattern, path

from backend.console.views import bulk, bulk_actions, credentials, schedule_actions, schedules

BULK = "bulk-exports/"
ONE_BULK = f"{BULK}<uuid:bulk_export_id>/"
SCHEDULES = "schedules/"
ONE_SCHEDULE = f"{SCHEDULES}<uuid:schedule_id>/"
CREDENTIALS = "credentials/"
ONE_CREDENTIAL = f"{CREDENTIALS}<uuid:credential_id>/"

urlpatterns: list[URLPattern] = [
    path(BULK, bulk.bulk_exports, name="bulk-exports"),
    path(f"{BULK}-/start/", bulk_actions.start, name="bulk-start"),
    path(ONE_BULK, bulk.bulk_export, name="bulk-export"),
    path(f"{ONE_BULK}items/", bulk.bulk_items, name="bulk-items"),
    path(f"{ONE_BULK}report/<slug:form>/", bulk.bulk_report, name="bulk-report"),
    path(f"{ONE_BULK}pause/", bulk_actions.pause, name="bulk-pause"),
    path(f"{ONE_BULK}resume/", bulk_actions.resume, name="bulk-resume"),
    path(f"{ONE_BULK}cancel/", bulk_actions.cancel, name="bulk-cancel"),
    path(f"{ONE_BULK}retry/", bulk_actions.retry, name="bulk-retry"),
    path(SCHEDULES, schedules.schedules, name="schedules"),
    path(f"{SCHEDULES}-/calendar/", schedules.calendar, name="schedule-calendar"),
    path(f"{SCHEDULES}-/new/", schedule_actions.create, name="schedule-new"),
    path(ONE_SCHEDULE, schedules.schedule, name="schedule"),
    path(f"{ONE_SCHEDULE}edit/", schedule_actions.edit, name="schedule-edit"),
    path(f"{ONE_SCHEDULE}pause/", schedule_actions.pause, name="schedule-pause"),
    path(f"{ONE_SCHEDULE}resume/", schedule_actions.resume, name="schedule-resume"),
    path(f"{ONE_SCHEDULE}run/", schedule_actions.run_now, name="schedule-run"),
    path(f"{ONE_SCHEDULE}delete/", schedule_actions.delete, name="schedule-delete"),
    path(CREDENTIALS, credentials.credentials, name="credentials"),
    path(f"{CREDENTIALS}-/add/", credentials.add, name="credential-add"),
    path(ONE_CREDENTIAL, credentials.credential, name="credential"),
    path(f"{ONE_CREDENTIAL}check/", credentials.check, name="credential-check"),
    path(f"{ONE_CREDENTIAL}share/", credentials.share, name="credential-share"),
    path(f"{ONE_CREDENTIAL}rotate/", credentials.rotate, name="credential-rotate"),
    path(f"{ONE_CREDENTIAL}remove/", credentials.remove, name="credential-remove"),
]
