"""Dashboard and alerts ask for metrics that there are, by labels that they have."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from backend.config.environment import ROOT
from backend.metrics.catalogue import BY_NAME, Kind

DASHBOARD = ROOT / "deploy" / "grafana" / "repomill.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
NAME = re.compile(r"\brepomill_[a-z_]+(?:\{(?P<matchers>[^}]*)\})?")
OF_THE_PROCESS = "repomill_web_process_"


def panels() -> list[dict[str, Any]]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    found: list[dict[str, Any]] = loaded["panels"]
    return found


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> Iterator[tuple[str, str, str]]:
    """Every expression, who asks it, and how its lines are named."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]
    for alert in alerts():
        yield alert["alert"], alert["expr"], alert["annotations"]["summary"].replace("$labels.", "")


@pytest.mark.parametrize(("where", "expression", "legend"), list(expressions()))
def test_what_is_asked_for_exists(where: str, expression: str, legend: str) -> None:
    labels: set[str] = set()
    for match in NAME.finditer(expression):
        name = match.group(0).partition("{")[0]
        if name.startswith(OF_THE_PROCESS):
            continue
        metric = BY_NAME.get(name) or BY_NAME[name.removesuffix("_bucket")]
        assert (metric.kind is Kind.HISTOGRAM) == name.endswith("_bucket"), name
        labels |= {*metric.labels, *(["le"] if metric.kind is Kind.HISTOGRAM else [])}
        for matcher in filter(None, (match.group("matchers") or "").split(",")):
            assert re.split("[=!]", matcher)[0] in metric.labels, (where, matcher)
        if metric.kind is Kind.COUNTER:
            assert re.search(rf"(rate|increase)\({name}", expression), f"{where}: a counter's bare value says nothing"
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= labels, where
    for shown in re.findall(r"\{\{\s*([a-z]+)\s*\}\}", legend):
        assert shown in labels, (where, shown)


def test_every_metric_is_shown_or_watched() -> None:
    asked = " ".join(expression for _, expression, _ in expressions())
    assert not [name for name in BY_NAME if name not in asked]


def test_every_alert_says_what_to_do() -> None:
    for alert in alerts():
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "action"}
    assert len({alert["alert"] for alert in alerts()}) == len(alerts())


def test_panels_do_not_cover_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels():
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
        assert at["x"] + at["w"] <= 24
    assert len({panel["id"] for panel in panels()}) == len(panels())
