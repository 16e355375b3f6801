"""The README's figure: error against the number of labels, from the runs of `gensight study label-efficiency`.

python docs/make_label_figure.py runs/label-efficiency docs/label-efficiency.png
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gensight.files.atomic import read_json

PROTOCOL = "mean-px"
MODELS = {  # as in metrics.json: label, colour, line
    "readout": ("frozen tiny", "#1b6ca8", "-"),
    "scratch": ("network from scratch, same minutes", "#d1495b", "--"),
    "random-weights": ("random weights, frozen", "#777777", "-."),
    "mean-position": ("mean position", "#bbbbbb", ":"),
}


def errors(folder: Path) -> dict[str, dict[int, list[float]]]:
    """Model -> number of labels -> the error of each seed, in pixels."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("frozen-*/seed-*/metrics.json")):
        labels = int(path.parent.parent.name.removeprefix("frozen-"))
        for scores in read_json(path)["scores"]:
            found[scores["model"]][labels] += [r["value"] for r in scores["results"] if r["protocol"] == PROTOCOL]
    return found


def main(folder: Path, out: Path) -> None:
    found = errors(folder)
    figure = Figure(figsize=(6, 3.4), dpi=160)
    axes = figure.subplots()
    for model, (label, colour, line) in MODELS.items():
        sizes = sorted(found[model])
        seeds = [np.array(found[model][size]) for size in sizes]
        axes.plot(sizes, [values.mean() for values in seeds], line, color=colour, label=label, marker="o", markersize=3)
        axes.fill_between(sizes, [v.min() for v in seeds], [v.max() for v in seeds], color=colour, alpha=0.15, lw=0)
        print(
            model,
            {size: [round(float(value), 2) for value in values] for size, values in zip(sizes, seeds, strict=True)},
        )
    ticks = sorted(found["readout"])
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(size) for size in ticks])
    axes.minorticks_off()
    axes.set_xlabel("labelled images")
    axes.set_ylabel("mean error, px of 128")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
