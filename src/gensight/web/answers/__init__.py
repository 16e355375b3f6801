"""What a run answers, for the page.

- `answer.py`: an image and what a visitor typed or drew -> `Answer`; its table and its JSON.
- `pictures.py`: the answer's layers: transparent pictures over the image, each of which can be switched off.
- `videos.py`: a video -> files.
- `store.py`: answers on disk, and their files by name.
"""
