"""Rows of projects, their members, stories and sprints."""

from __future__ import annotations

from tests.unit.api.permission_matrix.table import Row, managing, own, own_writing, owning, seeing, writing

OBJECTS = {
    "project_id": lambda world: world.project.pk,
    "user_id": lambda world: world.people["guest"].pk,
    "story_id": lambda world: world.story.pk,
    "sprint_id": lambda world: world.sprint.pk,
}
SPRINT = {"name": "S", "start_date": "2026-01-01", "end_date": "2026-01-02"}

ROWS = [
    Row("GET", "projects/", own()),
    Row("POST", "projects/", own_writing(201), body={"name": "New"}),
    Row("GET", "projects/<uuid:project_id>/", seeing()),
    Row("PUT", "projects/<uuid:project_id>/", writing(200), body={"name": "New"}),
    Row("PATCH", "projects/<uuid:project_id>/", writing(200), body={"name": "New"}),
    Row("DELETE", "projects/<uuid:project_id>/", owning(204)),
    Row("GET", "projects/<uuid:project_id>/labels/", seeing()),
    Row("PATCH", "projects/<uuid:project_id>/labels/", writing(200), body={"add": ["nightly"]}),
    Row("POST", "projects/<uuid:project_id>/transfer/", owning(200), body={"username": "guest"}),
    Row("GET", "projects/<uuid:project_id>/members/", seeing()),
    Row("POST", "projects/<uuid:project_id>/members/", managing(201), body={"username": "stranger"}),
    Row("GET", "projects/<uuid:project_id>/members/<uuid:user_id>/", seeing()),
    Row("PATCH", "projects/<uuid:project_id>/members/<uuid:user_id>/", managing(200), body={"role": "author"}),
    Row("DELETE", "projects/<uuid:project_id>/members/<uuid:user_id>/", managing(204)),
    Row("GET", "projects/<uuid:project_id>/stories/", seeing()),
    Row("POST", "projects/<uuid:project_id>/stories/", writing(201), body={"title": "T"}),
    Row("GET", "stories/<uuid:story_id>/", seeing()),
    Row("PATCH", "stories/<uuid:story_id>/", writing(200), body={"status": "done"}),
    Row("DELETE", "stories/<uuid:story_id>/", writing(204)),
    Row("GET", "projects/<uuid:project_id>/sprints/", seeing()),
    Row("POST", "projects/<uuid:project_id>/sprints/", writing(201), body=SPRINT),
    Row("GET", "sprints/<uuid:sprint_id>/", seeing()),
    Row("PATCH", "sprints/<uuid:sprint_id>/", writing(200), body={"status": "active"}),
    Row("DELETE", "sprints/<uuid:sprint_id>/", writing(204)),
]
