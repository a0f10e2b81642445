"""Figures, Markdown, HTML, the terminal's table and the README's block."""

import copy
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib
import pytest
from rich.console import Console

from benchmarks.cases import MODELS
from benchmarks.report import canvas, figures, headline, render
from benchmarks.report.frame import to_frame
from benchmarks.report.implementations import LOOKS, SPARE_LOOKS, at_once
from benchmarks.report.statistics import FASTER, SLOWER, UNCLEAR
from benchmarks.report.summary import finding, sentences, summarize, summarize_cells
from benchmarks.report.table import print_table
from benchmarks.results import Results, Vectors

FIGURES = ("throughput", "ratios", "share_of_peak", "startup", "memory", "scaling", "memory_by_batch")
TABLES = ("results.csv", "calls.csv", "scaling.csv")
VOID = {"meta", "link", "br", "img", "hr", "input"}
HOSTILE = "<script>alert(1)</script> | `x` **y**\nsecond line"


class Page(HTMLParser):
    """Collects what the tests ask for, and fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def hostile(made_up) -> Results:
    """Small, with text that would break out of a page or a table."""
    results = made_up(batch_sizes=(1, 8192), rounds=5)
    for cell in results.cells:
        if cell.status == "died":
            cell.reason = HOSTILE
    results.machine["cpu"] = 'CPU <b>"fast"</b> & co'
    results.conditions["command"] = "python -m benchmarks --out '<img src=x onerror=alert(1)>'"
    return results


@pytest.fixture(scope="module")
def rendered(hostile, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "new" / "folder"
    rc = dict(matplotlib.rcParams)
    paths = render(hostile, out)
    assert dict(matplotlib.rcParams) == rc
    return out, paths


@pytest.fixture(scope="module")
def page(rendered) -> Page:
    return Page((rendered[0] / "report.html").read_text())


def test_render_writes_every_file_and_nothing_else(rendered):
    out, paths = rendered
    names = {str(path.relative_to(out)) for path in paths}
    drawn = {f"figures/{name}.png" for name in FIGURES}
    assert names == {"report.html", "report.md", *TABLES} | drawn
    assert {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} == names
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in drawn)


def test_rendering_again_gives_the_same_bytes(hostile, rendered, tmp_path):
    out, paths = rendered
    for path in render(hostile, tmp_path):
        assert path.read_bytes() == (out / path.relative_to(tmp_path)).read_bytes(), path.name
    assert len(paths) == 2 + len(TABLES) + len(FIGURES)


def test_page_stands_alone(rendered, page):
    text = (rendered[0] / "report.html").read_text()
    assert page.all("script") == page.all("link") == page.all("img") == []
    assert not re.search(r"url\((?!#)|@import|src=", text.replace("&lt;img src=x", ""))
    outside = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    assert outside == ["results.json", *TABLES]


def test_page_escapes_what_came_from_the_run(rendered, page):
    text = (rendered[0] / "report.html").read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text
    assert any("<script>alert(1)</script>" in words for words in page.words)


def test_page_is_accessible(page):
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    drawings = [attrs for attrs in page.all("div") if "drawing" in attrs.get("class", "")]
    assert len(drawings) == 2 * len(FIGURES)
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 40 for attrs in drawings)
    scrolled = [attrs for attrs in page.all("div") if attrs.get("class") == "scroll"]
    assert len(scrolled) == len(page.all("table"))
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in scrolled)


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in page.all("a") if a["href"].startswith("#")]
    targets += [attrs["xlink:href"][1:] for attrs in page.all("use")]
    assert set(targets) <= set(ids)


def test_page_and_markdown_say_the_verdict_before_any_table(hostile, rendered, page):
    found = finding(summarize(hostile))
    text = (rendered[0] / "report.html").read_text()
    assert text.index(f"<h1>{found}") < text.index("<table")
    words = (rendered[0] / "report.md").read_text()
    assert words.index("in ") < words.index("| Batch")
    assert words.index("## Verdict") < words.index("## Every cell")


def test_markdown_tables_are_whole(rendered):
    lines = (rendered[0] / "report.md").read_text().splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) > 30
    width = None
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line))
            assert cells == width or not before.startswith("|"), line
            width = cells
    assert "<script" not in "\n".join(lines).replace(r"\<script", "")


def test_markdown_shows_cells_without_a_time_and_existing_figures(hostile, rendered):
    out, _ = rendered
    text = (out / "report.md").read_text()
    untimed = sum(cell.status != "ok" for cell in [*hostile.cells, *hostile.calls])
    assert len(re.findall(r"\*(?:died|not available|timed out|wrong)\* <sup>\d+</sup>", text)) == untimed
    linked = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert len(linked) == len(FIGURES)
    assert all((out / name).is_file() for name in linked)


def test_nothing_written_names_the_host_or_a_path(rendered):
    out, _ = rendered
    for name in ("report.html", "report.md", *TABLES):
        text = (out / name).read_text()
        assert "secret-host" not in text
        assert str(out) not in text


@pytest.mark.parametrize(
    "change",
    [
        {"implementations": ("fastnn",)},
        {"implementations": ("numpy", "numba")},
        {"implementations": ("fastnn", "zeta", "numpy"), "threads": (2,)},
        {"rounds": 1},
    ],
    ids=["no peer", "no fastnn", "unknown peer", "one round"],
)
def test_odd_runs_render(made_up, tmp_path, change):
    results = made_up(**({"batch_sizes": (32,), "threads": (1,)} | change))
    results.ceilings, results.startups, results.kernel_errors = [], [], []
    results.calls, results.scaling = [], {}
    for cell in results.cells:
        cell.peak_memory = None
    paths = render(results, tmp_path)
    assert {path.suffix for path in paths} >= {".html", ".md", ".csv", ".png"}
    Page((tmp_path / "report.html").read_text())
    print_table(results, Console(file=io.StringIO(), width=80))


def test_a_run_without_any_time_renders(made_up, tmp_path):
    results = made_up(batch_sizes=(1,), threads=(1,))
    for cell in results.cells:
        cell.status, cell.reason, cell.samples = "died", "exit 1", []
    paths = render(results, tmp_path)
    assert not [path for path in paths if path.suffix == ".png"]
    assert "nothing" in (tmp_path / "report.md").read_text()


def test_svg_colours_are_variables_and_numbers_are_finite(results):
    frame, summary = to_frame(results), summarize(results)
    named = canvas.css_variables()
    for drawing in figures.draw_all(results, frame, summary):
        for svg in (drawing.wide, drawing.narrow):
            ET.fromstring(svg)
            assert not re.search(r"#[0-9a-f]{6}\b", svg), drawing.name
            assert set(re.findall(r"var\((--[\w-]+)\)", svg)) <= set(named)
            assert "nan" not in svg.lower()
        if drawing.name != "ratios":
            assert "var(--fastnn)" in drawing.wide


def luminance(color: str) -> float:
    channels = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_contrast_with_both_pages_and_looks_differ():
    for place, page_color in enumerate(canvas.INKS["paper"]):
        for shown in LOOKS.values():
            assert contrast((shown.light, shown.dark)[place], page_color) >= 3, shown.label
        for spare in SPARE_LOOKS:
            assert contrast(spare[place], page_color) >= 3, spare
        for text in ("ink", "muted"):
            assert contrast(canvas.INKS[text][place], page_color) >= 4.5
    lights = [light for light, _ in canvas.css_variables().values()]
    assert len(set(lights)) == len(lights)  # an SVG finds a colour's variable by its light value
    for many in (False, True):  # no figure has both
        markers = [shown.marker for name, shown in LOOKS.items() if at_once(name) == many]
        markers += [marker for *_, marker in SPARE_LOOKS]
        assert len(set(markers)) == len(markers)


FORMS = ("fastnn", "fastnn-epoch", "numpy", "jax-scan", "jax-scan-fast-math", "numba-expert")


@pytest.fixture(scope="module")
def strong(made_up) -> Results:
    """A run with peers of both forms, with a caveat, and with products alone."""
    results = made_up(implementations=FORMS, batch_sizes=(1, 512), threads=(1,), rounds=5)
    own = [cell for cell in results.cells if cell.implementation == "numpy"]
    for name, factor in (("products-numpy", 0.5), ("products-pytorch", 0.25)):
        results.floors += [
            replace(cell, implementation=name, samples=[factor * seconds for seconds in cell.samples]) for cell in own
        ]
    return results


def test_a_report_of_both_forms_and_of_products_alone(strong, tmp_path):
    render(strong, tmp_path)
    Page((tmp_path / "report.html").read_text())
    text = (tmp_path / "report.md").read_text()
    one, many = text.split("## Many steps in one call")
    assert "| Batch | fastnn | Tuned NumPy |" in one
    assert "| Batch | fastnn, epoch in one call | Expert Numba | JAX lax.scan | JAX lax.scan, fast-math |" in many
    assert "forms with a caveat too," in one  # in the verdict
    for name in ("throughput", "ratios", "share_of_peak"):
        assert f"figures/{name}.png" in text
        assert f"figures/{name}_many_steps.png" in text
    rows = re.findall(r"\| [^|]*, batch \d+, float32, 1 thread \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", text)
    frame = to_frame(strong)
    ratios = frame.loc[frame["implementation"] == "numpy", "ratio_to_fastnn"] / 4
    assert [row[2] for row in rows] == [f"{ratio:.2f}×" for ratio in ratios]  # noqa: RUF001
    assert "Dashed, without markers" in text
    assert "the fastest usual peer takes" in text
    peers = text.split("## Against each peer\n")[1]
    assert "JAX lax.scan, against single steps" in peers
    assert "no care for NaN and infinity" in peers
    console = Console(file=io.StringIO(), width=100)
    print_table(strong, console)
    assert "Many steps in one call" in console.file.getvalue()


def test_the_headline_has_the_strongest_peers_beside_the_usual_ones(strong):
    text = headline.headline([strong])
    (first, _) = (line for line in text.splitlines() if re.match(r"\| \d", line))
    found = summarize_cells([cell for cell in strong.cells if cell.model == strong.cells[0].model])
    usual, strongest = (tally.mean.value for tally in (found.fastest, found.strongest))
    assert f"| **{usual:.2f}" in first
    assert f"; strongest **{strongest:.2f}" in first
    assert "the fastest usual peer of each case" in text
    assert "against fastnn's epoch in one call" in text


def test_another_form_of_fastnn_is_no_peer_that_is_ahead(made_up, tmp_path):
    """Neither in the title nor by a ground, though it is faster than fastnn; a peer that is has one."""
    slower = {"fastnn": 0.1, "fastnn-steps": 0.01, "numpy": 1.0}
    run = made_up(implementations=tuple(slower), slower=slower, batch_sizes=(512,), threads=(1,))
    assert finding(summarize(run)) == "fastnn is faster than every peer in 2 of 2 cases"
    render(run, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert '<td class="fastest"' in page
    assert '<td class="ahead' not in page.split("Single calls</h2>")[0]
    run = made_up(implementations=tuple(slower), slower=slower | {"numpy": 0.001}, batch_sizes=(512,), threads=(1,))
    render(run, tmp_path)
    assert (tmp_path / "report.html").read_text().split("Single calls</h2>")[0].count('<td class="ahead fastest"') == 2


def test_products_alone_are_kept_in_the_file(strong, tmp_path):
    strong.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json").floors == strong.floors


@pytest.mark.parametrize("width", [80, 120, 200])
def test_terminal_table_fits_and_shows_every_cell(results, width):
    console = Console(file=io.StringIO(), width=width)
    print_table(results, console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for words in (
        "784-50-10 sigmoid SGD, float32, 2 threads",
        "8,192",
        "timed",
        "wrong",
        "died",
        "exit -9",
        "available",
    ):
        assert words in text
    assert text.index("fastnn is faster than the fastest peer") > text.rindex("8,192")


def test_terminal_leaves_out_columns_without_any_time_but_not_their_reason(results):
    changed = copy.deepcopy(results)
    for cell in changed.cells:
        if cell.implementation == "pytorch":
            cell.status, cell.reason, cell.samples = "missing", "No module named 'torch'", []
    console = Console(file=io.StringIO(), width=100)
    print_table(changed, console)
    assert "No module named 'torch'" in console.file.getvalue()


README = f"# Title\n\n{headline.BEGIN}\nstale words\n{headline.END}\n\nThe rest.\n"


def test_headline_is_rewritten_between_its_markers(results, made_up, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README)
    assert not headline.is_current(readme, [results])
    assert headline.update_readme(readme, [results])
    text = readme.read_text()
    assert text.startswith("# Title\n\n<!--")
    assert text.endswith("<!-- headline:end -->\n\nThe rest.\n")
    assert "stale words" not in text
    assert headline.is_current(readme, [results])
    assert not headline.update_readme(readme, [results])
    assert not headline.is_current(readme, [made_up(seed=1)])
    assert not headline.is_current(readme, [results, results])
    mean = re.search(r"\*\*(\d\.\d\d)", text)
    readme.write_text(text.replace(mean[1], "9.99"))
    assert not headline.is_current(readme, [results])


def test_headline_has_a_row_per_model_and_a_column_per_run(results, made_up):
    """On one thread: a mean of the ratios in the report; what a run lacks is said."""
    short = made_up(models=MODELS[:1], threads=(1,))
    text = headline.headline([short, results])
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    models = list(dict.fromkeys((cell.model, cell.model_label) for cell in results.cells))
    first_table = [row for row in rows if len(row) == 3]
    assert [row[0] for row in first_table] == [f"| {label}" for _, label in models]
    rows = first_table
    assert [row[1] for row in rows[1:]] == ["not measured"] * (len(models) - 1)
    for (model, _), row in zip(models, rows, strict=True):
        mean = summarize_cells(_one_thread(results, model)).fastest.mean.value
        assert f"**{mean:.2f}" in row[2]
    assert "geometric mean over batch sizes 1, 8, 32, 128, 512, 2,048 and 8,192, and in brackets" in text
    assert "Batch sizes" not in text
    assert "Cells without a time" in text


def test_the_headline_has_the_batch_sizes_of_each_run_where_they_differ(results, made_up, strong):
    text = headline.headline([strong, results, made_up(batch_sizes=(32,), threads=(1,))])
    assert "geometric mean over the batch sizes of the run, which stand below, and in brackets" in text
    notes = [line for line in text.splitlines() if line.startswith("- ")]
    expected = ("Batch sizes 1 and 512. ", "Batch sizes 1, 8, 32, 128, 512, 2,048 and 8,192. ", "Batch size 32. ")
    assert all(f": {words}" in note for note, words in zip(notes, expected, strict=True))


def test_the_headline_says_what_a_caveat_is_where_there_is_one(results, strong):
    assert "With a caveat: may change NaN" in headline.headline([results, strong])
    assert "With a caveat" not in headline.headline([results])


def test_the_headline_counts_every_case_and_every_call(results, strong):
    """A row for each kind of peer: faster, unclear, slower, the mean and the extremes; below it where it loses."""
    lines = headline.headline([strong, results]).splitlines()
    summary = summarize(strong)
    calls = [summarize_cells(run.calls).fastest for run in (strong, results)]
    tallies = [summary.fastest, summary.strongest, summary.any_form, calls[0], summarize(results).fastest, calls[1]]
    rows = [line.strip("| ").split(" | ") for line in lines[lines.index("") :] if line.startswith("| ")][2:]
    assert len(rows) == len(tallies)
    for row, tally in zip(rows, tallies, strict=True):
        won, unclear, slower = (len(tally.with_verdict(kind)) for kind in (FASTER, UNCLEAR, SLOWER))
        assert row[2:5] == [f"{won} of {tally.cases}", str(unclear), str(slower)]
        assert row[5].startswith(f"**{tally.mean.value:.2f}")
        assert row[6] == " to ".join(f"{value:.2f}" if value < 9.995 else f"{value:.3g}" for value in tally.extremes)
    names = [row[1] for row in rows]
    assert names == [
        "fastest usual peer",
        "strongest equal peer",
        "strongest peer, forms with a caveat too",
        "single calls, fastest peer, 1 thread",
        "fastest peer",
        "single calls, fastest peer, 1 thread",
    ]
    slower = summary.strongest.with_verdict(SLOWER)
    assert ("It loses in" in lines[-2]) == bool(slower)


def test_headline_says_where_fastnn_is_not_faster(results):
    changed = copy.deepcopy(results)
    for cell in changed.cells:
        if cell.implementation == "fastnn" and cell.batch_size == 1 and cell.threads == 1:
            cell.samples = [1000 * sample for sample in cell.samples]
    models = list(dict.fromkeys(cell.model for cell in changed.cells))
    won = [len(summarize_cells(_one_thread(changed, model)).fastest.with_verdict("faster")) for model in models]
    lines = [line for line in headline.headline([changed]).splitlines() if re.match(r"\| \d", line)]
    for line, count in zip(lines, won, strict=True):
        assert count < 7
        assert f"faster in {count} of 7 |" in line
    for cell in changed.cells:
        if cell.implementation == "fastnn":
            cell.status, cell.reason, cell.samples = "died", "exit -9", []
    assert headline.headline([changed]).count("| no time |") == len(models)


def _one_thread(results, model):
    return [cell for cell in results.cells if cell.model == model and cell.threads == 1]


@pytest.mark.parametrize("text", ["", headline.BEGIN, headline.END + headline.BEGIN, README * 2])
def test_headline_refuses_a_readme_without_one_pair_of_markers(text):
    with pytest.raises(headline.HeadlineError, match="exactly one"):
        headline.replace_block(text, "new")


def test_memory_is_compared_within_each_model(results):
    """A peer that trains only small models is not leaner for that."""
    changed = copy.deepcopy(results)
    largest = max(cell.batch_size for cell in changed.cells)
    models = sorted({cell.model for cell in changed.cells})
    for cell in changed.cells:
        size = 10 ** (3 + models.index(cell.model))
        cell.peak_memory = size if cell.implementation == "fastnn" else 2 * size
    threads = len({cell.threads for cell in changed.cells})
    cases = threads * len(models)
    assert title_of_memory(changed).endswith(
        f"at batch {largest:,}: fastnn needs the least in {cases} of {cases} cases"
    )
    for cell in changed.cells:
        if cell.model == models[0] and cell.implementation == "fastnn":
            cell.peak_memory *= 3
    assert title_of_memory(changed).endswith(f"in {cases - threads} of {cases} cases")


def title_of_memory(results: Results) -> str:
    (drawing,) = [d for d in figures.draw_all(results, to_frame(results), summarize(results)) if d.name == "memory"]
    return drawing.title


@pytest.fixture(scope="module")
def held(made_up) -> Results:
    """A run held to AVX2, with one peer that was not, and one of which nobody knows."""
    answers = [
        Vectors("fastnn", {"Numba": "haswell, a loop in ymm"}, False),
        Vectors("numpy", {}, None, "died on the way"),
        Vectors("jax", {"XLA": "products with AVX-512"}, True),
        Vectors("keras-jax", {}, None, "not installed"),  # and so without a time
    ]
    return made_up(batch_sizes=(8,), threads=(1,), isa="avx2", vectors=answers)


def test_the_width_stands_wherever_the_result_does(held, results, tmp_path):
    render(held, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "Imaginary Processor 7 @ 3.00GHz · held to AVX2 · 1 thread" in text
    titles = re.findall(r"^### (.* fastnn.*)$", text, re.MULTILINE)
    assert len(titles) > 3
    assert all(title.endswith(", held to AVX2") for title in titles)
    assert "| fastnn | Numba: haswell, a loop in ymm | no |" in text
    assert "| Tuned NumPy | died on the way | not known |" in text
    assert "| JAX | XLA: products with AVX-512 | YES |" in text
    assert "held to AVX2 by their own switches, but JAX used AVX-512 all the same" in text
    assert "With a caveat: JAX, which used wider vectors than the others were held to." in text
    assert "Not known whether held to AVX2: Tuned NumPy." in text
    assert "held to AVX2</h1>" in (tmp_path / "report.html").read_text()
    assert "held to AVX2" in headline.headline([held]).splitlines()[0]
    assert "held to" not in headline.headline([results])


def test_who_used_wider_vectors_is_not_the_fastest_peer(held):
    """JAX has the lowest time of each case, once it is a hundred times as fast."""
    run = copy.deepcopy(held)
    for cell in run.cells:
        if cell.implementation == "jax":
            cell.samples = [seconds / 100 for seconds in cell.samples]
    summary = summarize(run)
    assert all(contest.peer.implementation != "jax" for contest in summary.fastest.contests)
    assert {contest.peer.implementation for contest in summary.any_form.contests} == {"jax"}
    assert any("forms with a caveat" in said and "JAX" not in said for said in sentences(summary))
    assert "JAX" in next(said for said in sentences(summary) if said.startswith("It loses in"))
    run.vectors = []
    assert {contest.peer.implementation for contest in summarize(run).fastest.contests} == {"jax"}
