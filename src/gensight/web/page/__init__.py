"""The page itself; the only folder that imports Gradio, beside the server.

- `stage.py`, `stage.js`, `stage.css`: the one picture: image, layers, boxes and points that visitors draw on it.
- `actions.py`: what the controls do.
- `layout.py`: the controls, and which of them does what.
"""
