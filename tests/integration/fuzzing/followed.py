"""Which links were followed, read from what schemathesis reports of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Followed:
    """How often each link of the document was followed, and with which answers."""

    links: frozenset[str]
    times: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)

    @property
    def never(self) -> list[str]:
        """The links that were not followed."""
        return sorted(self.links - self.times.keys())

    def table(self) -> str:
        """Return one line for each link: how often it was followed."""
        lines = [f"{self.times[link]:6}  {link}" for link in sorted(self.links)]
        said = ", ".join(f"{status}: {number}" for status, number in sorted(self.answers.items()))
        total = f"{self.times.total()} transitions along {len(self.times)} of {len(self.links)} links; {said}"
        return "\n".join([*lines, total])


def links_of(document: dict[str, Any], *, without: str) -> frozenset[str]:
    """Return the links of an OpenAPI document as schemathesis names them. without: the end of a path it leaves out."""
    targets = {
        said["operationId"]: f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        if not path.endswith(without)
        for method, said in item.items()
        if isinstance(said, dict) and "operationId" in said
    }
    return frozenset(
        f"{method.upper()} {path} -> [{status}] {name} -> {targets[link['operationId']]}"
        for path, item in document["paths"].items()
        for method, said in item.items()
        if isinstance(said, dict)
        for status, answer in said.get("responses", {}).items()
        for name, link in answer.get("links", {}).items()
        if link["operationId"] in targets
    )


def read(reports: Iterable[Path], *, links: frozenset[str]) -> Followed:
    """Read the reports of runs, NDJSON."""
    found = Followed(links)
    for report in reports:
        with report.open(encoding="utf-8") as lines:
            for line in lines:
                _count(json.loads(line).get("ScenarioFinished", {}).get("recorder", {}), found)
    return found


def _count(recorder: dict[str, Any], found: Followed) -> None:
    for number, case in recorder.get("cases", {}).items():
        if case.get("transition") and case.get("is_transition_applied"):
            found.times[case["transition"]["id"]] += 1
            answer = recorder.get("interactions", {}).get(number, {}).get("response") or {}
            found.answers[answer.get("status_code", 0)] += 1
