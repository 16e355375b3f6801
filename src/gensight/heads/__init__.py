"""Heads: from a backbone's features to outputs. Shared by several methods; widths come from the backbone's layer table.

- `aggregation`: `Aggregation`, maps of many layers and noise levels -> one map.
- `maps`: `MapHead`, that map -> the maps of an encoding; `resize`.
- `ridge`: ridge regression in closed form, cross-validated: what a linear reading is worth.
- `released`: the published heads of Readout Guidance, read from their files.
"""

from gensight.heads.aggregation import Aggregation
from gensight.heads.maps import MapHead

__all__ = ["Aggregation", "MapHead"]
