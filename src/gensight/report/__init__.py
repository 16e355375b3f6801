"""The results of a run on one page: reads the result files of run folders, never a model, a data set or the network.

    from gensight.report import scores_table_text, write_report

    write_report([Path("runs/mouse"), Path("runs/mouse-scratch")], Path("comparison.html"))

- `write_report`: one self-contained HTML page about one run, or several side by side.
- `scores_table_text`: the scores of a `metrics.json` for the terminal.

Where to look: `results` (what a run folder holds, and reading it), `errors_px` (errors and their ranking), `plots`
(inline SVG), `pictures` and `gallery` (overlays, and which items are shown), `tables` (numbers as text), `page` and
`page.html.jinja` (the page).

Adding a section to the page:
1. If it needs a new result file or key, add it in `results`, optional, with its unit; older runs don't have it.
2. Compute what it shows in a file of this folder, from `Run` objects alone.
3. Add it to the context in `page`, with a sentence for runs that lack it.
4. Add a `<section>` to `page.html.jinja`. Autoescape is on: mark nothing as safe but the SVG of `plots`.
5. Add it to `tests/report/fake_run.py` and look at the page, light and dark, wide and narrow.
"""

from gensight.report.page import write_report
from gensight.report.tables import scores_table_text

__all__ = ["scores_table_text", "write_report"]
