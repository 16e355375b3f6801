"""The page: an image and a question on the left, the answer on the right, what was asked before below."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from gensight.drawing import draw_boxes
from gensight.errors import ConfigError, DataError, UserError
from gensight.instructions.grammar import TASKS
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Sample
from gensight.web.answers import COLUMNS, AnswerStore, Saved, answer, message
from gensight.web.payloads import Slot
from gensight.web.questions import InputKind, input_kind, read_boxes, with_corner
from gensight.web.served_files import NOT_TAKEN, ServedFiles
from gensight.web.uploads import Limits, read_upload
from gensight.web.visitors import visitor_of

TITLE = "gensight"
PROGRAMS = "ask"  # what programs call
QUEUE = "answers"  # one at a time, whoever asks
QUEUE_LENGTH = 32
HISTORY_LENGTH = 20
_BY_WORDS = "by the words"

CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
#heading h1 { margin-bottom: 0; }
#heading p, #about p { margin-top: 0.2em; opacity: 0.8; }
#examples .grid-wrap, #history .grid-wrap { min-height: 0; max-height: 17em; overflow-y: auto; }
#examples .grid-container, #history .grid-container { padding-top: 2em; gap: 0.5em; }
#examples .grid-container { grid-template-columns: repeat(5, minmax(0, 1fr)) !important; }
#history .grid-container { grid-template-columns: repeat(8, minmax(0, 1fr)) !important; }
#examples .thumbnail-lg, #history .thumbnail-lg { width: 100%; aspect-ratio: 4 / 3; }
"""

Upload = tuple[str, str]  # the key of a listed file, and what its owner calls it; "" where he does not say


@dataclass(frozen=True, eq=False)
class Page:
    """What the page is made of, and what its controls do: methods, since Gradio reads the type hints of what it calls.

    A text that nobody has written yet, or that is hidden, is None.

    Attributes:
        runs: By the name under which they are offered.
        examples: Of each run: image files.
        store: Where answers go.
        files: That visitors have uploaded, or were given.
        limits: Of uploads.
    """

    runs: Mapping[str, TrainedRun]
    examples: Mapping[str, Sequence[Path]]
    store: AnswerStore
    files: ServedFiles
    limits: Limits

    def sample(self, upload: Upload | None, visitor: str) -> Sample:
        """The uploaded image. Raises DataError for none, and for one that is not this visitor's or can't be read."""
        if upload is None:
            raise DataError("no image is given", hint="upload one, take a picture, or choose an example")
        key, title = upload
        file, name = self.files.open(key, visitor)
        with file:
            content = file.read(self.limits.max_bytes + 1)
        return read_upload(content, title or name, self.limits)

    def ask(
        self,
        run: str,
        upload: Upload | None,
        words: str | None,
        task: str | None,
        boxes: str | None,
        history: list[Saved],
        request: gr.Request,
    ) -> tuple[Any, ...]:
        with _polite():
            if run not in self.runs:
                raise ConfigError("there is no such run", choices=self.runs, hint="choose one of these")
            sample, chosen = self.sample(upload, visitor_of(request)), "" if task == _BY_WORDS else task or ""
            answered = answer(self.runs[run], sample, boxes or "", words or "", chosen)
            saved = self.store.save(answered, self.runs[run])
        kept = [saved, *(one for one in history if one.overlay.is_file())][:HISTORY_LENGTH]
        pictures = [(str(one.overlay), one.caption) for one in kept]
        return *_shown(saved), kept, gr.Gallery(value=pictures, visible=True, selected_index=None)

    def check(self, upload: Upload | None, request: gr.Request) -> None:
        if upload is not None:
            with _polite():
                self.sample(upload, visitor_of(request))

    def click(self, run: str, boxes: str | None, event: gr.SelectData) -> str:
        if not _takes_boxes(self.runs[run]) or not isinstance(event.index, list):
            return boxes or ""
        x, y = event.index
        return with_corner(boxes or "", (float(x), float(y)))

    def mark(self, upload: Upload | None, boxes: str | None, request: gr.Request) -> Any:
        """The image with the complete boxes of a text drawn in; hidden where there is no image or box."""
        complete = "\n".join(line for line in (boxes or "").splitlines() if len(line.replace(",", " ").split()) == 4)
        picture = None
        if upload is not None and complete:  # looked at before an image is decoded in vain
            with suppress(UserError):  # reported when the question is asked: until then somebody may be typing
                sample = self.sample(upload, visitor_of(request))
                picture = draw_boxes(sample.image(), np.stack(read_boxes(complete, sample.size)))
        return gr.Image(value=picture, visible=picture is not None)

    def choose(self, run: str) -> tuple[Any, ...]:
        trained = self.runs[run]
        by_words = input_kind(trained) == "words"
        return (
            describe(trained),
            gr.Textbox(visible=by_words),
            gr.Dropdown(visible=by_words),
            gr.Textbox(value="", label=_boxes_label(trained), visible=_takes_boxes(trained)),
            gr.Image(value=None, visible=False),
            gr.Gallery(value=_gallery(self, run), visible=bool(self.examples[run])),
        )

    def example(self, run: str, event: gr.SelectData) -> tuple[str, str]:
        offered = self.examples[run]
        if event.index not in range(len(offered)):
            raise gr.Error("There is no such example.", title="Not possible", print_exception=False)
        return str(offered[event.index]), ""


