"""`gensight serve`: trained runs on a web page (extra `serve`: Gradio).

- `uploads.py`: what a visitor sends -> a checked Sample; limits of size and pixels, and which formats are read at all.
- `questions.py`: boxes and instructions, as typed or clicked -> Items that a run is asked.
- `answers.py`: a run's Prediction -> pictures, a table and files to download.
- `guard.py`: what every request must keep to, whatever Gradio would allow.
- `page.py`: the page itself. The only file that imports Gradio, beside `server.py`.
- `server.py`: loads the runs, starts the page, and ends it. Start here.
"""
