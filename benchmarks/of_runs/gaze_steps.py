"""Accuracy and time of a trained gaze-diffusion run against its number of sampling steps: a table and a plot.

    python benchmarks/of_runs/gaze_steps.py RUN [--people 200] [--steps 1 2 5 10 50 250] [--samples 1] [--part test]

The first people of the test (or validation) part are scored under the `gazefollow` protocol; the encoders run once for
each number of steps. Times are CPU time a person, encoders included, without reading images and scoring.
"""

import argparse
import time
from pathlib import Path

import matplotlib
import torch

from gensight.assembly.experiment import Experiment
from gensight.diffusion.sampling import Sampling
from gensight.loading.stream import each_once
from gensight.methods.gaze.diffusion import DiffusionGaze
from gensight.metrics.base import Metric
from gensight.metrics.gaze.scores import GazeScores
from gensight.prediction.trained_run import TrainedRun

matplotlib.use("Agg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 5, 10, 50, 250])
    parser.add_argument("--sampler", default="ddim")
    parser.add_argument("--part", choices=("test", "validation"), default="test", help="choose steps on validation")
    parser.add_argument("--samples", type=int, default=1, help="samples that a prediction is the mean of")
    parser.add_argument("--out", type=Path, default=Path("steps.png"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    trained = TrainedRun.load(options.run, "cpu")
    assert isinstance(trained.method, DiffusionGaze), "RUN is a gaze-diffusion run"
    experiment = Experiment.open(trained.config)
    cases = experiment.test_cases() if options.part == "test" else experiment.validation_cases()
    assert cases is not None, "the run keeps a validation part"
    cases = cases.with_items([cases.item(index) for index in range(min(options.people, len(cases)))])
    batches = list(each_once(cases, 16))
    rows = []
    for steps in options.steps:
        sampling = Sampling(options.sampler, steps, num_samples=options.samples)
        spent, metric = 0.0, GazeScores("gazefollow")
        for batch in batches:
            begun = time.process_time()
            outputs = trained.predictor.outputs(batch, sampling)
            spent += time.process_time() - begun
            _score(trained, batch, outputs, metric)
        auc, average = metric.compute()[:2]
        rows.append((steps, 1e3 * spent / len(cases), auc, average))
        print(f"{steps:4d} steps  {rows[-1][1]:8.1f} ms a person   {auc}   {average}", flush=True)
    _plot(rows, options.out)


def _score(trained: TrainedRun, batch, outputs, metric: Metric) -> None:
    for index, (item, views) in enumerate(zip(batch.items, batch.views, strict=True)):
        prediction = trained.encoding.decode({name: value[index] for name, value in outputs.items()}, item, views)
        metric.update(prediction, item)


def _plot(rows, out: Path) -> None:
    from matplotlib import pyplot

    steps, times = [row[0] for row in rows], [row[1] for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    for axis, place, name in ((left, 2, "area under the curve"), (right, 3, "average distance")):
        values = [row[place].value for row in rows]
        low = [value - row[place].interval[0] for value, row in zip(values, rows, strict=True)]
        high = [row[place].interval[1] - value for value, row in zip(values, rows, strict=True)]
        axis.errorbar(steps, values, yerr=[low, high], marker="o", capsize=3)
        axis.set(xscale="log", xlabel="steps", ylabel=name)
        axis.set_xticks(steps, [str(step) for step in steps])
        axis.minorticks_off()
        right = axis.twinx()
        right.plot(steps, times, color="grey", linestyle=":")
        right.set(yscale="log", ylabel="ms a person (dotted)")
    figure.savefig(out, dpi=110)
    print(f"plot: {out}")


if __name__ == "__main__":
    main()
