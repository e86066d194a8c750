"""An execution's history over REST, page by page. `backend.apps.workflows.streaming` streams it at the same address."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.pagination import page_size
from backend.api.views import ApiViewSet
from backend.apps.authentication.requests import user_of
from backend.apps.workflows.access import get_execution
from backend.apps.workflows.execution_selectors import events_page
from backend.apps.workflows.serializers.events import EventFilters, EventPageSerializer

USUAL, LARGEST = 100, 1000
PAGE_SIZE = OpenApiParameter(
    "page_size",
    {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": USUAL},
    description=f"Events on a page: {USUAL} unless said, at most {LARGEST}.",
)
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    {"type": "integer", "minimum": 0},
    location=OpenApiParameter.HEADER,
    description="For the stream: the number of the last event that has arrived.",
)


@extend_schema_view(
    list=extend_schema(
        summary="List or stream an execution's events",
        parameters=[EventFilters, PAGE_SIZE, LAST_EVENT_ID],
        responses={(200, "application/json"): EventPageSerializer, (200, "text/event-stream"): OpenApiTypes.STR},
    )
)
class EventViewSet(ApiViewSet):
    """The history of an execution, event by event."""

    serializer_class = EventPageSerializer
    pagination_class = None

    def list(self, request: Request, execution_id: UUID) -> Response:
        """Get the events after a number, in order; with `Accept: text/event-stream`, all from there on as they come.

        A stream's events have the number as `id`, so that a client that was cut off goes on with `Last-Event-ID`. It
        ends with an event `end` when the execution has ended.
        """
        after: int = self.filters(request, EventFilters)["after"]
        size = page_size(request, usual=USUAL, largest=LARGEST)
        # Its status is read before its events: an execution that has ended has no later ones.
        execution = get_execution(user=user_of(request), execution_id=execution_id)
        events, more = events_page(execution_id=execution_id, after=after, limit=size)
        last = events[-1].sequence if events else after
        address = f"{reverse('execution-events', args=[execution_id])}?after={last}&page_size={size}"
        following = request.build_absolute_uri(address) if more else None
        return self.one({"next": following, "last": last, "status": execution.status, "results": events})
