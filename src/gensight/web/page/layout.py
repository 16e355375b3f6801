"""The page: the picture and the query on the left, the answer in numbers and files on the right."""

from abc import ABCMeta
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from gensight.instructions.grammar import TASKS
from gensight.web.answers.answer import COLUMNS
from gensight.web.headline import headline_of
from gensight.web.page.actions import BY_WORDS, Page, Upload, guide, headline_html
from gensight.web.page.stage import build_stage, source_of
from gensight.web.payloads import Slot
from gensight.web.questions import input_kind
from gensight.web.served_files import NOT_TAKEN

TITLE = "gensight"
PROGRAMS = "ask"  # what programs call
QUEUE = "answers"  # one at a time, whoever asks
QUEUE_LENGTH = 32
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build_page(page: Page) -> gr.Blocks:
    """The page as Gradio blocks, its queue included."""
    names = list(page.runs)
    first = page.runs[names[0]]
    kind = input_kind(first)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)) as blocks:
        history = gr.State([], time_to_live=3600)
        about = gr.HTML(headline_html(headline_of(first, names[0])), elem_id="about")
        run = gr.Dropdown(names, value=names[0], label="Run", visible=len(names) > 1, elem_id="run")
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=7, min_width=320, elem_id="left"):
                image, video = _image_input("Image", "image"), _video_input(kind != "pair")
                stage = build_stage()
                other = _image_input("Other image", "other", kind == "pair")
                with gr.Row(elem_id="question"):
                    words = gr.Textbox(label="Instruction", placeholder="segment the cat", max_lines=3, scale=3,
                                       visible=kind == "words", elem_id="instruction")  # fmt: skip
                    task = gr.Dropdown([BY_WORDS, *TASKS], value=BY_WORDS, label="Read the answer as", elem_id="task",
                                       visible=kind == "words", min_width=160)  # fmt: skip
                go = gr.Button("Predict", variant="primary", elem_id="predict")
                problem = gr.HTML("", visible=False, elem_id="problem")
            with gr.Column(scale=4, min_width=300, elem_id="right"):
                result = gr.HTML(guide(first), elem_id="result")
                examples = _gallery("Examples", "examples", page.gallery(names[0]), bool(page.examples[names[0]]))
        past = _gallery("Earlier answers of your visit", "history", [], False)

        query = [run, image, video, words, task, stage, other, history]
        for event in (go.click, words.submit):
            event(page.show, query, [stage, problem, result, history, past], concurrency_id=QUEUE,
                  api_visibility="private", show_progress_on=stage)  # fmt: skip
        opened = [image, video, stage, problem, result]
        image.input(page.open_image, [run, image], opened, concurrency_id="checks", **_PRIVATE)
        video.upload(page.open_video, [run, video], opened, concurrency_id="checks", **_PRIVATE)
        stage.clear(page.clear, run, opened, queue=False, **_PRIVATE)
        run.change(page.choose, [run, image, video], [about, words, task, other, examples, video, *opened[2:]],
                   concurrency_id="checks", **_PRIVATE)  # fmt: skip
        examples.select(page.example, run, [words, other, *opened], concurrency_id="checks", **_PRIVATE)
        past.select(page.again, [run, history], opened, concurrency_id="checks", **_PRIVATE)
        _for_programs(page, [run, image, words, task, stage, other])
    blocks.queue(max_size=QUEUE_LENGTH, default_concurrency_limit=1)
    return blocks


def _for_programs(page: Page, inputs: list[Any]) -> None:
    """The function that programs call; what it returns is not shown."""
    button = gr.Button(visible=False)
    outputs = [gr.Image(visible=False, format="png"), gr.Image(visible=False, format="png"),
               gr.Dataframe(headers=list(COLUMNS), datatype="str", visible=False),
               gr.File(visible=False, file_count="multiple")]  # fmt: skip
    button.click(page.ask, inputs, outputs, concurrency_id=QUEUE, api_name=PROGRAMS)


def functions_of(blocks: gr.Blocks) -> tuple[dict[int, tuple[Slot, ...]], set[int], int]:
    """The page's functions: what each takes, by its number; those that do not wait in the queue; the one that programs
    call."""
    kinds: dict[str, Slot] = {"image": "file", "uploadbutton": "file", "state": "state", "textbox": "text",
                              "dropdown": "text", "html": "text"}  # fmt: skip
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


def css() -> str:
    """Of the page and its picture."""
    return source_of("page.css") + source_of("stage.css")


def _gallery(label: str, name: str, pictures: list[str], visible: bool) -> gr.Gallery:
    return gr.Gallery(pictures, label=label, columns=5, height="auto", allow_preview=False, interactive=False,
                      buttons=[], elem_id=name, visible=visible)  # fmt: skip


def _image_input(label: str, name: str, visible: bool = True) -> gr.Image:
    image = _unread(gr.Image)
    return image(label=label, type="filepath", sources=["upload", "webcam", "clipboard"], elem_id=name, height=300,
                 buttons=[], visible=visible)  # fmt: skip


def _video_input(visible: bool) -> gr.UploadButton:
    button = _unread(gr.UploadButton)
    return button("Choose a video instead", file_types=["video"], size="sm", visible=visible, elem_id="video")


def _unread(component: Any) -> Any:
    """A component whose files come as they were uploaded: Gradio would decode or copy them before they were checked.

    A class, since Gradio makes its components anew as they change; and one that its metaclass does not know of, since
    that writes an interface file beside the source of every other.
    """
    # Whatever a component's instances say: other models want a path that Gradio would look up itself.
    model = property(lambda _: ImageData, lambda *_: None)
    attributes = {"preprocess": _taken, "data_model": model, "__module__": component.__module__}
    return ABCMeta.__new__(type(component), component.__name__, (component,), attributes)


def _taken(component: Any, payload: Any) -> Upload | None:
    if payload is None:
        return None
    if payload.path is None:
        raise gr.Error(NOT_TAKEN, title="Not taken", print_exception=False)
    return payload.path, payload.orig_name or ""
