"""The first losses of every method, on CPU: a refactor leaves them, and changing one is a reviewed act.

Regenerate with `python -m tests.golden.test_first_losses` and say why in the commit.

Their tolerance is wide enough for other processors and narrow enough to notice a changed formula. Before the first
update rounding is all that differs. AdamW then divides each gradient by its own size, so where a gradient is little but
rounding a weight moves by a full step, and differences grow from update to update. Largest relative differences from
the recorded losses, over PyTorch's `default` and `avx2` kernels with oneDNN's SSE4.1 and AVX2, and two ways of MKL:

| method               | first loss | fifth loss | its tolerance |
|----------------------|------------|------------|---------------|
| `gaze-convolutional` | 2e-7       | 3e-3       | 4e-2          |
| `landmarks`          | 1e-7       | 4e-5       | 3e-3          |
| every other          | 1e-7       | 2e-6       | 3e-3          |

What five changes of a formula do to the first loss that sees them, whose tolerance is 1e-5:

| change                            | method               | relative difference |
|-----------------------------------|----------------------|---------------------|
| sum instead of mean over the mask | `gaze-convolutional` | 3                   |
| factor 1/2 dropped                | `landmarks`          | 1                   |
| sigma of the targets + 1 %        | `readout`            | 5e-3                |
| weight of the in-frame term + 1 % | `gaze-convolutional` | 2e-4                |
| betas of the schedule + 1 %       | `instruct-many-step` | 5e-5                |

The losses of `gaze-diffusion` notice no such change of its schedule: its network's output begins at zero.
"""

import json
import tempfile
from collections.abc import Iterable
from functools import partial
from itertools import count, islice
from pathlib import Path

import pytest
import torch

from gensight.diffusion.schedules import betas
from gensight.encodings.heatmap import Heatmap
from gensight.engine.optimisation import Optimisation
from gensight.loading.draw_order import DrawOrder
from gensight.loading.stream import CaseBatches
from gensight.methods.base import Method
from gensight.methods.instruct import many_steps
from gensight.methods.landmarks import method as landmarks
from gensight.methods.loss import Loss, total_loss
from gensight.samples import Batch
from tests.engine import small_run
from tests.methods.classifier import small as small_classifier
from tests.methods.gaze import small as small_gaze
from tests.methods.instruct import small as small_instruct
from tests.methods.landmarks import small as small_landmarks

GOLDEN = Path(__file__).parent / "first_losses.json"
NUM_STEPS = 5
TOLERANCE = 1e-5  # of the first loss: some 80 eps of float32
GROWTH = 4.0  # of the tolerance, per update
FASTER_GROWTH = {"gaze-convolutional": 8.0}  # batch normalisation over four items


def losses_of(method: Method, optimiser: torch.optim.Optimizer, batches: Iterable[Batch]) -> list[float]:
    losses = []
    for batch in islice(batches, NUM_STEPS):
        loss = total_loss(method.losses(batch))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def adamw(method: Method) -> torch.optim.Optimizer:
    return torch.optim.AdamW(method.parameter_groups()[0]["params"], 1e-3)


def first_readout_losses() -> list[float]:
    method, cases = small_run.method(), small_run.cases()
    batches = CaseBatches(cases, DrawOrder(len(cases), 4, 0)).from_step(0)
    return losses_of(method, torch.optim.AdamW(method.parameters(), 1e-3), batches)


def first_landmark_losses() -> list[float]:
    """Of both optimizer groups, in turn."""
    method = small_landmarks.method(adversary=0.1, equivariance=0.1, warp_share=0.5).train()
    optimisers = {group: torch.optim.AdamW(method.parameter_groups(group), 1e-3) for group in method.optimizer_groups}
    losses = []
    for step in range(NUM_STEPS):
        batch = small_landmarks.batch((2 * step, 2 * step + 1))
        for group, optimiser in optimisers.items():
            loss = total_loss(method.losses(batch, group))
            optimiser.zero_grad()
            loss.backward(inputs=optimiser.param_groups[0]["params"])
            optimiser.step()
            losses.append(float(loss.detach()))
    return losses


