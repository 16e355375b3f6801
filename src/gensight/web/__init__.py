"""`gensight serve`: trained runs on a web page (extra `serve`: Gradio).

- `uploads.py`: the bytes of an uploaded file -> a checked Sample; limits of size and pixels, and the formats read.
- `questions.py`: boxes, points and instructions, as drawn or typed -> the Request of a run.
- `answers/`: a run's Prediction -> layers over the image, a table and files to download; of videos, too.
- `examples.py`: images of a run's test part with their boxes and truths.
- `headline.py`: what the top of the page states of a run.
- `visitors.py`: who sends a request: cookies, the token, and requests of foreign pages.
- `served_files.py`: the list of files that may be read or handed out, each for one visitor.
- `payloads.py`: what is sent to the page's functions, built anew from what is known to be harmless.
- `outputs.py`: Gradio's answers, with keys of listed files in place of paths.
- `messages.py`: requests and responses as ASGI messages.
- `guard.py`: the routes that exist, between the network and Gradio.
- `ports.py`: whether the page's port is free.
- `page/`: the page itself. The only folder that imports Gradio, beside `server.py`.
- `server.py`: loads the runs, starts the page, and ends it. Start here.
"""
