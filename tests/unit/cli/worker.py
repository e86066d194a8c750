"""A stand-in for the workers in the tests of the command line."""

from backend.apps.workflows.execution.run import execute


class Worker:
    """Does a chain as soon as it is published, or leaves it."""

    def __init__(self, *, works: bool) -> None:
        self.works = works
        self.service = lambda claimed: {"did": claimed.method}

    def publish(self, tasks) -> bool:
        if self.works:
            for task in tasks:
                execute(task.pk, service=lambda claimed: self.service(claimed), worker="w1")
        return True
