"""Traces: one from the request through each link of the chain to the calls that it makes.

What a trace is continued by is kept in the rows of the database, as `traceparent` of W3C Trace Context, and goes along
in the headers of messages to save a query. Off, which is the default, every function here returns at once and
OpenTelemetry is not imported; it comes with the extra `telemetry`.

Nothing of what a task works on is in a span: names, ids, statuses and codes alone.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.config.environment import load
from backend.errors import ConfigurationError, RepomillError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

HEADER = "traceparent"
"""The header of requests and of messages that says what they continue."""
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

FLUSH_MILLISECONDS = 5000

_tracer: Tracer | None = None
_provider: TracerProvider | None = None
_made_by: int | None = None
_mutex = threading.Lock()


def enabled() -> bool:
    """Say whether traces are written."""
    return bool(load().traces_to)


class Span:
    """What a block may add to its span."""

    def __init__(self, span: Any = None) -> None:  # noqa: ANN401  (OpenTelemetry may not be installed)
        self._span = span

    def note(self, **attributes: str | int | float | bool | None) -> None:
        """Add attributes; those that are None are left out."""
        if self._span is not None:
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(f"repomill.{name}", value)

    def name(self, name: str) -> None:
        """Give the span another name, which was not known at its beginning."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, code: str) -> None:
        """Mark the span as failed, with an error's code; its words may hold anything."""
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, code))


NOTHING = Span()


@contextmanager
def span(name: str, *, kind: str = "internal", parent: str = "", **attributes: str | int | None) -> Iterator[Span]:
    """Record the block as a span.

    kind: internal, server, client, producer or consumer.
    parent: a `traceparent` to continue; empty or malformed: the span of the calling block, or a trace of its own.
    """
    if not enabled():
        yield NOTHING
        return
    from opentelemetry.trace import SpanKind

    tracer = _tracer_of_this_process()
    context = _context(parent) if TRACEPARENT.fullmatch(parent) else None
    with tracer.start_as_current_span(
        name, context=context, kind=SpanKind[kind.upper()], record_exception=False, set_status_on_exception=False
    ) as made:
        it = Span(made)
        it.note(**attributes)
        try:
            yield it
        except BaseException as error:
            it.fail(error.code if isinstance(error, RepomillError) else type(error).__name__)
            raise


def traceparent() -> str:
    """Return what continues the present trace; empty where there is none."""
    if not enabled():
        return ""
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def headers() -> Mapping[str, str]:
    """Return the headers by which our own API continues the present trace."""
    present = traceparent()
    return {HEADER: present} if present else {}


def current_trace_id() -> str:
    """Return the id of the present trace; empty where there is none."""
    return traceparent()[3:35] if _tracer is not None else ""


def flush() -> None:
    """Send the spans that wait; for a process that ends without tidying up. What cannot be sent in 5 s is lost."""
    if _provider is not None and _made_by == os.getpid():
        _provider.force_flush(FLUSH_MILLISECONDS)


def _context(parent: str) -> Any:  # noqa: ANN401
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    _, trace, span_id, flags = parent.split("-")
    known = SpanContext(int(trace, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(known))


def _tracer_of_this_process() -> Tracer:
    """Return the tracer, made at first use: the thread that sends spans would not live on in a fork."""
    global _tracer, _made_by
    if _tracer is None or _made_by != os.getpid():
        with _mutex:
            if _tracer is None or _made_by != os.getpid():
                _tracer = _make()
                _made_by = os.getpid()
    return _tracer


def _make() -> Tracer:
    global _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    check()
    _provider = TracerProvider(resource=Resource.create({"service.name": "repomill"}))
    _provider.add_span_processor(BatchSpanProcessor(_exporter(load().traces_to), schedule_delay_millis=1000))
    return _provider.get_tracer("repomill")


def _exporter(to: str) -> SpanExporter:
    if to.startswith(("http://", "https://")):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=to)
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    path = Path(to)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Each process appends whole lines; the file stays open as long as the process lives.
    file = path.open("a", encoding="utf-8")
    return ConsoleSpanExporter(out=file, formatter=lambda made: made.to_json(indent=None) + "\n")


def check() -> None:
    """Raise ConfigurationError where traces are wanted and what writes them is not installed."""
    if enabled() and find_spec("opentelemetry.sdk" if find_spec("opentelemetry") else "opentelemetry") is None:
        raise ConfigurationError(
            "REPOMILL_TRACES_TO is set, and OpenTelemetry is not installed.",
            field="REPOMILL_TRACES_TO",
            hint="Install Repomill with its extra: pip install 'repomill[telemetry]'",
        )
