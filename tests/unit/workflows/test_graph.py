"""What runs next."""

import pytest

from backend.apps.workflows.decisions.graph import StepState, decide_next
from backend.apps.workflows.definitions.definition import from_data


def definition(**steps):
    data = [
        {"id": name, "type": "x", "depends_on": depends.split(), "continue_on_error": name.endswith("_soft")}
        for name, depends in steps.items()
    ]
    return from_data({"name": "d", "steps": data})


DIAMOND = definition(a="", b="a", c="a", d="b c")
SOFT = definition(a_soft="", b="a_soft")
BACKWARDS = definition(late="early", early="")


def states(text):
    known = {"p": "pending", "r": "running", "c": "completed", "f": "failed", "s": "skipped", "x": "cancelled"}
    return {
        name: StepState("skipped", blocked=True) if mark == "B" else StepState(known[mark])
        for name, mark in (pair.split("=") for pair in text.split())
    }


@pytest.mark.parametrize(
    ("graph", "standing", "start", "skipped", "outcome"),
    [
        (DIAMOND, "a=p b=p c=p d=p", ("a",), [], None),
        (DIAMOND, "a=r b=p c=p d=p", (), [], None),
        (DIAMOND, "a=c b=p c=p d=p", ("b", "c"), [], None),
        (DIAMOND, "a=c b=c c=r d=p", (), [], None),
        (DIAMOND, "a=c b=c c=s d=p", ("d",), [], None),
        (DIAMOND, "a=c b=c c=c d=c", (), [], "completed"),
        (DIAMOND, "a=f b=p c=p d=p", (), ["b", "c", "d"], "failed"),
        (DIAMOND, "a=c b=f c=r d=p", (), ["d"], None),
        (DIAMOND, "a=c b=f c=c d=B", (), [], "failed"),
        (DIAMOND, "a=c b=x c=c d=p", (), ["d"], "failed"),
        (DIAMOND, "a=s b=s c=s d=s", (), [], "completed"),
        (SOFT, "a_soft=f b=p", ("b",), [], None),
        (SOFT, "a_soft=f b=c", (), [], "completed"),
        (SOFT, "a_soft=f b=f", (), [], "failed"),
        (BACKWARDS, "late=p early=f", (), ["late"], "failed"),
        (BACKWARDS, "late=p early=p", ("early",), [], None),
    ],
)
def test_decisions(graph, standing, start, skipped, outcome):
    following = decide_next(graph, states(standing))
    assert following.start == start
    assert [name for name, _ in following.skip] == skipped
    assert following.outcome == outcome


def test_a_skipped_step_says_why():
    following = decide_next(DIAMOND, states("a=f b=p c=p d=p"))
    assert dict(following.skip) == {
        "b": "it depends on 'a', which failed",
        "c": "it depends on 'a', which failed",
        "d": "it depends on 'b', which was skipped",
    }
    assert "cancelled" in decide_next(DIAMOND, states("a=x b=p c=p d=p")).skip[0][1]
