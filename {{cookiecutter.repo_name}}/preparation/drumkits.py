"""Recorded drum kits in Hydrogen's format, which play the beats of the built-in composer."""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

import audio
from errors import UserError

# An instrument is the first of these whose pattern is found in its name.
DRUMS = {
    "open": r"(hh|hat).*op|op\w* ?(hh|hat)|ohh",
    "hat": r"hh|hat",
    "ride": r"ride",
    "crash": r"crash|cymbal|china",
    "clap": r"clap",
    "snare": r"snare",
    "tom2": r"tom.*(low|lo\b|floor)|(low|floor).*tom",
    "tom1": r"tom",
    "kick": r"kick|bass ?drum",
    "shaker": r"shaker|cabasa|maracas",
}
# Which drum replaces one that a kit lacks.
INSTEAD = {"open": "hat", "ride": "hat", "crash": "ride", "tom1": "tom2", "tom2": "tom1"}
LONGEST = 3.0  # seconds of one sound


class Layer(NamedTuple):
    """A recording of a drum, for velocities from `least` to `most`."""

    path: Path
    least: float
    most: float
    gain: float


class Drumkit:
    """The recordings that a drumkit.xml of Hydrogen names, by drum.

    Args:
        path: of the drumkit.xml, beside its recordings.
        sample_rate: in Hz.

    Raises:
        UserError: the file cannot be read, or names no kick or no snare.
    """

    def __init__(self, path, sample_rate):
        self.sample_rate = sample_rate
        try:
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError) as error:
            raise UserError(f"{path}: is not a drum kit of Hydrogen ({error})") from error
        for element in root.iter():  # some name a namespace, others none
            element.tag = element.tag.rpartition("}")[2]
        self.instruments = {}  # {drum: [[Layer]]}
        for instrument in root.iter("instrument"):
            drum = _drum_of(instrument.findtext("name") or "")
            layers = [
                Layer(
                    path.parent / layer.findtext("filename"),
                    float(layer.findtext("min") or 0),
                    float(layer.findtext("max") or 1),
                    float(layer.findtext("gain") or 1),
                )
                for layer in (instrument, *instrument.iter("layer"))  # layers came later
                if (path.parent / (layer.findtext("filename") or "absent")).is_file()
            ]
            if drum and layers:
                self.instruments.setdefault(drum, []).append(layers)
        if not {"kick", "snare"} <= set(self.instruments):
            raise UserError(
                f"{path}: has no kick or no snare, but {', '.join(self.instruments) or 'nothing'}"
            )

    def play(self, hits, start, seconds, rng):
        """`seconds` of a beat from `start`: float32 (samples,), mono.

        Args:
            hits: `songs.score.Hit`s; drums that the kit lacks are left out.
            rng: chooses between the kit's snares, kicks and so on; once a beat.
        """
        chosen = {
            drum: layers[rng.integers(len(layers))] for drum, layers in self.instruments.items()
        }
        made = np.zeros(int(seconds * self.sample_rate), np.float32)
        read = {}
        for hit in hits:
            drum = hit.drum
            while drum in INSTEAD and drum not in chosen and INSTEAD[drum] != hit.drum:
                drum = INSTEAD[drum]
            first = round((hit.start - start) * self.sample_rate)
            if drum not in chosen or not 0 <= first < len(made):
                continue
            layer = _layer_for(chosen[drum], hit.velocity)
            if layer.path not in read:
                length = round(LONGEST * self.sample_rate)
                sound = audio.read_excerpt(layer.path, self.sample_rate, 1, 0, length)[0]
                read[layer.path] = layer.gain * sound
            sound = read[layer.path][: len(made) - first]
            made[first : first + len(sound)] += sound * np.float32(hit.velocity**1.5)
        return made


def _drum_of(name):
    found = (drum for drum, pattern in DRUMS.items() if re.search(pattern, name, re.IGNORECASE))
    return next(found, None)


def _layer_for(layers, velocity):
    fitting = [layer for layer in layers if layer.least <= velocity <= layer.most]
    return (fitting or [min(layers, key=lambda layer: abs(layer.most - velocity))])[0]
