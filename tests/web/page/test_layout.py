"""The controls: nothing of a visitor's file is read before it was checked, whatever Gradio makes anew."""

import gradio as gr
from gradio.data_classes import ImageData

from gensight.web.page.layout import _image_input, _video_input, css


def test_files_come_unread_from_components_and_from_their_copies() -> None:
    for component in (_image_input("Image", "image"), _video_input(True)):
        kind = type(component)
        again = kind(**{**component.constructor_args, "render": False})
        for one in (component, again):
            assert one.data_model is ImageData
            assert one.preprocess(ImageData(path="no/such/file.png", orig_name="a.png")) == (
                "no/such/file.png", "a.png"
            )  # fmt: skip
            assert one.preprocess(None) is None
        assert issubclass(kind, gr.Image | gr.UploadButton)


def test_nothing_of_the_style_is_loaded_from_elsewhere() -> None:
    assert "http" not in css()
    assert "@import" not in css()
