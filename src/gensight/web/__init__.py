"""`gensight serve`: trained runs on a web page (extra `serve`: Gradio).

- `uploads.py`: the bytes of an uploaded file -> a checked Sample; limits of size and pixels, and the formats read.
- `questions.py`: boxes and instructions, as typed or clicked -> Items that a run is asked.
- `answers.py`: a run's Prediction -> pictures, a table and files to download.
- `visitors.py`: who sends a request: cookies, the token, and requests of foreign pages.
- `served_files.py`: the list of files that may be read or handed out, each for one visitor.
- `payloads.py`: what is sent to the page's functions, built anew from what is known to be harmless.
- `outputs.py`: Gradio's answers, with keys of listed files in place of paths.
- `messages.py`: requests and responses as ASGI messages.
- `guard.py`: the routes that exist, between the network and Gradio.
- `ports.py`: whether the page's port is free.
- `page.py`: the page itself. The only file that imports Gradio, beside `server.py`.
- `server.py`: loads the runs, starts the page, and ends it. Start here.
"""
