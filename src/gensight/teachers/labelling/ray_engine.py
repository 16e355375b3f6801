"""The labelling job on a Ray cluster: the same work, done by actors; whatever dies on the way, the same data set.

Every actor holds a copy of the teacher. The process that started the job hands out batches and writes the work file, so
nothing but maps is written elsewhere: actors must see the data set's folder and the images under the same paths. A dead
actor is started anew, on another node if need be, and its batch is done again: batches have no other effect than files
that are written whole, to the same bytes.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from gensight.errors import ResourceError, UserError
from gensight.readers.annotated.labels import Entry
from gensight.teachers.labelling.labeller import Labeller

Task = tuple[int, ...]
_TRIES = 3  # how often in a row a batch may lose its actor before the job gives up


class RayEngine:
    """Runs batches on the actors of a Ray cluster: the one at `address`, or of this machine.

    Args:
        num_workers: Actors; None: one per CPU of the cluster, or per GPU if `num_gpus` is not 0.
        num_gpus: Of each actor; may be a fraction.
        address: Of a running cluster; None: `RAY_ADDRESS` if it is set, else a new one on this machine.

    Raises:
        ResourceError: Ray is not installed, or batches keep losing their actors.
    """

    def __init__(self, num_workers: int | None = None, num_gpus: float = 0, address: str | None = None) -> None:
        self.num_workers, self.num_gpus, self.address = num_workers, num_gpus, address
        self.ray = _import_ray()

    def __call__(self, labeller: Labeller, tasks: Sequence[Task]) -> Iterator[Entry]:
        """Lines for the work file, in the order in which they are done."""
        started = not self.ray.is_initialized()
        if started:
            self.ray.init(address=self.address, log_to_driver=False, include_dashboard=False, logging_level="warning")
        try:
            yield from self._run(labeller, tasks)
        finally:
            if started:
                self.ray.shutdown()

    def _run(self, labeller: Labeller, tasks: Sequence[Task]) -> Iterator[Entry]:
        resources = {"num_cpus": 0 if self.num_gpus else 1, "num_gpus": self.num_gpus}
        remote: Any = self.ray.remote(Labeller)
        arguments = (labeller.source, labeller.teacher, labeller.out.resolve())

        def make() -> Any:
            return remote.options(**resources).remote(*arguments)

        waiting, running, tries = list(enumerate(tasks))[::-1], {}, dict.fromkeys(range(len(tasks)), 0)

        def hand_out(actor: Any) -> None:
            if waiting:
                number, task = waiting.pop()
                running[actor.run.remote(task)] = (actor, number, task)

        for _ in range(min(self._count(), len(tasks))):
            hand_out(make())
        while running:
            (done,), _ = self.ray.wait(list(running), num_returns=1)
            actor, number, task = running.pop(done)
            try:
                line = self.ray.get(done)
            except self.ray.exceptions.RayActorError as error:
                tries[number] += 1
                if tries[number] == _TRIES:
                    raise ResourceError(
                        f"a batch lost its Ray actor {_TRIES} times in a row", hint=f"look into Ray's log: {error}"
                    ) from error
                waiting.append((number, task))
                actor = make()
            except self.ray.exceptions.RayTaskError as error:
                raise _cause(error) from error
            else:
                yield line
            hand_out(actor)

    def _count(self) -> int:
        if self.num_workers is not None:
            return self.num_workers
        have = self.ray.cluster_resources()
        if self.num_gpus:
            return max(1, int(have.get("GPU", 0) / self.num_gpus))
        return max(1, int(have.get("CPU", 1)))


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ResourceError(
            "Ray is not installed", hint="pip install 'gensight[ray]', or use --engine local"
        ) from error
    return ray


def _cause(error: Any) -> BaseException:
    """The user's mistake behind a failed batch, as it would have come without Ray; else the error itself."""
    cause = error.cause
    return cause if isinstance(cause, UserError) else error
