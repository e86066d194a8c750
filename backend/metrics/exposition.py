"""Writes everything down in the format that Prometheus reads."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from django.conf import settings
from django.db import Error
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.metrics import catalogue, present
from backend.metrics.catalogue import BUCKETS, Kind
from backend.metrics.counting import catch_up
from backend.metrics.increments import Series
from backend.metrics.models import Count

logger = logging.getLogger(__name__)


def exposition(*, now: datetime) -> bytes:
    """Return all metrics. What cannot be asked just now is left out, and the rest is there."""
    registry = CollectorRegistry()
    registry.register(_Families(_values(now)))
    # Of the web process that was asked: memory, processor time, open files.
    ProcessCollector(namespace="repomill_web", registry=registry)
    return generate_latest(registry)


def _values(now: datetime) -> dict[Series, float]:
    found: dict[Series, float] = {}
    questions: tuple[Callable[[], Mapping[Series, float]], ...] = (
        lambda: {("repomill_history_behind_events", ()): catch_up(now=now)},
        lambda: {(row.name, tuple(row.labels)): row.value for row in Count.objects.all()},
        lambda: present.of_tasks(now=now),
        lambda: present.of_beat(now=now),
        present.of_broker_and_workers,
        # Redis would be waited for a second time where it is the broker and silent.
        lambda: {} if _redis_is_silent(found) else present.of_quotas(now=now),
    )
    for question in questions:
        try:
            found |= question()
        except Error as error:
            logger.warning("a metric could not be asked of the database: %s", type(error).__name__)
    return found


def _redis_is_silent(found: Mapping[Series, float]) -> bool:
    return not settings.ENVIRONMENT.broker_url and not found.get(("repomill_broker_up", ()))


class _Families(Collector):
    """The values, as Prometheus' library wants them."""

    def __init__(self, values: Mapping[Series, float]) -> None:
        self._by_name: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
        for (name, labels), value in values.items():
            self._by_name[name][labels] = value

    def collect(self) -> Iterable[Metric]:
        """Return one family for each metric of the catalogue."""
        for metric in catalogue.METRICS:
            if metric.kind is Kind.HISTOGRAM:
                yield self._histogram(metric)
                continue
            make = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = make(metric.name, metric.help, labels=metric.labels)
            values = self._by_name.get(metric.name, {})
            if not metric.labels and metric.kind is Kind.COUNTER:
                values = values or {(): 0.0}
            for labels, value in sorted(values.items()):
                family.add_metric(labels, value)
            yield family

    def _histogram(self, metric: catalogue.Metric) -> Metric:
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        filled = self._by_name.get(f"{metric.name}_bucket", {})
        for labels, milliseconds in sorted(self._by_name.get(f"{metric.name}_sum", {}).items()):
            buckets = [(_end(end), filled.get((*labels, str(end)), 0.0)) for end in (*BUCKETS, float("inf"))]
            family.add_metric(labels, buckets, milliseconds / 1000)
        return family


def _end(end: float) -> str:
    return "+Inf" if end == float("inf") else str(end)
