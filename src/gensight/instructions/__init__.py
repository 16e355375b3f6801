"""Instructions: what is asked of an image, in words.

- `grammar`: templates of each task, with articles, plurals, questions and several classes; fixed, or drawn from a seed.
- `tasks`: which task a free instruction means, by a small rule that says what it went by.
- `classes`: which classes of a vocabulary a free instruction names.
- `paraphrase`: a language model from a local folder that says the same in other words, optional.

Adding a template: write it in `grammar` under its task. `{a}` is one with its article, `{the}` the class with `the`,
`{many}` its plural, `{one}` the bare word; a template without a slot asks for everything. Every fifth template is held
out of training; a test counts both sorts.
"""

from gensight.instructions.grammar import TASKS, Instruction, fixed, held_out, rephrased, templates
from gensight.instructions.tasks import infer_task

__all__ = ["TASKS", "Instruction", "fixed", "held_out", "infer_task", "rephrased", "templates"]