def describe(trained: TrainedRun) -> str:
    """A run in two sentences: its output, and its input beside the image."""
    what = trained.config.encoding.facts.finds
    if trained.skeleton is not None:
        what = f"{len(trained.skeleton.keypoints)} keypoints of {trained.skeleton.name}"
    needed: dict[InputKind, str] = {
        "image": "It looks at the whole image.",
        "boxes": "It looks at one subject: mark its box by clicking two opposite corners in the image, or leave it "
        "out if the subject fills the image.",
        "heads": "Mark each head by clicking two opposite corners in the image.",
        "words": "Say in words what to do.",
    }
    answers = "Answers instructions." if input_kind(trained) == "words" else f"Finds {what}."
    return f"{answers} {needed[input_kind(trained)]}"


def build_page(page: Page) -> gr.Blocks:
    """The page as Gradio blocks, its queue included."""
    names = list(page.runs)
    first = page.runs[names[0]]
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 86400)) as blocks:
        gr.Markdown(f"# {TITLE}\nWhat a generative image model knows of your image.", elem_id="heading")
        history = gr.State([], time_to_live=3600)
        with gr.Row():
            with gr.Column(scale=4):
                run = gr.Dropdown(names, value=names[0], label="Run", visible=len(names) > 1, elem_id="run")
                about = gr.Markdown(describe(first), elem_id="about")
                image = _image_input()
                words = gr.Textbox(label="Instruction", placeholder="segment the cat", lines=1, max_lines=3,
                                   visible=input_kind(first) == "words", elem_id="instruction")  # fmt: skip
                task = gr.Dropdown([_BY_WORDS, *TASKS], value=_BY_WORDS, label="Read the answer as", elem_id="task",
                                   visible=input_kind(first) == "words")  # fmt: skip
                boxes = gr.Textbox(label=_boxes_label(first), lines=2, elem_id="boxes", visible=_takes_boxes(first),
                                   info="x_min y_min x_max y_max in pixels, one box a line")  # fmt: skip
                marked = gr.Image(label="Marked", interactive=False, visible=False, buttons=[], elem_id="marked")
                with gr.Row():
                    clear = gr.Button("Clear", elem_id="clear")
                    go = gr.Button("Ask", variant="primary", elem_id="ask")
                examples = gr.Gallery(_gallery(page, names[0]), label="Examples", columns=5, height="auto",
                                      allow_preview=False, interactive=False, buttons=[], elem_id="examples",
                                      visible=bool(page.examples[names[0]]))  # fmt: skip
            with gr.Column(scale=6):
                overlay = gr.Image(label="Answer on the image", interactive=False, format="png",
                                   buttons=["download", "fullscreen"], elem_id="overlay", height=420)  # fmt: skip
                with gr.Row():
                    target = gr.Image(label="Target", interactive=False, format="png",
                                      buttons=["download", "fullscreen"], elem_id="target", height=280)  # fmt: skip
                    files = gr.File(label="Download", file_count="multiple", interactive=False, elem_id="files",
                                    height=280)  # fmt: skip
                table = gr.Dataframe(headers=list(COLUMNS), datatype="str", interactive=False, wrap=True,
                                     label="In numbers", elem_id="table", max_height=360, buttons=[])  # fmt: skip
        past = gr.Gallery(label="Asked before (choose one to see it again)", columns=8, height="auto",
                          allow_preview=False, interactive=False, buttons=[], elem_id="history",
                          visible=False)  # fmt: skip

        answered = [overlay, target, table, files]
        events: list[tuple[Any, str, str | None]] = [(go.click, "public", PROGRAMS), (words.submit, "private", None)]
        for event, visibility, name in events:
            asking = event(page.ask, [run, image, words, task, boxes, history], [*answered, history, past],
                           concurrency_id=QUEUE, api_visibility=visibility, api_name=name)  # fmt: skip
            asking.failure(_nothing, None, answered, queue=False, **_PRIVATE)
        checking = image.upload(page.check, image, None, concurrency_id=QUEUE, **_PRIVATE)
        checking.failure(lambda: None, None, image, queue=False, **_PRIVATE)
        image.upload(None, None, boxes, js="() => ''", **_PRIVATE)  # in the browser: a click may follow at once
        image.clear(lambda: ("", None), None, [boxes, marked], queue=False, **_PRIVATE)
        image.select(page.click, [run, boxes], boxes, queue=False, **_PRIVATE)
        boxes.change(page.mark, [image, boxes], marked, concurrency_id="marks", **_PRIVATE)
        run.change(page.choose, run, [about, words, task, boxes, marked, examples], queue=False, **_PRIVATE)
        examples.select(page.example, run, [image, boxes], queue=False, **_PRIVATE)
        past.select(_again, history, answered, queue=False, **_PRIVATE)
        clear.click(lambda: (None, "", "", None, *_nothing()), None, [image, words, boxes, marked, *answered],
                    queue=False, **_PRIVATE)  # fmt: skip
    blocks.queue(max_size=QUEUE_LENGTH, default_concurrency_limit=1)
    return blocks


