"""What a list can be narrowed to and how it is ordered: a misspelt parameter is refused and not passed over."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

OF_THE_PAGE = frozenset({"page", "page_size", "cursor", "format"})
"""What pagination and content negotiation read."""


class Filters(serializers.Serializer[Any]):
    """The query of a list, which refuses parameters that it does not know."""

    def to_internal_value(self, data: Any) -> Any:  # noqa: ANN401  (as in Serializer)
        """Return the validated parameters."""
        if unknown := sorted(set(data) - set(self.fields) - OF_THE_PAGE):
            message = f"There is no such parameter. The parameters are: {', '.join(self.fields)}."
            raise serializers.ValidationError({name: [message] for name in unknown}, code="unknown_parameter")
        return super().to_internal_value(data)
