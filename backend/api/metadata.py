"""What OPTIONS answers: the methods, in the `Allow` header, and a name. The OpenAPI document says what a body may hold.

REST framework's own answer asks a view for its serializer and its object, which tells who may not see it whether it is
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request

if TYPE_CHECKING:
    # REST framework's views import this module by its name in the settings.
    from rest_framework.views import APIView


class NameOnly(BaseMetadata):
    """The name of what lies at a path."""

    def determine_metadata(self, request: Request, view: APIView) -> dict[str, str]:  # noqa: ARG002  (as in BaseMetadata)
        """Return the name."""
        return {"name": view.get_view_name()}
