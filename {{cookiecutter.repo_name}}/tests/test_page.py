"""The listening page, in a headless chromium: it plays, keeps its place, sorts, and fits."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from webdriver import Browser

from compat import nussl
from report import listening_page, page_item
from report.listening import PARTS

RATE = 8000
PARAMS = nussl.STFTParams(256, 64, "sqrt_hann")
SECONDS = 20.0  # long enough that nothing ends while a busy machine takes its time
NASTY = "</script>&<!--<script>\u2028"


def signal(hertz, level=0.3):
    time = np.arange(int(SECONDS * RATE)) / RATE
    data = level * np.sin(2 * np.pi * hertz * time)[None]
    return nussl.AudioSignal(audio_data_array=data, sample_rate=RATE, stft_params=PARAMS)


def item(number, name):
    tones = [signal(300), signal(1000)]
    mix = tones[0] + tones[1]
    mix.stft_params = PARAMS
    bins, frames = mix.stft().shape[:2]
    low = np.zeros((bins, frames))
    low[:20] = 1
    embedding = np.stack([low, 1 - low, 0.1 * np.ones_like(low)], axis=-1)
    tracks = [
        {
            "label": label,
            "kind": kind,
            "source": source,
            "signal": tones[source],
            "scores": "SI-SDR 9.0 dB",
        }
        for source, label in enumerate(("bass", "vo<c>als"))
        for kind in ("reference", "estimate")
    ]
    masks = [("bass", 0, low), ("vo<c>als", 1, 1 - low)]
    return page_item(number, name, mix, tracks, masks, embedding, None, (1 - low).astype(int))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    gains = {"a1": 3.0, "a2": -1.5, "a3": 12.25, "a10": None, NASTY: 7.0}
    items = [item(0, "a3"), item(1, NASTY)]
    numbers = {"a3": 0, NASTY: 1}
    table = [
        {"name": name, "number": numbers.get(name), "scores": {"Improvement, dB": gain, "x": gain}}
        for name, gain in gains.items()
    ]
    head = ["method", "source", "n", "SI-SDR dB"]
    summary = ([head, ["mixture", "bass", "5", "0.00"], ["Own", "bass", "5", "9.00"]], "Own")
    text = listening_page("A <title>", {"Checkpoint": "0" * 64}, items, table, summary, ["Mind!"])
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium, page):
    chromium.appear(1280, 900, "light")
    chromium.open(page)
    return chromium


PLAYER = "document.querySelector('.player').player"


def position(browser):
    return browser.run(f"return {PLAYER}.position()")


def gains(browser):
    return browser.run(f"return {PLAYER}.gains.map((gain) => Math.round(gain.gain.value))")


def test_the_page_needs_nothing_but_itself(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=[\"'](?!data:|#)", text)
    coded = r"\"(?:sound|png)\": \"[^\"]*\""
    assert "http" not in re.sub(coded, "", text)
    for part in PARTS.iterdir():
        text = part.read_text(encoding="utf-8")
        assert not [sign for sign in "%#{" if "{" + sign in text], part  # the template's own


def test_names_are_shown_as_they_are_and_never_run(browser):
    assert browser.run("return document.querySelector('h1').textContent") == "A <title>"
    names = browser.run("return [...document.querySelectorAll('tbody th')].map(x => x.textContent)")
    assert NASTY in names
    assert browser.run("return document.querySelectorAll('.track label').length") == 5
    assert "vo<c>als" in browser.run("return document.querySelector('fieldset').textContent")


def test_it_plays_and_stops_where_it_is_and_at_the_end(browser):
    browser.click(".play")
    browser.wait(lambda: position(browser) > 0.3, "it plays")
    assert browser.run("return document.querySelector('.play').textContent") == "Pause"
    browser.click(".play")
    here = position(browser)
    assert 0.3 < here < SECONDS and position(browser) == here
    browser.run(f"{PLAYER}.seek({SECONDS - 0.3})")
    browser.click(".play")
    browser.wait(lambda: browser.run(f"return {PLAYER}.began === null"), "it stops at the end")
    assert position(browser) == SECONDS
    assert browser.run("return document.querySelector('.clock').textContent") == "0:20.0 / 0:20.0"


def test_solo_switches_without_losing_position_and_one_is_audible(browser):
    browser.click(".play")
    browser.wait(lambda: position(browser) > 0.2, "it plays")
    assert gains(browser) == [1, 0, 0, 0, 0]
    began = browser.run(f"return {PLAYER}.began")
    sources = browser.run(f"{PLAYER}.kept = {PLAYER}.sources; return {PLAYER}.sources.length")
    assert sources == 5
    for number in (2, 4, 1):
        before = position(browser)
        browser.click(f".track:nth-of-type({number + 1}) input")
        browser.wait(lambda n=number: gains(browser)[n] == 1, "it is audible")
        assert sum(gains(browser)) == 1
        assert browser.run(f"return {PLAYER}.began") == began  # the same clock
        assert browser.run(f"return {PLAYER}.kept === {PLAYER}.sources")  # nothing was restarted
        assert position(browser) >= before
    browser.run(f"{PLAYER}.pause()")


def test_all_sounds_start_together_and_are_what_they_should_be(browser):
    browser.click(".play")
    browser.wait(lambda: position(browser) > 0.1, "it plays")
    lengths = browser.run(f"return {PLAYER}.buffers.map(b => Math.round(b.duration * 1000))")
    assert lengths == [int(1000 * SECONDS)] * 5
    # zero crossings of the decoded tones: 2 a period
    counted = browser.run(
        f"const buffers = {PLAYER}.buffers;"
        "const crossings = (r, d) => d.slice(1, r).filter((x, i) => (x >= 0) !== (d[i] >= 0));"
        "return buffers.map(b => crossings(b.sampleRate, b.getChannelData(0)).length)"
    )
    assert abs(counted[1] - 600) <= 2 and abs(counted[3] - 2000) <= 2
    browser.run(f"{PLAYER}.pause()")


def names(browser):
    return browser.run(
        "return [...document.querySelectorAll('table.sortable tbody th')].map(x => x.textContent)"
    )


def test_the_table_sorts_best_first_then_worst_and_by_name(browser):
    assert names(browser) == ["a3", NASTY, "a1", "a2", "a10"]  # no score: last
    browser.click("th[data-kind=number] button")
    assert names(browser) == ["a2", "a1", NASTY, "a3", "a10"]
    order = "return document.querySelector('th[data-kind=number]').getAttribute('aria-sort')"
    assert browser.run(order) == "ascending"
    said = "return document.getElementById('status').textContent"
    assert "the worst first" in browser.run(said)
    browser.click("th[aria-sort] button")
    browser.click("th[aria-sort] button")
    assert names(browser)[-4:] == ["a1", "a2", "a3", "a10"]
    assert browser.run(order) == "none"


def test_another_item_is_opened_and_the_first_falls_silent(browser):
    browser.click(".play")
    browser.wait(lambda: position(browser) > 0.1, "it plays")
    browser.run(f"window.first = {PLAYER}")
    browser.click("button[data-open='1']")
    assert browser.run("return window.first.began") is None
    assert browser.run("return document.activeElement.textContent") == NASTY
    assert browser.run("return document.querySelector('tr.now th').textContent") == NASTY


def test_the_keyboard_alone_is_enough(browser):
    browser.press(".play", "\ue007")  # Enter
    browser.wait(lambda: position(browser) > 0.1, "Enter plays")
    browser.press(".track input", "\ue015")  # arrow down: the next track
    browser.wait(lambda: gains(browser)[1] == 1, "an arrow solos the next")
    browser.press(".track:nth-of-type(2) input", " ")
    assert browser.run(f"return {PLAYER}.began") is None  # space pauses
    before = position(browser)
    browser.press("input[type=range]", "\ue014")  # arrow right: on by a tenth of a second
    assert position(browser) == pytest.approx(before + 0.1, abs=0.11) and position(browser) > before
    text = browser.run("return document.querySelector('input[type=range]').ariaValueText")
    assert text.endswith("of 20.0 seconds")


def test_everything_that_can_be_used_has_a_name_and_pictures_say_what_they_show(browser):
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    nameless = browser.run(
        "return [...document.querySelectorAll('button, input, img, canvas[role=img], section')]"
        ".filter(e => !(e.textContent.trim() || e.labels?.[0]?.textContent.trim()"
        " || e.getAttribute('aria-label') || e.alt)).map(e => e.outerHTML.slice(0, 80))"
    )
    assert nameless == []
    alts = browser.run("return [...document.querySelectorAll('img')].map(i => i.alt)")
    assert alts[0].startswith("mixture spectrogram") and alts[-1].startswith("mask of vo<c>als")
    assert browser.run("return document.documentElement.lang") == "en"


def test_the_pictures_of_one_item_are_open_and_its_plane_follows_the_scheme(chromium, tmp_path):
    text = listening_page("One", {}, [item(0, "only")])
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    chromium.appear(1280, 900, "light")
    chromium.open(tmp_path / "index.html")
    colours = """
        const canvas = document.querySelector("details[open] canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return [...new Set(data)].length > 9 && data.reduce((sum, x, i) => (sum + x * i) % 1e9, 0);
    """
    chromium.wait(lambda: chromium.run(colours), "the plane is drawn")
    light = chromium.run(colours)
    chromium.appear(1280, 900, "dark")
    chromium.wait(lambda: chromium.run(colours) not in (False, light), "it is drawn anew")


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read_in_either_scheme(browser, width, scheme):
    browser.appear(width, 900, scheme)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    contrasts = browser.run("""
        const luminance = (text) => {
          const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
            .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = (e) => {
          const colour = getComputedStyle(e).backgroundColor;
          return colour === "rgba(0, 0, 0, 0)" ? behind(e.parentElement) : colour;
        };
        const texts = "h1, h3, td, th, dt, dd, p, label span, button, figcaption";
        return [...document.querySelectorAll(texts)]
          .map((e) => [luminance(getComputedStyle(e).color), luminance(behind(e))])
          .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    """)
    assert min(contrasts) > 4.5  # WCAG 2, level AA


def test_high_frequencies_are_at_the_top_of_the_pictures():
    pictures = {one["alt"].split(",")[0]: one["png"] for one in item(0, "a")["pictures"]}
    mask = Image.open(io.BytesIO(base64.b64decode(pictures["mask of bass"]))).convert("L")
    shades = np.asarray(mask)  # the lowest 20 of 129 bins are of the bass
    assert (shades[-20:] == 255).all() and (shades[:-20] == 0).all()


def test_of_a_long_item_the_middle_is_played(monkeypatch):
    monkeypatch.setattr("report.listening.SECONDS", 2)
    content = item(0, "long")
    assert content["seconds"] == 2 and content["note"].startswith("2 s from 9.0 s of 20.0 s")
    assert len(json.dumps(content)) < 600_000
