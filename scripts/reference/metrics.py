"""The page of metrics, from their catalogue."""

from __future__ import annotations

from backend.metrics.catalogue import METRICS
from scripts.reference.page import code, page, plain, table


def render() -> str:
    """Return the page."""
    return page(
        "Metrics",
        "What `/metrics` gives. [For operators](../guides/operators.md#metrics) says how to read it; `deploy/` in the"
        " repository holds a dashboard and alerts.",
        table(
            ["metric", "kind", "labels", "what it tells"],
            [
                (code(each.name), each.kind.value, ", ".join(map(code, each.labels)), plain(each.help))
                for each in METRICS
            ],
        ),
    )
