"""The pages: links, spelling, numbers with their commands, and the site without a warning."""

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile
from conftest import FOLDER, REPOSITORY, files_of
from cookiecutter.main import cookiecutter
from PIL import Image

LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGES = [file for file in files_of(REPOSITORY) if file.endswith(".md")]


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name):
    page, wrong = REPOSITORY / name, []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / unquote(path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def test_every_page_that_a_project_names_comes_with_it(project):
    named = set()
    for file in files_of(REPOSITORY / FOLDER):
        if file.endswith((".py", ".yml", ".md", "Makefile")):
            text = (project / file).read_text(encoding="utf-8")
            named |= set(re.findall(r"\bdocs/[\w-]+\.md", text))
    assert "docs/data.md" in named
    assert [name for name in sorted(named) if not (project / name).exists()] == []


BUILD = ("python", "-m", "sphinx", "-q", "-W", "-c", "docs", "docs", "output/docs")
# a link, or a file that a page loads, from another machine
LOADED = re.compile(r"""<(?:script|link|img)[^>]*(?:src|href)=["'](?:https?:)?//""")


@pytest.fixture(scope="module")
def site(template, tmp_path_factory, run):
    """The folder of a built site, of a project to which its owner has added a loss."""
    project = Path(
        cookiecutter(
            str(template),
            no_input=True,
            default_config=True,
            output_dir=str(tmp_path_factory.mktemp("site")),
        )
    )
    losses = project / "training" / "losses" / "__init__.py"
    text = losses.read_text(encoding="utf-8")
    losses.write_text(
        f'{text}\n\nclass MyOwnLoss(L1Loss):\n    """Half of |x|."""\n\n\n'
        "LOSSES['MyOwnLoss'] = MyOwnLoss\n",
        encoding="utf-8",
    )
    code, said = run(*BUILD, cwd=project)
    assert code == 0 and "WARNING" not in said, said
    return project / "output" / "docs"


def test_the_site_has_every_page_that_its_index_lists(site):
    listed = re.findall(r"\]\(([\w/-]+)\.md\)", (REPOSITORY / FOLDER / "docs/index.md").read_text())
    assert len(listed) > 15
    assert [name for name in listed if not (site / f"{name}.html").exists()] == []


def test_the_reference_holds_the_classes_of_the_registries_and_your_own(site):
    for page, name in (("losses", "SISDRLoss"), ("losses", "MyOwnLoss"), ("datasets", "MUSDB18")):
        assert f"{name}</span>" in (site / "reference" / f"{page}.html").read_text(), name
    for page, name in (("networks", "conv_tasnet"), ("scripts", "dry_run")):
        assert name in (site / "reference" / f"{page}.html").read_text(), name


def test_every_network_is_drawn_with_the_shapes_that_its_sizes_give(site):
    page = (site / "networks.html").read_text(encoding="utf-8")
    drawn = dict(
        re.findall(r'<svg role="img"[^>]*aria-label="The network of (\w+).yml: ([^"]*)"', page)
    )
    project = site.parents[1]
    small = {path.stem for path in (project / "experiments").glob("*_small.yml")}
    assert len(small) == 10 and set(drawn) == small
    reference = (site / "reference" / "networks.html").read_text(encoding="utf-8")
    assert all(name.removesuffix("_small") in reference for name in small)
    # 1 s at 8 kHz: 8000 / 16 + 1 frames of 128 filters and two masks; 8000 / 64 + 1 of 129 bins
    assert "encoder 501 × 128 × 1, " in drawn["conv_tasnet_small"]
    assert "mask 501 × 128 × 1 × 2, " in drawn["conv_tasnet_small"]
    assert "embedding 126 × 129 × 1 × 20" in drawn["deep_clustering_small"]
    assert drawn["tf_gridnet_small"].endswith("audio 1 × 8000 × 2")


def test_the_sounds_of_the_site_are_a_mixture_its_sources_and_better_estimates(site):
    page = (site / "sample.html").read_text(encoding="utf-8")
    files = re.findall(r'<audio controls preload="metadata" src="([^"]+)"', page)
    sounds = {Path(file).stem: soundfile.read(site / file)[0] for file in files}
    mixture = sounds.pop("mixture")
    assert len(sounds) == 4 and len(mixture) == 4 * 16000
    voice, music = sounds["vocals-as-mixed"], sounds["accompaniment-as-mixed"]
    assert np.abs(voice + music - mixture).max() <= 2 / 2**15
    for name, true in (("vocals", voice), ("accompaniment", music)):
        error = sounds[f"{name}-separated"] - true
        assert (error**2).sum() < 0.5 * ((mixture - true) ** 2).sum()


def test_the_site_needs_no_network(site):
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 25
    assert [page for page in pages if LOADED.search(page.read_text(encoding="utf-8"))] == []
    assert not [page for page in site.rglob("*.css") if "@import" in page.read_text()]
    assert (
        "MyOwnLoss" in (site / "searchindex.js").read_text()
        or "myownloss" in (site / "searchindex.js").read_text()
    )


def test_no_page_scrolls_sideways_on_a_phone_and_a_dark_page_shows_no_white_plot(site, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / FOLDER / "tests")
    from webdriver import Browser

    browser = Browser()
    try:
        browser.appear(400, 900, "dark")
        for name in ("index", "design", "networks", "data", "reference/losses", "pipelines"):
            browser.open(site / f"{name}.html")
            wide = "return document.documentElement.scrollWidth - innerWidth"
            assert browser.run(wide) <= 0, name
        plot = "return getComputedStyle(document.querySelector('article img')).filter"
        assert "invert" in browser.run(plot)
    finally:
        browser.close()


def test_names_of_code_in_tables_break_where_words_begin_and_files_keep_their_extension(site):
    page = (site / "models.html").read_text(encoding="utf-8")
    for name in ("mask_<wbr>inference_<wbr>small.yml", "Deep<wbr>Mask<wbr>Estimation"):
        assert f'<span class="pre">{name}</span>' in page


def test_a_link_that_leads_nowhere_stops_the_build(bake, run):
    project = bake()
    (project / "docs" / "design.md").write_text("# Design\n\n[there](data.md#no-such-heading)\n")
    code, said = run(*BUILD, "-D", "extensions=myst_parser,pages", cwd=project)  # without torch
    assert code != 0 and "no-such-heading" in said


def test_the_layers_in_the_page_on_design_are_those_of_the_imports(run):
    house = REPOSITORY / FOLDER / "docs" / "extensions" / "house.py"
    code = "import house; text = house.PAGE.read_text(); assert house.written_out(text) == text"
    status, said = run("python", "-c", code, cwd=house.parent)
    assert status == 0, f"run `python docs/extensions/house.py` in the project {said}"
    assert text_of_the_page("design.md").count("`scripts/`") == 1
    assert re.search(r"^\| 0 \| `errors.py` \|", text_of_the_page("design.md"), re.M)


def text_of_the_page(name):
    return (REPOSITORY / FOLDER / "docs" / name).read_text(encoding="utf-8")


MEASURED = re.compile(r"\d dB\b|\bof the (?:time|memory)\b|\d (?:s|GB)\b|\d\.\d+ \(-?\d")
REPRODUCES = re.compile(r"`(?:\w+=\S+ )?(?:python -m|make) |^    (?:\w+=\S+ )*python -m ", re.M)


def without_a_command(folder, text):
    """The paragraphs and list items with measured numbers that no command stands beside: in them,
    in the paragraph before a table, or in a page that they link to."""
    before, found = "", []
    for part in re.split(r"\n\s*\n|\n(?=- )", text):
        sources = [part, before if part.startswith("|") else ""]
        linked = [unquote(link.partition("#")[0]) for link in LINK.findall(part)]
        pages = [folder / link for link in linked if link.endswith(".md")]
        sources += [page.read_text(encoding="utf-8") for page in pages]
        if MEASURED.search(part) and not any(map(REPRODUCES.search, sources)):
            found.append(part)
        before = part
    return found


def test_a_command_stands_beside_every_measured_number_of_the_readme():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert MEASURED.search(text)
    assert without_a_command(REPOSITORY, text) == []


def test_a_number_without_a_command_is_found():
    wrong = "Fast: 0.3 of the time.\n\n- it gains 7 dB\n- 5 dB (`python -m scripts.evaluate -p x`)"
    assert len(without_a_command(REPOSITORY, wrong)) == 2


SCORE = re.compile(r"(-?\d+\.\d+)(?: dB)? \((-?\d+\.\d+) to (-?\d+\.\d+)\)")
CARDS = [REPOSITORY / FOLDER / name / "README.md" for name in ("best_model", "speech_model")]


def scores_of(card):
    """{(improvement, lower, upper)} of the evaluation that lies beside a model card."""
    summary = (card.parent / "evaluation" / "test" / "table.md").read_text(encoding="utf-8")
    number = r"(-?\d+\.\d+)"
    row = re.compile(rf"\| +{number} \| +{number} to +{number} \|$", re.M)
    return {tuple(map(float, numbers)) for numbers in row.findall(summary)}


def unknown_scores(text, known):
    """The improvements with intervals in a text that round to none of the known ones."""
    found = []
    for score in SCORE.findall(text):
        digits = [len(number.partition(".")[2]) for number in score]
        rounded = {tuple(map(round, one, digits)) for one in known}
        if tuple(map(float, score)) not in rounded:
            found.append(score)
    return found


def test_the_scores_of_the_readme_are_those_of_evaluations_and_model_cards():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    cards = [card.read_text(encoding="utf-8") for card in CARDS]
    printed = {tuple(map(float, score)) for card in cards for score in SCORE.findall(card)}
    evaluated = set().union(*map(scores_of, CARDS))
    assert len(SCORE.findall(text)) >= 19
    assert unknown_scores(text, printed | evaluated) == []
    mean, *interval = SCORE.findall(text)[0]
    wrong = text.replace(mean, "99.99", 1)
    assert unknown_scores(wrong, printed | evaluated) == [("99.99", *interval)]


def test_the_picture_of_the_readme_is_drawn_with_the_shipped_checkpoint():
    checkpoint = CARDS[0].parent / "checkpoints" / "best.model.pth"
    with Image.open(REPOSITORY / "docs" / "images" / "viz.png") as picture:
        assert picture.info["Checkpoint"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()


@pytest.mark.parametrize("page", ["best_model/README.md", "docs/sample.md"])
def test_the_synthesised_scores_of_a_page_are_those_of_the_evaluation(page):
    text = (REPOSITORY / FOLDER / page).read_text(encoding="utf-8")
    table = text[text.index("| synthesised | vocals") :].split("\n\n")[0]
    assert len(SCORE.findall(table)) >= 8
    assert unknown_scores(table, scores_of(CARDS[0])) == []


def test_the_pages_are_spelt_as_a_dictionary_of_misspellings_says(run):
    pytest.importorskip("codespell_lib")
    shown = "repet,projet,wieght"  # an algorithm, another one, and a mistake in an example
    pages = [REPOSITORY / name for name in PAGES]
    code, said = run("python", "-m", "codespell_lib", "-L", shown, *pages, cwd=REPOSITORY)
    assert code == 0, said


def test_the_pages_are_clean_by_a_linter_of_markdown(run):
    pytest.importorskip("pymarkdown")
    pages = [name for name in PAGES if "/evaluation/" not in name]  # tables of scores alone
    code, said = run("python", "-m", "pymarkdown", "scan", *pages, cwd=REPOSITORY)
    assert code == 0, said
