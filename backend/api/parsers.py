"""Reads request bodies: JSON of bounded size and depth, in which nothing stands that could not be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from backend.api.errors import PayloadTooLarge
from backend.strict_json import NotJSON, read_json


class StrictJSONParser(JSONParser):
    """Parses JSON by `backend.strict_json`, in bodies up to DATA_UPLOAD_MAX_MEMORY_SIZE."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  (REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401  (JSON)
        """Return the body's value. Raises ParseError or PayloadTooLarge."""
        largest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(largest + 1)
        if len(body) > largest:
            raise PayloadTooLarge(f"The request's body is larger than {largest} bytes.", hint="Send less at once.")
        try:
            return read_json(body)
        except NotJSON as error:
            raise ParseError(f"JSON parse error - {error}") from error