_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def functions_of(blocks: gr.Blocks) -> tuple[dict[int, tuple[Slot, ...]], set[int], int]:
    """The page's functions: what each takes, by its number; those that do not wait in the queue; the one that programs
    call."""
    kinds: dict[str, Slot] = {"image": "file", "state": "state", "textbox": "text", "dropdown": "text"}
    taken = {
        number: tuple(kinds[one.get_block_name()] for one in function.inputs)
        for number, function in blocks.fns.items()
        if function.fn is not None
    }
    (named,) = (number for number, function in blocks.fns.items() if function.api_name == PROGRAMS)
    return taken, {number for number in taken if not blocks.fns[number].queue}, named


def theme() -> gr.themes.Base:
    """Plain, in the fonts that the visitor's machine has."""
    fonts = ("system-ui", "sans-serif")
    return gr.themes.Soft(primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=("ui-monospace", "monospace"))


def _image_input() -> gr.Image:
    image = gr.Image(label="Image", type="filepath", sources=["upload", "webcam", "clipboard"], elem_id="image",
                     height=360, buttons=[])  # fmt: skip
    # As it was uploaded: Gradio would decode it here, before it was looked at whether that is wise. An override on the
    # instance, since Gradio writes an interface file beside the source of every subclass.
    image.preprocess = _taken  # type: ignore[method-assign, assignment]
    return image


def _taken(payload: Any) -> Upload | None:
    if payload is None:
        return None
    if payload.path is None:
        raise gr.Error(NOT_TAKEN, title="Not taken", print_exception=False)
    return payload.path, payload.orig_name or ""


@contextmanager
def _polite() -> Iterator[None]:
    """The visitor's mistakes as messages on the page."""
    try:
        yield
    except UserError as error:
        raise gr.Error(message(error), title="Not possible", duration=30, print_exception=False) from error


def _shown(saved: Saved) -> tuple[str, str, list[list[str]], list[str]]:
    return str(saved.overlay), str(saved.target), [list(row) for row in saved.rows], [str(file) for file in saved.files]


def _nothing() -> tuple[None, None, None, None]:
    return None, None, None, None


def _again(history: list[Saved], event: gr.SelectData) -> tuple[Any, ...]:
    chosen = history[event.index] if event.index in range(len(history)) else None
    if chosen is None or not chosen.overlay.is_file():
        raise gr.Error("This answer is no longer kept. Ask again.", title="Gone", print_exception=False)
    return _shown(chosen)


def _gallery(page: Page, run: str) -> list[str]:
    return [str(path) for path in page.examples[run]]


def _takes_boxes(trained: TrainedRun) -> bool:
    return input_kind(trained) in ("boxes", "heads")


def _boxes_label(trained: TrainedRun) -> str:
    return "Boxes of heads" if input_kind(trained) == "heads" else "Box of the subject"
