"""Instructions: tasks and classes in natural language.

- `grammar`: templates of each task, with articles, plurals, questions and several classes; fixed, or sampled from a
  seed.
- `tasks`: infers the task of a free instruction by a keyword rule, and reports the keyword.
- `classes`: which classes of a vocabulary a free instruction names.
- `colours`: the colours that an instruction names for yes and for no.
- `paraphrase`: rephrases instructions with a language model from a local folder, optional.

Adding a template: write it in `grammar.yaml` under its task. `{a}` is one with its article, `{the}` the class with
`the`, `{many}` its plural, `{one}` the bare word; a template without a slot covers all classes. Every fifth template is
held out of training; a test counts both sorts.
"""

from gensight.instructions.grammar import TASKS, Instruction, fixed, held_out, rephrased, templates
from gensight.instructions.tasks import infer_task

__all__ = ["TASKS", "Instruction", "fixed", "held_out", "infer_task", "rephrased", "templates"]
