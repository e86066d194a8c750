"""The page of the REST API, from its OpenAPI document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from scripts.reference.page import code, page, plain, table

HTTP = {"get", "post", "put", "patch", "delete"}


def render() -> str:
    """Return the page."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
    for path, method, operation in operations():
        groups[(operation.get("tags") or ["other"])[0]].append((path, method, operation))
    return page(
        "REST API",
        "Every operation there is. [REST](../guides/rest.md) tells how they work together, and `/api/docs/` of a"
        " running installation is the same document to read and to try, with every field; `/api/schema/` is the"
        " document itself. Errors are problem details; their codes are [listed](errors.md).",
        *(part for tag, found in sorted(groups.items()) for part in _group(tag, found)),
    )


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give each operation: path, method, and its description."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    for path, item in sorted(document["paths"].items()):
        for method, operation in item.items():
            if method in HTTP:
                yield path, method.upper(), operation


def _group(tag: str, found: list[tuple[str, str, dict[str, Any]]]) -> Iterator[str]:
    yield f"## {tag}"
    yield table(
        ["operation", "what it does", "answers", "query"],
        [
            (
                f"{code(f'{method} {path}')}",
                plain(operation.get("summary") or operation["description"].split("\n")[0]),
                ", ".join(status for status in operation["responses"] if status != "default"),
                ", ".join(code(each["name"]) for each in operation.get("parameters", []) if each["in"] == "query"),
            )
            for path, method, operation in found
        ],
    )
