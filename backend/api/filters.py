"""What a list can be narrowed to and how it is ordered: a misspelt parameter is refused and not passed over.

Here and in bodies, a value that is none of a few is told which there are.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

OF_THE_PAGE = frozenset({"page", "page_size", "cursor", "format"})
"""What pagination and content negotiation read."""


MOST_NAMED = 30
"""Choices that an error still names."""


class NamesChoices(serializers.Serializer[Any]):
    """A serializer whose errors name what could have been chosen."""

    def get_fields(self) -> dict[str, Any]:
        """Return the fields."""
        fields: dict[str, Any] = super().get_fields()
        for field in fields.values():
            if isinstance(field, serializers.ChoiceField) and len(field.choices) <= MOST_NAMED:
                named = ", ".join(str(choice) for choice in field.choices).replace("{", "{{").replace("}", "}}")
                words = f'"{{input}}" is not a valid choice. Choose one of: {named}.'
                field.error_messages = {**field.error_messages, "invalid_choice": words}
        return fields


class Filters(NamesChoices):
    """The query of a list, which refuses parameters that it does not know."""

    def to_internal_value(self, data: Any) -> Any:  # noqa: ANN401  (as in Serializer)
        """Return the validated parameters."""
        if unknown := sorted(set(data) - set(self.fields) - OF_THE_PAGE):
            message = f"There is no such parameter. The parameters are: {', '.join(self.fields)}."
            raise serializers.ValidationError({name: [message] for name in unknown}, code="unknown_parameter")
        return super().to_internal_value(data)
