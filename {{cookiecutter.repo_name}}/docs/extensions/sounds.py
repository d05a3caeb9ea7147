"""Sounds for a page, made when it is built: what stands there as `<!-- sounds -->` becomes players
of the sample's first test snippet, of its sources, and of what the shipped model makes of it.
"""

import tempfile
from pathlib import Path

import marks
import numpy as np
import soundfile
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PROJECT = Path(__file__).parents[2]
FOLDER = "_sounds"  # of the site
PLAYER = (
    "<figure><figcaption>{}</figcaption>"
    '<audio controls preload="metadata" src="{}"></audio></figure>'
)


def setup(app: Sphinx) -> dict[str, bool]:
    marks.add(app, "sounds", Sounds)
    return {"parallel_read_safe": True}


class Sounds(SphinxDirective):
    """A player for each of the sounds."""

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.app.outdir) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        up = "../" * self.env.docname.count("/")
        players = []
        sounds, rate = made()
        for name, sound in sounds.items():
            file = f"{name.replace(' ', '-')}.flac"
            soundfile.write(folder / file, sound.T, rate, subtype="PCM_16")
            players.append(PLAYER.format(name, f"{up}{FOLDER}/{file}"))
        return [nodes.raw("", f'<div class="sounds">{"".join(players)}</div>', format="html")]


def made() -> tuple[dict[str, np.ndarray], int]:
    """({name: (channels, samples)}, sample rate): the mixture, and each source as it was and as it
    was separated."""
    import config
    from dataset import Sample
    from separation import load

    signal = config.load(PROJECT / "best_model" / "config.yml").signal
    with tempfile.TemporaryDirectory() as folder:
        sample = Sample(folder, "test", signal.sample_rate, signal.num_channels, None, num_songs=1)
        item = sample[0]
    mixture = item["mix"].audio_data
    stems = {name: source.audio_data for name, source in item["sources"].items()}
    separated = load(PROJECT / "best_model", "cpu")(mixture, signal.sample_rate)
    sounds = {"mixture": mixture}
    for name in stems:
        sounds |= {f"{name} separated": separated[name], f"{name} as mixed": stems[name]}
    return sounds, signal.sample_rate
