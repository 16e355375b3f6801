"""What the page's controls do: methods, since Gradio reads the type hints of what it calls."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from gensight.errors import ConfigError, DataError, UserError
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Sample
from gensight.web.answers.answer import COLUMNS, Row, answer, message
from gensight.web.answers.pictures import shown_image
from gensight.web.answers.store import AnswerStore, Saved
from gensight.web.answers.videos import VideoQuestion, first_frame
from gensight.web.examples import Example, truth_by_digest
from gensight.web.headline import Headline, headline_of
from gensight.web.page.stage import Scene, answered_scene, scene_of, shown
from gensight.web.questions import input_kind
from gensight.web.served_files import ServedFiles
from gensight.web.uploads import Limits, check_bytes, read_upload, video_suffix
from gensight.web.visitors import visitor_of

HISTORY_LENGTH = 20
BY_WORDS = "by the words"
FILES = "gradio_api/file="

Upload = tuple[str, str]  # the key of a listed file, and what its owner calls it; "" where he does not say
Watch = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Page:
    """What the page is made of, and what its controls do.

    A text that nobody has written yet, or that is hidden, is None.

    Attributes:
        runs: By the name under which they are offered.
        examples: Of each run.
        store: Where answers go.
        files: That visitors have uploaded, or were given.
        limits: Of uploads.
    """

    runs: Mapping[str, TrainedRun]
    examples: Mapping[str, list[Example]]
    store: AnswerStore
    files: ServedFiles
    limits: Limits

    def content(self, upload: Upload | None, visitor: str) -> tuple[bytes, str]:
        """An uploaded file and its name. Raises DataError for none, and for one that is not this visitor's."""
        if upload is None:
            raise DataError("no image is given", hint="upload one, take a picture, or choose an example")
        key, title = upload
        file, name = self.files.open(key, visitor)
        with file:
            content = file.read(self.limits.max_bytes + 1)
        check_bytes(content, title or name, self.limits)
        return content, title or name

    def sample(self, upload: Upload | None, visitor: str) -> Sample:
        """The uploaded image. Errors as `content`; DataError for one that can't be read."""
        content, name = self.content(upload, visitor)
        return read_upload(content, name, self.limits)

    def answer(
        self,
        run: str,
        upload: Upload | None,
        words: str | None,
        task: str | None,
        marks: str | None,
        other: Upload | None,
        visitor: str,
        watch: Watch | None = None,
    ) -> Saved:
        """Answers about an image or a video. Raises UserError for a visitor's mistakes."""
        if run not in self.runs:
            raise ConfigError("there is no such run", choices=self.runs, hint="choose one of these")
        trained, chosen = self.runs[run], "" if task == BY_WORDS else task or ""
        content, name = self.content(upload, visitor)
        if video_suffix(content) is not None:
            question = VideoQuestion(content, name, self.limits, marks or "", words or "", chosen)
            return self.store.save_video(question, trained, watch)
        sample = read_upload(content, name, self.limits)
        second = None if other is None or input_kind(trained) != "pair" else self.sample(other, visitor)
        truth = truth_by_digest(self.examples).get((run, hashlib.sha256(content).digest()))
        answered = answer(trained, sample, marks or "", words or "", chosen, second, truth)
        return self.store.save(answered, trained)

    def ask(
        self,
        run: str,
        upload: Upload | None,
        words: str | None,
        task: str | None,
        marks: str | None,
        other: Upload | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        """For programs: picture, map, table and files."""
        with polite():
            saved = self.answer(run, upload, words, task, marks, other, visitor_of(request))
        mapped = next((str(one.path) for one in saved.layers if one.name == "Map"), None)
        picture = str(saved.image if saved.video else saved.files[0])
        return picture, mapped, [list(row) for row in saved.rows], [str(file) for file in saved.files]

    def show(
        self,
        run: str,
        upload: Upload | None,
        video: Upload | None,
        words: str | None,
        task: str | None,
        marks: str | None,
        other: Upload | None,
        history: list[Saved],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  (Gradio finds it by this default)
    ) -> tuple[Any, ...]:
        """For the page: stage, problem, result, history and its gallery. A mistake changes the problem alone."""
        visitor = visitor_of(request)

        def watch(done: int, total: int) -> None:
            progress((done, total), desc="frames", unit="frames")

        try:
            saved = self.answer(run, video or upload, words, task, marks, other, visitor, watch)
        except UserError as error:
            return gr.skip(), problem(error), *(gr.skip() for _ in range(3))
        kept = [saved, *(one for one in history if one.is_kept)][:HISTORY_LENGTH]
        pictures = [(str(thumbnail(one)), one.caption) for one in kept]
        gallery = gr.Gallery(value=pictures, visible=True, selected_index=None)
        return *self._shown(run, saved, visitor), kept, gallery

    def _shown(self, run: str, saved: Saved, visitor: str) -> tuple[Any, ...]:
        """Stage, problem and result of an answer."""
        address = self._addresses(visitor)
        title = saved.caption.partition(": ")[2]
        scene = answered_scene(scene_of(self.runs[run], "", saved.size, title), saved, address)
        return shown(scene), problem(None), table(saved.rows) + downloads(saved.files, address)

    def _addresses(self, visitor: str) -> Callable[[Path], str]:
        return lambda path: FILES + self.files.add(path, visitor)

    def _scene(self, run: str, upload: Upload, visitor: str) -> Scene:
        """An upload before the first query. Raises DataError for one that can't be read."""
        content, name = self.content(upload, visitor)
        trained, note = self.runs[run], ""
        if video_suffix(content) is None:
            sample = read_upload(content, name, self.limits)
        else:
            sample = first_frame(content, name, self.limits, self.store.new_folder() / "work")
            if input_kind(trained) in ("boxes", "heads"):
                note = "The first frame. Boxes that you draw here hold for all frames."
        image = self._addresses(visitor)(self.store.show(shown_image(sample.image())))
        return {**scene_of(trained, image, sample.size, name), "note": note}

    def open(self, run: str, upload: Upload | None, video: Upload | None, request: gr.Request) -> tuple[Any, ...]:
        """Image, video, stage, problem and result, once something was uploaded."""
        given = video or upload
        if given is None:
            return self.clear(run)
        try:
            scene = self._scene(run, given, visitor_of(request))
        except UserError as error:
            return None, None, shown({}, ""), problem(error), guide(self.runs[run])
        return gr.skip(), gr.skip(), shown(scene, ""), problem(None), ""

    def open_image(self, run: str, upload: Upload | None, request: gr.Request) -> tuple[Any, ...]:
        """As `open`; the video goes."""
        image, _, *others = self.open(run, upload, None, request)
        return image, None, *others

    def open_video(self, run: str, video: Upload | None, request: gr.Request) -> tuple[Any, ...]:
        """As `open`; the image goes."""
        _, clip, *others = self.open(run, None, video, request)
        return None, clip, *others

    def clear(self, run: str) -> tuple[Any, ...]:
        """As `open`, with nothing."""
        return None, None, shown({}, ""), problem(None), guide(self.runs[run])

    def choose(self, run: str, upload: Upload | None, video: Upload | None, request: gr.Request) -> tuple[Any, ...]:
        """Headline, instruction, task, other image, examples, button of videos, and as `open`, for another run."""
        trained = self.runs[run]
        kind = input_kind(trained)
        return (
            headline_html(headline_of(trained, run)),
            gr.Textbox(visible=kind == "words"),
            gr.Dropdown(visible=kind == "words"),
            gr.Image(value=None, visible=kind == "pair"),
            gr.Gallery(value=self.gallery(run), visible=bool(self.examples[run])),
            gr.UploadButton(visible=kind != "pair"),
            *self.open(run, upload, video, request)[2:],
        )

    def example(self, run: str, event: gr.SelectData, request: gr.Request) -> tuple[Any, ...]:
        """Instruction and other image of an example, and as `open`."""
        offered = self.examples[run]
        if event.index not in range(len(offered)):
            raise gr.Error("There is no such example.", title="Not possible", print_exception=False)
        chosen = offered[event.index]
        image = self._addresses(visitor_of(request))(self.store.show(shown_image(self._pixels(chosen))))
        scene = scene_of(self.runs[run], image, self._pixels(chosen).shape[:2], chosen.path.name)
        other = None if chosen.other is None else str(chosen.other)
        opened = (str(chosen.path), None, shown(scene, chosen.marks), problem(None), "")
        return chosen.words or gr.skip(), other, *opened

    def _pixels(self, chosen: Example) -> Any:
        return read_upload(chosen.path.read_bytes(), chosen.path.name, self.limits).image()

    def again(self, run: str, history: list[Saved], event: gr.SelectData, request: gr.Request) -> tuple[Any, ...]:
        """As `open`, of an earlier answer; its image is not there for another query."""
        chosen = history[event.index] if event.index in range(len(history)) else None
        if chosen is None or not chosen.is_kept:
            raise gr.Error("This answer is no longer kept. Ask again.", title="Gone", print_exception=False)
        stage, *others = self._shown(run, replace(chosen), visitor_of(request))
        scene = {**stage["scene"], "mode": "image", "note": "An earlier answer. Choose an image to ask again."}
        return None, None, shown(scene, ""), *others

    def gallery(self, run: str) -> list[str]:
        """The pictures of a run's examples."""
        return [str(one.path) for one in self.examples[run]]


def headline_html(one: Headline) -> str:
    """The top of the page."""
    scores = "".join(f'<span class="gs-score"><span>{escape(name)}</span> <b>{escape(value)}</b></span>'
                     for name, value in one.scores)  # fmt: skip
    what = f"<b>{escape(one.finds)}</b> {escape(one.needs)}"
    title = f'<h1><span class="gs-brand">gensight</span> {escape(one.name)}</h1>'
    training = f'<p class="gs-quiet">{escape(one.training)}</p>'
    return f'<header class="gs-head">{title}<p>{what}</p>{training}<div class="gs-scores">{scores}</div></header>'


_STEPS = {
    "image": "Choose an image, or one of the examples.",
    "boxes": "Draw a box around each subject, with the mouse or a finger; none if one subject fills the image.",
    "heads": "Draw a box around each head, with the mouse or a finger.",
    "words": "Type an instruction, such as “segment the cat”.",
    "pair": "Choose the other image. Tap the first one to set points, where the run finds points.",
}


def guide(trained: TrainedRun) -> str:
    """What a visitor does, before there is an answer."""
    kind = input_kind(trained)
    steps = dict.fromkeys([_STEPS["image"], _STEPS[kind], "Press Predict. The answer is drawn on the image."])
    items = "".join(f"<li>{one}</li>" for one in steps)
    return f'<div class="gs-how"><h3>How it works</h3><ol class="gs-steps">{items}</ol></div>'


def problem(error: UserError | None) -> Any:
    """The panel of a visitor's mistake; it goes with the next success."""
    text = "" if error is None else f'<div role="alert" class="gs-problem">{escape(message(error))}</div>'
    return gr.HTML(value=text, visible=bool(text))


def table(rows: Sequence[Row]) -> str:
    """An answer in numbers."""
    head = "".join(f"<th>{escape(one)}</th>" for one in COLUMNS)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="gs-numbers"><h3>In numbers</h3><div><table><tr>{head}</tr>{body}</table></div></div>'


def downloads(files: Sequence[Path], address: Callable[[Path], str]) -> str:
    """Links to files, by their names."""
    links = (f'<a class="gs-file" href="{escape(address(one))}" download="{escape(one.name)}"><span>{escape(one.name)}'
             f"</span><span>{_bytes(one.stat().st_size)}</span></a>" for one in files)  # fmt: skip
    return f'<div class="gs-files"><h3>Download</h3>{"".join(links)}</div>'


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"


def thumbnail(saved: Saved) -> Path:
    """The picture of an answer in the list of earlier ones."""
    return saved.image if saved.video is not None else saved.files[0]


@contextmanager
def polite() -> Iterator[None]:
    """A program's mistakes as messages."""
    try:
        yield
    except UserError as error:
        raise gr.Error(message(error), title="Not possible", duration=30, print_exception=False) from error
