"""Schedules over REST. Views translate; the services change, the selectors read."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.roles import Scope
from backend.apps.exports.schedule_models import ExportSchedule
from backend.apps.exports.schedule_selectors import (
    find_schedule,
    run_json,
    schedule_json,
    schedules_json,
    visible_schedules,
)
from backend.apps.exports.schedule_serializers import (
    RunSerializer,
    ScheduleChange,
    ScheduleSerializer,
    ScheduleWish,
)
from backend.apps.exports.services import schedules


class ExportScheduleViewSet(ApiViewSet):
    """The user's schedules; all of them, the product's too, for operators."""

    serializer_class = ScheduleSerializer
    lookup_url_kwarg = "schedule_id"
    scopes: ClassVar = dict.fromkeys(("create", "partial_update", "destroy", "pause", "resume", "run"), Scope.RUN)

    @extend_schema(summary="List your schedules")
    def list(self, request: Request) -> Response:
        """List schedules by name, with the next five times of each and its last run."""
        found = self.paginate_queryset(visible_schedules(user=user_of(request)))
        return self.get_paginated_response(schedules_json(found or [], now=timezone.now()))

    @extend_schema(summary="Make a schedule", request=ScheduleWish, responses={201: ScheduleSerializer})
    def create(self, request: Request) -> Response:
        """Make a schedule that starts bulk exports on the user's behalf."""
        made = schedules.create_schedule(owner=user_of(request), **self.validated(request, ScheduleWish))
        headers = {"Location": reverse("export-schedule", args=[made.pk])}
        return Response(schedule_json(made, now=timezone.now()), status=status.HTTP_201_CREATED, headers=headers)

    @extend_schema(summary="Get a schedule")
    def retrieve(self, request: Request, schedule_id: UUID) -> Response:
        """Get a schedule, its next five times and its last runs."""
        return self._answer(self._found(request, schedule_id))

    @extend_schema(summary="Change a schedule", request=ScheduleChange)
    def partial_update(self, request: Request, schedule_id: UUID) -> Response:
        """Change what is given; the rest stays. What runs goes on as it began."""
        changes = self.validated(request, ScheduleChange)
        return self._answer(schedules.change_schedule(self._found(request, schedule_id), **changes))

    @extend_schema(summary="Delete a schedule")
    def destroy(self, request: Request, schedule_id: UUID) -> Response:
        """Delete a schedule and its history; what it has started, and the archives, stay."""
        schedules.delete_schedule(self._found(request, schedule_id))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Pause a schedule", request=None)
    def pause(self, request: Request, schedule_id: UUID) -> Response:
        """Let it start nothing by itself; what runs goes on."""
        return self._answer(schedules.pause_schedule(self._found(request, schedule_id)))

    @extend_schema(summary="Resume a schedule", request=None)
    def resume(self, request: Request, schedule_id: UUID) -> Response:
        """Let it start again by the clock, from now on."""
        return self._answer(schedules.resume_schedule(self._found(request, schedule_id)))

    @extend_schema(summary="Run a schedule now", request=None, responses={202: RunSerializer})
    def run(self, request: Request, schedule_id: UUID) -> Response:
        """Have it start within seconds, whatever the clock says; its overlap rule holds."""
        made = schedules.run_now(self._found(request, schedule_id))
        return Response(run_json(made), status=status.HTTP_202_ACCEPTED)

    def _answer(self, row: ExportSchedule) -> Response:
        return Response(schedule_json(row, now=timezone.now()))

    def _found(self, request: Request, schedule_id: UUID) -> ExportSchedule:
        return find_schedule(user=user_of(request), reference=schedule_id)
