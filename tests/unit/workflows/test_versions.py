"""Each wording is a version, and a version never changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.models import WorkflowVersion
from backend.apps.workflows.services import save_definition
from backend.errors import Conflict

pytestmark = pytest.mark.django_db(transaction=True)


def wording(words: str) -> dict[str, Any]:
    return {
        "name": "test",
        "steps": [
            {"id": "a", "type": "one", "config": {"say": words}},
            {"id": "b", "type": "one", "config": {"say": words}},
        ],
    }


def test_the_same_wording_is_the_same_version():
    first = save_definition(check_definition(wording("x")))
    assert save_definition(check_definition(copy.deepcopy(wording("x")))) == first
    second = save_definition(check_definition(wording("y")))
    assert (first.number, second.number) == (1, 2)
    assert save_definition(check_definition(wording("x"))) == first


def change_and_save(version: WorkflowVersion) -> None:
    version.definition = wording("other")
    version.save()


def change_in_place(version: WorkflowVersion) -> None:
    version.definition["steps"][0]["config"]["say"] = "other"
    version.save(update_fields=["definition"])


def overwrite(version: WorkflowVersion) -> None:
    WorkflowVersion(
        pk=version.pk, workflow=version.workflow, number=1, definition=wording("other"), digest="0" * 64
    ).save(force_update=True)


def update(version: WorkflowVersion) -> None:
    WorkflowVersion.objects.filter(pk=version.pk).update(definition=wording("other"))


def update_through_the_workflow(version: WorkflowVersion) -> None:
    version.workflow.versions.update(digest="0" * 64)


def bulk_update(version: WorkflowVersion) -> None:
    version.definition = wording("other")
    WorkflowVersion.objects.bulk_update([version], ["definition"])


def upsert(version: WorkflowVersion) -> None:
    WorkflowVersion.objects.update_or_create(pk=version.pk, defaults={"definition": wording("other")})


@pytest.mark.parametrize(
    "change",
    [change_and_save, change_in_place, overwrite, update, update_through_the_workflow, bulk_update, upsert],
)
def test_a_version_cannot_be_changed(change):
    version = save_definition(check_definition(wording("x")))
    with pytest.raises(Conflict) as raised:
        change(version)
    assert "save_definition" in str(raised.value.hint)
    assert WorkflowVersion.objects.get().definition == wording("x")


def test_a_run_keeps_its_version_when_another_is_saved_in_the_middle(start, runner, broker):
    execution = start(*wording("old")["steps"])
    first = broker.chains.popleft()[0]
    runner.do(first)
    newer = save_definition(check_definition(wording("new")))
    runner.until_idle()
    execution.refresh_from_db()
    assert newer.number == 2
    assert execution.version.number == 1
    assert [arguments["say"] for _, arguments in runner.calls] == ["old", "old"]
    later = start(*wording("new")["steps"])
    assert later.version == newer
