"""The score of each layer at each noise level: as text, and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gensight.files.atomic import atomic_path
from gensight.samples import Array


@dataclass(frozen=True, eq=False)
class ProbeMap:
    """Scores of a probe.

    Attributes:
        title: What was measured.
        unit: `px` (smaller is better) or `R²` (larger is better).
        layers: Names, in the network's order.
        columns: What the columns are: timesteps, or `pretrained`; and the network with random weights, `random...`.
        values: (layers, columns); NaN where nothing was measured.
        mean: The score of the mean target.
    """

    title: str
    unit: str
    layers: Sequence[str]
    columns: Sequence[str]
    values: Array
    mean: float

    @property
    def smaller_is_better(self) -> bool:
        return self.unit == "px"

    def best(self, num_columns: int) -> tuple[int, int]:
        """(layer, column) of the best score among the first columns."""
        values = self.values[:, :num_columns] * (1 if self.smaller_is_better else -1)
        row, column = np.unravel_index(np.nanargmin(values), values.shape)
        return int(row), int(column)

    def text(self) -> str:
        """A table for the terminal."""
        digits = 2 if self.smaller_is_better else 3
        width = max(len(name) for name in (*self.layers, "mean target"))
        widths = [max(len(name), 7) for name in self.columns]
        head = " ".join(name.rjust(size) for name, size in zip(self.columns, widths, strict=True))
        lines = [self.title, f"{'':{width}} {head}"]
        for name, row in zip(self.layers, self.values, strict=True):
            cells = [("" if np.isnan(v) else f"{v:.{digits}f}").rjust(s) for v, s in zip(row, widths, strict=True)]
            lines.append(f"{name:{width}} {' '.join(cells)}")
        lines.append(f"{'mean target':{width}} {f'{self.mean:.{digits}f}'.rjust(widths[0])}")
        return "\n".join(line.rstrip() for line in lines)

    def draw(self, path: Path) -> None:
        """Writes a PNG: bright is good, the best cell is framed."""
        rows, columns = self.values.shape
        with matplotlib.rc_context({"font.size": 9, "text.parse_math": False}):
            figure = Figure(figsize=(2.8 + 0.75 * columns, 1.4 + 0.3 * rows), layout="constrained", dpi=150)
            axes = figure.add_subplot()
            colours = axes.imshow(self.values, aspect="auto", cmap="viridis_r" if self.smaller_is_better else "viridis")
            low, high = colours.get_clim()
            for row in range(rows):
                for column in range(columns):
                    value = self.values[row, column]
                    if np.isfinite(value):
                        bright = ((value - low) / max(high - low, 1e-9) > 0.55) != self.smaller_is_better
                        text = f"{value:.1f}" if self.smaller_is_better else f"{value:.2f}"
                        ink = "black" if bright else "white"
                        axes.text(column, row, text, ha="center", va="center", color=ink)
            row, column = self.best(sum(not name.startswith("random") for name in self.columns))
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="red", linewidth=2))
            axes.set_xticks(range(columns), self.columns)
            axes.set_yticks(range(rows), self.layers)
            axes.set_xlabel("timestep" if self.columns[0].isdecimal() else "weights")
            axes.set_title(f"{self.title}\nmean target: {self.mean:.3g} {self.unit}", fontsize=9)
            with atomic_path(path) as unfinished:
                figure.savefig(unfinished, format="png")
