"""The pages of credentials: who sees them, what they say and cost, the forms, and that a value is nowhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.apps.authentication.models import User
from backend.apps.credentials.errors import CredentialRejected
from backend.apps.credentials.models import Credential
from backend.apps.credentials.secret import Secret
from backend.apps.credentials.services.host_answers import Finding, Quota
from backend.apps.credentials.services.keeping import add_credential
from backend.apps.credentials.services.secrets import open_secret
from backend.apps.exports.bulk_models import BulkExport
from backend.apps.exports.credential_uses import uses_of
from backend.apps.exports.services.schedules import create_schedule
from backend.apps.projects.models import Project, ProjectMembership
from backend.apps.workflows.definitions.check import check_definition
from backend.apps.workflows.services import save_definition
from backend.errors import RemoteUnreachable
from tests.unit.console.conftest import browser
from tests.unit.console.exports import CREDENTIALS, HUB, assert_only_text, naughty, queries

pytestmark = pytest.mark.django_db
CANARY = "ghp_canary" + "5" * 30
ADD = f"{CREDENTIALS}-/add/"


@pytest.fixture
def client(ada: User) -> Client:
    return browser(ada)


@pytest.fixture
def bot(ada: User) -> Credential:
    return add_credential(user=ada, name="acme-bot", host="github", secret=Secret(CANARY))


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A host that answers what is put in here; `asked` counts how often."""
    said: dict[str, Any] = {"asked": 0, "answer": Finding(account="acme", scopes=("repo",))}

    def answer(**_: Any) -> Finding:
        said["asked"] += 1
        if isinstance(said["answer"], Exception):
            raise said["answer"]
        found: Finding = said["answer"]
        return found

    for module in ("adding", "check"):
        monkeypatch.setattr(f"backend.apps.credentials.services.{module}.ask_host", answer)
    return said


def at(row: Credential, more: str = "") -> str:
    return f"{CREDENTIALS}{row.pk}/{more}"


def sent(**more: str) -> dict[str, str]:
    answers = {"in/name": "hub", "in/host": '"github"', "in/value": CANARY, "given/in/check_with_host": "1"}
    return {**answers, "in/check_with_host": "true", "do": "add", **more}


def revealed(row: Credential) -> str:
    return open_secret(Credential.objects.select_related("owner").get(pk=row.pk)).reveal()


@pytest.mark.parametrize("page", ["", "rotate/"])
def test_who_sees_a_credential(ada: User, stranger: User, operator: User, bot: Credential, page: str) -> None:
    assert browser(ada).get(at(bot, page)).status_code == 200
    for user in (stranger, operator):
        other = browser(user).get(at(bot, page))
        assert other.status_code == 404
        assert "acme-bot" not in other.text
        assert "acme-bot" not in browser(user).get(CREDENTIALS).text
    assert Client().get(at(bot, page)).status_code == 302


def test_who_it_is_shared_with_names_it_and_changes_nothing(
    ada: User, stranger: User, shop: Project, says: dict[str, Any]
) -> None:
    row = add_credential(user=ada, name="ours", host="github", secret=Secret(CANARY), project_id=shop.pk)
    ProjectMembership.objects.create(project=shop, user=stranger, role="viewer")
    client = browser(stranger)
    page = client.get(at(row)).text
    assert f'the members of <a href="/console/projects/{shop.pk}/">Shop</a>' in page
    assert "New value" not in page
    assert "Remove…" not in page
    assert client.get(at(row, "rotate/")).status_code == 403
    assert client.post(at(row, "rotate/"), {"in/value": "x", "do": "rotate"}).status_code == 403
    assert "only its owner changes it" in client.post(at(row, "remove/"), follow=True).text
    assert revealed(row) == CANARY
    assert "accepts it as acme" in client.post(at(row, "check/"), {"back": at(row)}, follow=True).text


def test_it_is_shared_and_taken_back_by_its_owner(ada: User, stranger: User, bot: Credential, shop: Project) -> None:
    ProjectMembership.objects.create(project=shop, user=stranger, role="viewer")
    client, theirs = browser(ada), Project.objects.create(name="Theirs", slug="theirs", owner=stranger)
    assert "Theirs" not in client.get(at(bot)).text
    shared = client.post(at(bot, "share/"), {"project": str(shop.pk)}, follow=True).text
    assert "shared with the project&#x27;s members" in shared
    assert revealed(bot) == CANARY
    assert browser(stranger).get(at(bot)).status_code == 200
    assert "Change…" not in browser(stranger).get(at(bot)).text
    for user, project in ((stranger, ""), (ada, str(theirs.pk)), (ada, "x")):
        browser(user).post(at(bot, "share/"), {"project": project})
        assert Credential.objects.get(pk=bot.pk).project_id == shop.pk
    assert "is yours alone now" in client.post(at(bot, "share/"), {"project": ""}, follow=True).text
    assert browser(stranger).get(at(bot)).status_code == 404
    assert revealed(bot) == CANARY


