"""`gensight datasets paraphrase`: a language model makes more templates of instructions, to be looked through."""

from collections.abc import Sequence
from pathlib import Path

from gensight.errors import ConfigError, DataError
from gensight.files.atomic import write_json
from gensight.files.progress import progress
from gensight.instructions.grammar import TASKS, Task, as_task, held_out, templates
from gensight.instructions.paraphrase import Paraphraser
from gensight.instructions.templates import rephrased_templates


def paraphrase(model: Path, out: Path, tasks: Sequence[str] = TASKS, times: int = 1, seed: int = 0) -> dict[Task, int]:
    """Rephrases the training templates of tasks, and writes those that come out well: task -> its new templates.

    Args:
        model: Folder of a transformers model that generates text.
        out: A new file; training takes it as `method.templates`.
        tasks: Of `TASKS`.
        times: How often each template is rephrased.
        seed: Of sampling.

    Returns:
        Task -> how many new templates there are.

    Raises:
        ConfigError: An unknown task.
        DataError: The file exists, or the model made no template at all.
        RunError: The folder holds no such model.
    """
    chosen: list[Task] = []
    for name in tasks:
        task = as_task(name)
        if task is None:
            raise ConfigError(f"no task is called `{name}`", where="--tasks", choices=TASKS)
        chosen.append(task)
    if out.exists():
        raise DataError("the file exists, and may have been edited", where=out, hint="name a new one with --out")
    paraphraser = Paraphraser(model, seed)
    found: dict[Task, list[str]] = {}
    for task in dict.fromkeys(chosen):
        total = times * (len(templates(task)) - len(held_out(task)))
        new = progress(rephrased_templates(paraphraser, task, times), total, task, "templates")
        found[task] = [one for one in new if one is not None]
    if not any(found.values()):
        hint = "try a model that was tuned to follow instructions, or --times"
        raise DataError("the model wrote nothing that keeps the class's name and is new", where=model, hint=hint)
    write_json(out, found, indent=1)
    return {task: len(new) for task, new in found.items()}
