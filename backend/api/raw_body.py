"""Takes in a request's body as it is, whatever its type says: for endpoints that keep bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from backend.api.errors import PayloadTooLarge


class RawParser(BaseParser):
    """Gives the body's bytes. A view says by `largest_body` how many it takes."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  (REST framework's signature)
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  (bytes; REST framework's stubs know forms and mappings alone)
        """Return the body. Raises PayloadTooLarge."""
        largest: int = (parser_context or {})["view"].largest_body
        body: bytes = stream.read(largest + 1)
        if len(body) > largest:
            raise PayloadTooLarge(f"The request's body is larger than {largest} bytes.", hint="Send less at once.")
        return body
