"""What every host of repositories has to do. A new one derives a test class, gives it a `Place`, and passes.

`PushContract` is for all of them, `HostContract` for those that make repositories through an API.
"""

from __future__ import annotations

from tests.integration.hosts.adoption_contract import AdoptionContract
from tests.integration.hosts.faults_contract import FaultsContract
from tests.integration.hosts.push_contract import PushContract
from tests.integration.hosts.work import Account, Work


class HostContract(AdoptionContract, FaultsContract, PushContract):
    """What a host does that makes repositories through an API."""

    def test_a_new_repository_is_private_and_has_what_was_wanted(self, place: Account, work: Work, name: str):
        options = {"description": "Greets; in \N{EM DASH} UTF-8.", "topics": ["greeting", "demo"], "branch": "trunk"}
        result = place.export(work.exporter, name, work.commit("1"), **options)
        assert (result["created"], result["default_branch"]) == (True, "trunk")
        assert place.shown(name) == {
            "description": options["description"],
            "topics": ["greeting", "demo"],
            "private": True,
            "default_branch": "trunk",
        }

    def test_without_a_description_no_trace_of_the_mark_is_left(self, place: Account, work: Work, name: str):
        place.export(work.exporter, name, work.commit("1"))
        assert place.shown(name)["description"] == ""

    def test_what_people_changed_later_stays(self, place: Account, work: Work, name: str):
        first = work.commit("1")
        place.export(work.exporter, name, first, description="ours")
        writes = [call for call in place.server.calls if call.verb != "GET"]
        place.export(work.exporter, name, work.commit("2", parent=first), description="another")
        assert [call for call in place.server.calls if call.verb != "GET"] == writes
        assert place.shown(name)["description"] == "ours"
