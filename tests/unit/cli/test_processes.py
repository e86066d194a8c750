"""The table of processes: names, queues, and no secret on any command line."""

import importlib.util
import runpy
import stat
from dataclasses import replace

import celeryconfig
from backend.cli.stack.flower_config import write_flower_config
from backend.cli.stack.processes import WORKER_QUEUES, child_environment, processes
from backend.cli.stack.settings import StackSettings


def test_every_queue_of_celeryconfig_has_a_worker(settings: StackSettings) -> None:
    served = {
        queue
        for process in processes(settings)
        for word in process.argv
        if word.startswith("--queues=")
        for queue in word.removeprefix("--queues=").split(",")
    }
    assert served == {queue.name for queue in celeryconfig.task_queues}


def test_the_table(settings: StackSettings) -> None:
    names = [process.name for process in processes(settings)]
    assert names == [*(f"worker-{name}" for name in WORKER_QUEUES), "web", "beat", "flower"]
    without = processes(replace(settings, flower_port=None))
    assert [process.name for process in without] == names[:-1]


def test_each_is_a_module_run_by_this_python(settings: StackSettings) -> None:
    for process in processes(settings):
        assert process.argv[1] == "-m"
        assert importlib.util.find_spec(process.argv[2]) is not None


def test_web_listens_on_this_machine_only(settings: StackSettings) -> None:
    web = next(process for process in processes(settings) if process.name == "web")
    assert {"--host=127.0.0.1", "--port=8123"} <= set(web.argv)


def test_flower_reads_its_password_from_a_private_file(settings: StackSettings) -> None:
    write_flower_config(settings)
    password = settings.operator_password_file.read_text().strip()
    config = settings.flower_config
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    options = runpy.run_path(str(config))
    assert options["basic_auth"] == [f"operator:{password}"]
    assert (options["address"], options["port"], options["read_only"]) == ("127.0.0.1", 5123, True)
    environment = child_environment(settings, {})
    for process in processes(settings):
        assert password not in " ".join(process.argv)
    assert password not in str(environment)


def test_flower_only_watches_unless_it_was_switched(settings: StackSettings) -> None:
    switched = replace(settings, environment=replace(settings.environment, flower_control=True))
    write_flower_config(switched)
    assert runpy.run_path(str(settings.flower_config))["read_only"] is False


def test_pages_link_to_the_stacks_own_processes_unless_set(settings: StackSettings) -> None:
    own = child_environment(settings, {})
    assert own["REPOMILL_WEB_URL"] == "http://127.0.0.1:8123"
    assert own["REPOMILL_FLOWER_URL"] == "http://127.0.0.1:5123/flower/"
    given = {"REPOMILL_WEB_URL": "https://a.example", "REPOMILL_FLOWER_URL": "/flower/"}
    assert child_environment(settings, given).items() >= given.items()
    # `repomill flower` by itself knows no web process.
    alone = replace(settings, web_port=0, environment=replace(settings.environment, backend_url="http://web:8000"))
    assert "REPOMILL_WEB_URL" not in child_environment(alone, {})
    assert alone.browser_url == "http://web:8000"
    assert replace(alone, environment=replace(alone.environment, web_url="https://a.example")).browser_url == (
        "https://a.example"
    )


def test_a_worker_is_killed_only_after_it_could_hand_its_work_back(settings: StackSettings) -> None:
    for process in processes(settings):
        if process.name.startswith("worker-"):
            assert process.patience >= settings.environment.drain_seconds + 2


def test_backend_url_is_the_stacks_own_unless_set(settings: StackSettings) -> None:
    assert child_environment(settings, {})["BACKEND_URL"] == "http://127.0.0.1:8123"
    assert child_environment(settings, {"BACKEND_URL": ""})["BACKEND_URL"] == "http://127.0.0.1:8123"
    assert child_environment(settings, {"BACKEND_URL": "https://a.example"})["BACKEND_URL"] == "https://a.example"


def test_nothing_changes_flower_behind_its_configuration(settings: StackSettings) -> None:
    inherited = {"FLOWER_UNAUTHENTICATED_API": "true", "FLOWER_PORT": "1", "PATH": "/bin"}
    environment = child_environment(settings, inherited)
    assert environment["PATH"] == "/bin"
    assert not [name for name in environment if name.startswith("FLOWER_")]
    assert environment["REPOMILL_DATA_DIR"] == str(settings.environment.data_dir)


def test_urls_without_flower(settings: StackSettings) -> None:
    assert settings.flower_url == "http://127.0.0.1:5123/flower/"
    assert replace(settings, flower_port=None).flower_url == ""
