"""What a host's faults, refusals and odd answers lead to: a wait, another try, or its own words."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from backend.apps.projects.errors import CredentialRejected, RepositoryExists
from backend.errors import RateLimited, RemoteRefused, RemoteUnreachable
from tests.integration.hosts.api_server import ApiServer, Fault, Reply
from tests.integration.hosts.work import Account, Work


class FaultsContract:
    """What is made of answers that are none."""

    def test_a_repository_that_is_not_ready_is_waited_for(self, place: Account, work: Work, name: str):
        place.server.not_ready = 5
        result = place.export(work.exporter, name, work.commit("1"))
        assert result["created"] is True
        assert len(work.pauses) >= 5

    def test_settings_that_are_not_found_yet_are_tried_again(self, place: Account, work: Work, name: str):
        place.server.faults.append(Fault(verb="PATCH|PUT", reply=Reply(404, {"message": "Not Found"}), times=2))
        assert place.export(work.exporter, name, work.commit("1"), description="d")["created"] is True
        assert place.shown(name)["description"] == "d"

    def test_one_that_stays_away_may_be_tried_again(self, place: Account, work: Work, name: str):
        place.server.not_ready = 1000
        with pytest.raises(RemoteUnreachable) as away:
            place.export(work.exporter, name, work.commit("1"))
        assert away.value.retryable
        place.server.not_ready = 0
        assert place.export(work.exporter, name, work.commit("1"))["adopted"] is True

    @pytest.mark.parametrize("status", [500, 502, 503, 408])
    def test_a_fault_of_a_moment_passes(self, place: Account, work: Work, name: str, status: int):
        place.server.faults.append(Fault(verb="GET", reply=Reply(status, b"<html>Oops</html>")))
        assert place.export(work.exporter, name, work.commit("1"))["created"] is True
        assert len(work.pauses) == 1

    def test_a_fault_that_stays_may_be_tried_again(self, place: Account, work: Work, name: str):
        place.server.faults.append(Fault(reply=Reply(503, {"message": "down"}), times=1000))
        with pytest.raises(RemoteUnreachable, match="down"):
            place.export(work.exporter, name, work.commit("1"))
        assert len(place.server.calls) == 4

    def test_a_broken_connection_is_tried_again(self, place: Account, work: Work, name: str):
        place.server.faults.append(Fault(verb="GET", lose=True))
        assert place.export(work.exporter, name, work.commit("1"))["created"] is True

    @pytest.mark.parametrize("where", ["GET", "POST"])
    def test_a_limit_becomes_a_wait_and_nothing_is_repeated(self, place: Account, work: Work, name: str, where: str):
        place.server.faults.append(
            Fault(verb=where, reply=Reply(429, {"message": "Too many."}, {"Retry-After": "1234"}), times=1000)
        )
        with pytest.raises(RateLimited, match=r"asks to wait until 20\d\d-.*Z .*: Too many") as limited:
            place.export(work.exporter, name, work.commit("1"))
        assert limited.value.retry_after == 1234
        assert {"limit", "until"} <= set(limited.value.place)
        assert len([call for call in place.server.calls if call.verb == where]) == 1
        assert work.pauses == []

    @pytest.mark.parametrize("status", [400, 402, 409, 410, 418, 422, 451])
    def test_every_other_refusal_fails_at_once_in_the_hosts_words(
        self, place: Account, work: Work, name: str, status: int
    ):
        place.creation.reply = Reply(status, {"message": "no such plan"})
        place.creation.times = 1000
        place.server.faults.append(place.creation)
        with pytest.raises((RemoteRefused, RepositoryExists), match="no such plan") as refused:
            place.export(work.exporter, name, work.commit("1"))
        assert not refused.value.retryable

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(self, place: Account, work: Work, name: str, status: int):
        headers = {"Location": f"{place.server.origin}/elsewhere"}
        place.creation.reply, place.creation.times = Reply(status, {"full_name": place.full_name(name)}, headers), 1
        place.server.faults.append(place.creation)
        with pytest.raises(RemoteRefused, match="somewhere else"):
            place.export(work.exporter, name, work.commit("1"))
        assert not any("elsewhere" in call.path for call in place.server.calls)

    @pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"null", b'{"id": "x"}', b"{}", b'{"id": true}'])
    def test_answers_that_make_no_sense_are_refused(self, place: Account, work: Work, name: str, data: bytes):
        place.creation.reply, place.creation.times = Reply(201, data), 1000
        place.server.faults.append(place.creation)
        with pytest.raises((RemoteRefused, RemoteUnreachable)):
            place.export(work.exporter, name, work.commit("1"))

    def test_a_token_that_is_none_is_rejected(self, place: Account, work: Work, name: str):
        with pytest.raises(CredentialRejected) as rejected:
            place.export(work.exporter, name, work.commit("1"), token="nobodys-token")
        assert rejected.value.code == "credential_rejected"
        assert len(place.server.calls) == 1
        assert "nobodys-token" not in str(rejected.value.as_json())

    def test_an_answer_with_another_address_moves_no_push(
        self, place: Account, work: Work, name: str, evil: ApiServer, alter: Callable[[Any, str], Any]
    ):
        first = work.commit("1")
        place.export(work.exporter, name, first)
        place.server.requests.clear()
        shown = place.server.answer(next(call for call in place.server.calls if call.path.endswith(name)))
        place.server.faults.append(
            Fault(verb="GET", path=f".*/{name}", reply=Reply(200, alter(shown.data, evil.origin)))
        )
        with pytest.raises(RemoteRefused, match="another place"):
            place.export(work.exporter, name, work.commit("2", parent=first))
        assert evil.requests == []
        assert place.server.requests == []

    def test_the_token_is_in_none_of_what_is_said(self, place: Account, work: Work, name: str, token: str, capfd):
        """The host repeats it in every way that it can."""
        echo = f"{token} {base64.b64encode(token.encode()).decode()} Bearer {token}"
        for status in (401, 403, 404, 418, 422, 429, 500):
            place.server.faults.append(
                Fault(reply=Reply(status, {"message": echo, "errors": [{"message": echo}]}), times=9)
            )
            with pytest.raises(Exception) as failed:
                place.export(work.exporter, name, work.commit("1"))
            place.server.faults.clear()
            shown: BaseException | None = failed.value
            while shown is not None:
                assert token not in f"{shown!r} {shown} {getattr(shown, 'place', '')} {getattr(shown, 'hint', '')}"
                shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
        out = "".join(capfd.readouterr())
        assert token not in out
