"""Repomill's addresses, and two bare REST framework views that insert one row: what starts are measured against."""

from __future__ import annotations

from uuid import uuid4

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.api.models import IdempotentRequest
from backend.apps.authentication.requests import user_of
from backend.config.urls import handler400, handler403, handler404, handler500, urlpatterns
from backend.metrics.models import Position

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class Bare(APIView):
    """Inserts one row for whoever has a token, as every view of the API asks for one."""

    def post(self, request: Request) -> Response:
        row = IdempotentRequest.objects.create(user=user_of(request), key=str(uuid4()))
        return Response({"id": row.pk}, status=202)


class Open(APIView):
    """Inserts one row for everybody, and asks for nothing."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def post(self, _request: Request) -> Response:
        row = Position.objects.create(source=str(uuid4()))
        return Response({"id": row.pk}, status=202)


urlpatterns = [*urlpatterns, path("bare/", Bare.as_view()), path("open/", Open.as_view())]
