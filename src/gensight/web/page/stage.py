"""The page's one picture, as a Gradio component, and what the server sends it.

Visitors draw boxes and points on it, with a mouse or a finger; their text is its value. Layers, legend and addresses
come as its property `scene`, so that nothing which a visitor named becomes HTML.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Size
from gensight.web.answers.store import Saved
from gensight.web.questions import MAX_MARKS, input_kind, takes_points

Scene = dict[str, Any]
Address = Callable[[Path], str]  # of a file, for one visitor

_HTML = """<div class="gs-stage" hidden>
<div class="gs-bar"><span class="gs-title"></span><button type="button" class="gs-tool gs-clear" hidden></button>
<button type="button" class="gs-tool gs-other">Other image</button></div>
<div class="gs-switches" role="group" aria-label="Layers"></div>
<div class="gs-view"><img class="gs-image" alt="The image"><div class="gs-layers"></div>
<svg class="gs-marks" tabindex="0" preserveAspectRatio="none"></svg>
<img class="gs-sheet" alt="Both images, with what was found" hidden>
<video class="gs-video" controls loop muted playsinline hidden></video></div>
<div class="gs-legend"></div><div class="gs-hint"></div>
<details class="gs-typed"><summary></summary><label for="gs-typed"></label><textarea id="gs-typed" rows="3"></textarea>
</details></div>"""


def source_of(name: str) -> str:
    """A file of this folder."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def build_stage() -> gr.HTML:
    """The component; its event `clear` asks for another image."""
    return gr.HTML("", html_template=_HTML, js_on_load=source_of("stage.js"), apply_default_css=False, scene={},
                   elem_id="stage")  # fmt: skip


def shown(scene: Scene, marks: str | None = None) -> Any:
    """An update of the component: nothing where the scene is empty; without marks they stay as they are."""
    return gr.HTML(scene=scene) if marks is None else gr.HTML(value=marks, scene=scene)


def scene_of(trained: TrainedRun, image: str, size: Size, title: str) -> Scene:
    """An image before the first query.

    Args:
        trained: The run, by which boxes, points or nothing is drawn.
        image: Its address.
        size: (height, width), in pixels of the image as it was given.
        title: What its owner calls it.
    """
    kind = "points" if takes_points(trained) else input_kind(trained)
    return {"image": image, "size": [size[1], size[0]], "mode": kind, "title": title, "most": MAX_MARKS, "layers": [],
            "legend": [], "video": None, "sheet": None, "note": ""}  # fmt: skip


def answered_scene(scene: Scene, saved: Saved, address: Address) -> Scene:
    """The same with an answer: layers over it, or in its place."""
    layers = [{"name": one.name, "url": address(one.path), "on": one.shown,
               "narrow": None if one.narrow is None else address(one.narrow)} for one in saved.layers]  # fmt: skip
    legend = [{"mark": one.mark, "colour": list(one.colour), "text": one.text} for one in saved.legend]
    video = None if saved.video is None else address(saved.video)
    sheet = None
    if saved.sheet is not None:
        path, (height, width) = saved.sheet
        sheet = {"url": address(path), "aspect": width / height}
    return {**scene, "image": address(saved.image), "layers": layers, "legend": legend, "video": video, "sheet": sheet}