def first_gaze_losses(method: Method) -> list[float]:
    return losses_of(method.train(), adamw(method), (small_gaze.batch(4, step) for step in count()))


def first_instruct_losses(way: str) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        decoder = {"train_decoder": True} if way == "one-step" else {}
        method = small_instruct.method(Path(folder), way=way, train_text=True, **decoder).train()
    return losses_of(method, adamw(method), (small_instruct.batch(2, step) for step in count()))


def first_classifier_losses() -> list[float]:
    """By SGD with momentum, as its recipes learn."""
    method = small_classifier.method().train()
    optimiser = Optimisation(NUM_STEPS, 0.05, optimiser="sgd").build(method.parameter_groups())
    return losses_of(method, optimiser, (small_classifier.batch(4, step) for step in count()))


FIRST = {
    "classifier": first_classifier_losses,
    "instruct-many-step": lambda: first_instruct_losses("many-step"),
    "instruct-one-step": lambda: first_instruct_losses("one-step"),
    "readout": first_readout_losses,
    "landmarks": first_landmark_losses,
    "gaze-frozen": lambda: first_gaze_losses(small_gaze.frozen(close_up=2)),
    "gaze-convolutional": lambda: first_gaze_losses(small_gaze.convolutional()),
    "gaze-diffusion": lambda: first_gaze_losses(small_gaze.diffusion(sigma_range=(1.0, 2.0))),
}


def bounds(method: str) -> list[float]:
    """The relative tolerance of each loss."""
    per_step = 2 if method == "landmarks" else 1
    growth = FASTER_GROWTH.get(method, GROWTH)
    return [TOLERANCE * growth ** (index // per_step) for index in range(NUM_STEPS * per_step)]


def excess(method: str) -> list[float]:
    """How far each loss lies from the recorded one, as a multiple of its tolerance."""
    known = json.loads(GOLDEN.read_text())[method]
    triples = zip(FIRST[method](), known, bounds(method), strict=True)
    return [abs(loss / recorded - 1) / bound for loss, recorded, bound in triples]


@pytest.mark.parametrize("method", FIRST)
def test_first_losses(method: str) -> None:
    """Bit-identity on one machine is what the resume tests hold."""
    assert max(excess(method)) <= 1


def _summed_errors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Loss, "mean", property(lambda loss: loss.sum))


def _wider_targets(patch: pytest.MonkeyPatch) -> None:
    cells = Heatmap.sigma_cells
    patch.setattr(Heatmap, "sigma_cells", lambda self, grid_size: 1.01 * cells(self, grid_size))


def _no_half(patch: pytest.MonkeyPatch) -> None:
    loss = landmarks.critic_loss
    patch.setattr(landmarks, "critic_loss", lambda *verdicts: 2 * loss(*verdicts))


def _heavier_term(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(small_gaze, "convolutional", partial(small_gaze.convolutional, in_frame_weight=1.01))


def _faster_schedule(patch: pytest.MonkeyPatch) -> None:
    noised = many_steps.add_noise
    patch.setattr(
        many_steps,
        "add_noise",
        lambda x0, noise, timesteps, alpha_bar: noised(x0, noise, timesteps, (1 - 1.01 * betas(alpha_bar)).cumprod(0)),
    )


CHANGES = {
    "sum for mean": ("gaze-convolutional", _summed_errors),
    "sigma + 1 %": ("readout", _wider_targets),
    "factor 1/2 dropped": ("landmarks", _no_half),
    "weight of a term + 1 %": ("gaze-convolutional", _heavier_term),
    "betas + 1 %": ("instruct-many-step", _faster_schedule),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_formula_is_noticed(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, apply = CHANGES[change]
    apply(monkeypatch)
    assert max(excess(method)) > 2


if __name__ == "__main__":
    torch.set_num_threads(1)
    GOLDEN.write_text(json.dumps({name: losses() for name, losses in FIRST.items()}, indent=1) + "\n")
