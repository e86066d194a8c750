"""The base of the API's view sets: what every endpoint has without asking for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from backend.api.filters import NamesChoices
from backend.api.idempotency import HonoursKeys


class PlainViewSet(GenericViewSet[Any]):
    """A view set with tokens, problem details, numbered pages and strict JSON, for answers that must not be kept.

    Its methods take the kind of serializer where it is another one than the view set's own.
    """

    scopes: ClassVar[Mapping[str, str]] = {}
    """What a service token must be good for, by action, where it is not `read` for reading and `write` for the rest."""

    def validated(
        self,
        request: Request,
        kind: type[BaseSerializer[Any]] | None = None,
        *,
        partial: bool = False,
        **context: Any,  # noqa: ANN401  (whatever a serializer reads)
    ) -> dict[str, Any]:
        """Return the body's values. Raises ValidationError with every field that is wrong."""
        kind = kind or self.get_serializer_class()
        serializer: BaseSerializer[Any] = kind(
            data=request.data, partial=partial, context={**self.get_serializer_context(), **context}
        )
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def filters(self, request: Request, kind: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """Return what the query asks for. Raises ValidationError with every parameter that is wrong."""
        serializer = kind(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def page(self, things: Any, kind: type[BaseSerializer[Any]] | None = None) -> Response:  # noqa: ANN401
        """Answer with a page of things: of a query set, or of what is ordered and cut like one."""
        found = self.paginate_queryset(things)
        return self.get_paginated_response(self._shown(found, kind, many=True))

    def one(self, thing: Any, kind: type[BaseSerializer[Any]] | None = None, *, code: int = 200) -> Response:  # noqa: ANN401
        """Answer with one thing. code: the HTTP status."""
        return Response(self._shown(thing, kind), status=code)

    def created(self, thing: Any, kind: type[BaseSerializer[Any]] | None = None, *, location: str) -> Response:  # noqa: ANN401
        """Answer 201 with a new thing and where it is."""
        headers = {"Location": location}
        return Response(self._shown(thing, kind), status=status.HTTP_201_CREATED, headers=headers)

    def _shown(self, thing: Any, kind: type[BaseSerializer[Any]] | None, *, many: bool = False) -> Any:  # noqa: ANN401
        kind = kind or self.get_serializer_class()
        return kind(thing, many=many, context=self.get_serializer_context()).data


class ApiViewSet(HonoursKeys, PlainViewSet):
    """A view set with all of that and idempotency keys: what every endpoint is, unless it has a reason."""


class StrictFields(NamesChoices):
    """A serializer that refuses fields it does not know: a misspelt name must not be lost without a word."""

    def to_internal_value(self, data: Any) -> Any:  # noqa: ANN401  (as in Serializer)
        """Return the validated values; read-only fields are ignored, so that what was read can be sent back."""
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            known = ", ".join(name for name, field in self.fields.items() if not field.read_only)
            message = f"There is no such field. The fields are: {known}."
            raise serializers.ValidationError({str(name): [message] for name in unknown}, code="unknown_field")
        return super().to_internal_value(data)
