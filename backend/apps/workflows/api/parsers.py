"""Reads a definition as it was written, JSON or YAML, so that what is wrong with it can be named by its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from backend.api.errors import PayloadTooLarge
from backend.apps.workflows.definitions.source import read_source
from backend.apps.workflows.errors import InvalidDefinition


class JSONDefinition(BaseParser):
    """A definition in JSON."""

    media_type = "application/json"
    is_json = True

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  (REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401  (a Source, for which REST framework has no type)
        """Return the body's data with its lines. Raises InvalidDefinition or PayloadTooLarge."""
        largest = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(largest + 1)
        if len(body) > largest:
            raise PayloadTooLarge(f"The request's body is larger than {largest} bytes.", hint="Send less at once.")
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
            raise InvalidDefinition("The definition is not UTF-8.", line=line) from error
        return read_source(text, is_json=self.is_json)


class YAMLDefinition(JSONDefinition):
    """A definition in YAML."""

    media_type = "application/yaml"
    is_json = False