def test_strangers_and_other_sites_change_nothing(ada: User, stranger: User, bot: Credential) -> None:
    for button in ("check/", "remove/"):
        assert "There is no credential" in browser(stranger).post(at(bot, button), follow=True).text
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    for path in (at(bot, "check/"), at(bot, "remove/"), at(bot, "rotate/"), ADD):
        assert strict.post(path, sent()).status_code == 403
    assert Credential.objects.count() == 1


def test_a_credential_is_added(client: Client, ada: User, shop: Project, says: dict[str, Any]) -> None:
    form = client.get(ADD).text
    assert 'name="in/value" type="password"' in form
    made = client.post(ADD, sent(project=str(shop.pk)), follow=True)
    row = Credential.objects.get()
    assert (row.name, row.account, row.scopes, row.project_id, says["asked"]) == ("hub", "acme", ["repo"], shop.pk, 1)
    assert "never shown again" in made.text
    assert revealed(row) == CANARY
    unasked = sent(**{"in/name": "quiet", "in/check_with_host": ""})
    assert client.post(ADD, unasked).status_code == 302
    assert says["asked"] == 1
    git = {"in/host": '"git"', "in/name": "attic", "in/base_url": "https://git.example.org", "in/username": "robot"}
    assert client.post(ADD, sent(**git)).status_code == 302
    assert Credential.objects.get(name="attic").username == "robot"


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"in/name": "Not A Name"}, "in-name-error"),
        ({"in/name": CANARY}, "in-name-error"),
        ({"in/name": "acme-bot"}, "in-name-error"),
        ({"in/value": ""}, "in-value-error"),
        ({"in/value": f"{CANARY} and more"}, "in-value-error"),
        ({"in/host": '"git"'}, "in-base_url-error"),
        ({"in/base_url": f"https://robot:{CANARY}@git.example.org"}, "in-base_url-error"),
        ({"project": "11111111-1111-4111-8111-111111111111"}, "faults"),
        ({"project": "nonsense"}, "faults"),
    ],
)
def test_errors_stand_at_their_fields_and_repeat_no_value(
    client: Client, bot: Credential, says: dict[str, Any], changed: dict[str, str], place: str
) -> None:
    answer = client.post(ADD, sent(**changed))
    assert answer.status_code == 422
    assert f'id="{place}"' in answer.text
    # What was typed into another field stands there again, as with every form.
    typed = [name for name, value in changed.items() if CANARY in value and name != "in/value"]
    assert (CANARY in answer.text) == bool(typed)
    assert Credential.objects.count() == 1


@pytest.mark.parametrize(
    "refusal", [CredentialRejected("GitHub does not accept it."), RemoteUnreachable("GitHub does not answer.")]
)
def test_what_the_host_rejects_is_not_kept(
    client: Client, bot: Credential, says: dict[str, Any], refusal: Exception
) -> None:
    says["answer"] = refusal
    answer = client.post(ADD, sent())
    assert (answer.status_code, str(refusal) in answer.text, CANARY in answer.text) == (422, True, False)
    assert Credential.objects.count() == 1
    rotated = client.post(at(bot, "rotate/"), {**sent(**{"in/value": "ghp_other"}), "do": "rotate"})
    assert (rotated.status_code, str(refusal) in rotated.text) == (422, True)
    assert revealed(bot) == CANARY


def test_a_value_is_rotated_and_removed(client: Client, bot: Credential, says: dict[str, Any]) -> None:
    new = "ghp_" + "6" * 36
    page = client.post(at(bot, "rotate/"), {**sent(**{"in/value": new}), "do": "rotate"}, follow=True).text
    assert "has its new value" in page
    assert new not in page
    assert revealed(bot) == new
    assert "stays valid until you revoke it" in client.post(at(bot, "remove/"), follow=True).text
    assert not Credential.objects.exists()


