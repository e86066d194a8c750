"""Whoever comes at the same moment: one wins, each message is sent once, and nobody waits for another's rows."""

from __future__ import annotations

from typing import Any

import pytest

from backend.cli.stack.broker import EmbeddedBroker
from tests.integration import races
from tests.integration.installation import Installation
from tests.integration.postgresql import NewDatabase

pytestmark = [pytest.mark.integration, pytest.mark.both_databases]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> dict[str, Any]:
    """What became of each race, in an installation with a database and a broker, in which nobody else works."""
    installation = Installation(tmp_path_factory.mktemp("rm"), **new_database())
    installation.cli("migrate")
    with EmbeddedBroker(installation.data_dir):
        found = installation.django("from tests.integration import races\nanswer = races.run_all()")
    assert set(found) == {race.__name__ for race in races.RACES}
    return dict(found)


def test_of_many_who_claim_a_task_one_has_it(seen):
    assert seen["claims"] == {"won": [[1]] * 20, "attempts": [1] * 20}


def test_of_many_who_take_over_a_task_one_has_it(seen):
    assert seen["takeovers"] == {"won": [[2]] * 20, "attempts": [2] * 20}


def test_of_many_who_write_the_same_attempt_back_one_is_heard(seen):
    assert [told.count(True) for told in seen["completions"]] == [1] * 10


def test_reconcilers_that_look_together_send_each_lost_message_once(seen):
    assert seen["reconcilers"] == {"republished": 60, "sent": [1] * 60}


def test_reconcilers_that_look_together_take_each_lost_worker_back_once(seen):
    assert seen["lost_workers"] == {"taken_back": 30, "events": [1] * 30, "sent": [1] * 30}


def test_two_steps_that_end_together_start_what_follows_once(seen):
    for each in seen["last_steps"]:
        assert each == {
            "written": [True, True],
            "tasks": 1,
            "sent": [1],
            "started": 1,
            "gaps": [],
            "state": {"a": "completed", "b": "completed", "c": "running"},
        }


def test_one_key_names_one_task_and_sends_one_message(seen):
    assert seen["one_key"] == {"tasks": 1, "sent": [1]}


def test_versions_that_are_saved_together_have_numbers_of_their_own(seen):
    others = list(range(2, races.THREADS + 2))
    assert seen["versions"] == {"same": [1] * races.THREADS, "others": others}


def test_generations_that_begin_together_keep_to_the_organisations_limit(seen):
    assert seen["organisation"] == {
        "rounds": [
            {"begun": 5, "busy": 7, "generating": 5},
            {"begun": 2, "busy": 10, "generating": 5},
            {"begun": 1, "busy": 11, "generating": 5},
        ],
        "projects": 12,
    }


def test_of_requests_with_one_key_that_come_together_one_is_done_and_all_are_answered_alike(seen):
    one = {"statuses": [201], "replayed": races.THREADS, "answers": 1, "projects": 1, "other": 422}
    assert seen["keyed_requests"] == [one] * 5


def test_a_reconciler_passes_over_what_another_has_locked(seen, request: pytest.FixtureRequest):
    passed_over = {"during": 5, "held and sent": 0, "after": 5, "sent": [1] * 10}
    assert seen["locked_by_another"] == (None if on_sqlite(request) else passed_over)


def test_changes_of_different_fields_both_stay_and_what_was_deleted_stays_so(seen, request: pytest.FixtureRequest):
    both = {"kept": ["ours", "theirs"], "told": "not_found", "left": 0}
    kinds = ("project", "story", "sprint", "organisation")
    expected = None if on_sqlite(request) else dict.fromkeys(kinds, both)
    assert seen["changes_that_meet"] == expected


def test_who_refers_to_what_is_being_deleted_is_told_so(seen, request: pytest.FixtureRequest):
    expected = {
        "sprint of a story": "done",
        "story into a sprint": "not_found",
        "project of a story": "done",
        "story of a project": "not_found",
        "organisation of a project": "conflict",
        "project into an organisation": "not_found",
        "member of an organisation": "not_found",
    }
    assert seen["what_is_taken_away"] == (None if on_sqlite(request) else expected)


def on_sqlite(request: pytest.FixtureRequest) -> bool:
    return bool(request.node.callspec.params["new_database"] == "sqlite")