def test_a_check_tells_what_the_host_said(client: Client, bot: Credential, says: dict[str, Any]) -> None:
    soon = timezone.now() + timedelta(days=3)
    quota = Quota(limit=5000, remaining=4999, resets_at=soon)
    says["answer"] = Finding(account="acme", scopes=("public_repo",), expires_at=soon, quota=quota)
    page = client.post(at(bot, "check/"), {"back": at(bot)}, follow=True).text
    for words in (
        "accepts it as acme",
        "4,999 of 5,000 requests are left",
        "It expires on",
        "public repositories only",
    ):
        assert words in page
    assert "Ends soon" in page
    says["answer"] = CredentialRejected("GitHub does not accept it.")
    assert "GitHub does not accept it." in client.post(at(bot, "check/"), {"back": at(bot)}, follow=True).text


def test_the_value_is_on_no_page(
    client: Client, ada: User, bot: Credential, says: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    add_credential(user=ada, name="open", host="git", base_url="https://git.example.org", secret=Secret(CANARY))
    for address in (CREDENTIALS, at(bot), at(bot, "rotate/"), ADD, f"/console/bulk-exports/-/start/?x={bot.pk}"):
        answer = client.get(address)
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)
    part = client.post(ADD, {**sent(), "do": ""}, headers={"HX-Request": "true"})
    assert CANARY not in part.text
    wrong = client.post(ADD, sent(**{"in/name": "Wrong Name"}))
    assert CANARY not in wrong.text
    assert CANARY not in caplog.text
    assert CANARY not in json.dumps(dict(client.session.items()), default=str)


def definition(name: str, credential: str) -> dict[str, Any]:
    config = {"host": "github", "credential": credential, "repository_name": "shop"}
    return {"name": name, "steps": [{"id": "publish", "type": "repo_creation", "config": config}]}


def test_where_it_is_named(client: Client, ada: User, stranger: User, operator: User, bot: Credential) -> None:
    other = add_credential(user=stranger, name="acme-bot", host="github", secret=Secret(CANARY))
    save_definition(check_definition(definition("publish", "acme-bot")), owner=ada)
    save_definition(check_definition(definition("elsewhere", "another")), owner=ada)
    save_definition(check_definition(definition("theirs", "acme-bot")), owner=stranger)
    save_definition(check_definition(definition("changed", "acme-bot")), owner=ada)
    save_definition(check_definition(definition("changed", "another")), owner=ada)
    create_schedule(owner=ada, name="nightly", cron="0 2 * * *", export=HUB)
    create_schedule(owner=stranger, name="other", cron="0 2 * * *", export=HUB)
    for user, key in ((ada, "a"), (stranger, "b")):
        BulkExport.objects.create(
            key=key,
            name=f"bulk {key}",
            export_type="github",
            selection=HUB["selection"],
            destination=HUB["destination"],
            created_by=user,
        )
    page = client.get(at(bot)).text
    for words in ("publish", "nightly", "bulk a", "It is named in 3 places"):
        assert words in page
    for words in ("elsewhere", "theirs", "changed", "bulk b"):
        assert words not in page
    assert uses_of(user=operator, credentials=[bot])[bot.pk].number == 4
    assert uses_of(user=ada, credentials=[other])[other.pk].schedules == []
    assert (
        "Nothing names it"
        in client.get(at(add_credential(user=ada, name="lonely", host="github", secret=Secret(CANARY)))).text
    )


def test_pages_cost_the_same_whatever_they_hold(client: Client, ada: User, bot: Credential, shop: Project) -> None:
    counts = []
    for number in (1, 8):
        for each in range(number):
            name = f"c{number}{each}"
            add_credential(user=ada, name=name, host="github", secret=Secret(CANARY), project_id=shop.pk)
            save_definition(check_definition(definition(f"w{number}{each}", name)), owner=ada)
            save_definition(check_definition(definition(f"v{number}{each}", "acme-bot")), owner=ada)
            hub = {**HUB, "destination": {**HUB["destination"], "credential": name}}
            create_schedule(owner=ada, name=name, cron="0 2 * * *", export=hub)
        counts.append([queries(client, address) for address in (CREDENTIALS, at(bot), at(bot, "rotate/"), ADD)])
    assert counts[0] == counts[1]


def test_words_of_others_stay_words(client: Client, ada: User, bot: Credential, shop: Project) -> None:
    words = naughty()
    Project.objects.filter(pk=shop.pk).update(name=words[0][:100])
    Credential.objects.filter(pk=bot.pk).update(
        name=words[1][:63], account=words[2], scopes=words[3:6], username=words[6], project_id=shop.pk
    )
    for address in (CREDENTIALS, at(bot), at(bot, "rotate/"), ADD):
        page = client.get(address)
        assert page.status_code == 200
        assert_only_text(page.text, words)
    answer = client.post(ADD, sent(**{"in/name": words[0], "in/base_url": words[1]}))
    assert_only_text(answer.text, words)
