"""Plays drum parts of the built-in composer on recorded drum kits in Hydrogen's format."""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

import audio
from errors import UserError

# {drum: pattern}: an instrument is the first drum whose pattern is found in its name.
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
# {drum that a kit lacks: drum that replaces it}
SUBSTITUTES = {"open": "hat", "ride": "hat", "crash": "ride", "tom1": "tom2", "tom2": "tom1"}
LONGEST = 3.0  # seconds of a recording that are used


class Layer(NamedTuple):
    """A recording of a drum for velocities from `lowest` to `highest` (0 to 1); gain: a factor."""

    path: Path
    lowest: float
    highest: float
    gain: float


class Drumkit:
    """A drum kit of Hydrogen.

    Args:
        path: of its drumkit.xml, which is in the same folder as the recordings.
        sample_rate: in Hz, of what it plays.

    Raises:
        UserError: the file cannot be read, or has no kick or no snare.
    """

    def __init__(self, path, sample_rate):
        self.sample_rate = sample_rate
        try:
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError) as error:
            raise UserError(f"{path}: is not a drum kit of Hydrogen ({error})") from error
        for element in root.iter():  # some files have a namespace, which is removed
            element.tag = element.tag.rpartition("}")[2]
        self.instruments = {}  # {drum: [[Layer] of an instrument]}
        for instrument in root.iter("instrument"):
            drum = _drum_of(instrument.findtext("name") or "")
            layers = [
                Layer(
                    path.parent / layer.findtext("filename"),
                    float(layer.findtext("min") or 0),
                    float(layer.findtext("max") or 1),
                    float(layer.findtext("gain") or 1),
                )
                # in old files an instrument has its file itself, in newer ones it has layers
                for layer in (instrument, *instrument.iter("layer"))
                if (path.parent / (layer.findtext("filename") or "absent")).is_file()
            ]
            if drum and layers:
                self.instruments.setdefault(drum, []).append(layers)
        if not {"kick", "snare"} <= set(self.instruments):
            raise UserError(
                f"{path}: has no kick or no snare, but {', '.join(self.instruments) or 'nothing'}"
            )

    def play(self, hits, start, seconds, rng):
        """Play a part of a beat.

        Args:
            hits: [`songs.score.Hit`]; hits of drums that the kit lacks are not played.
            start, seconds: the part to play.
            rng: numpy's Generator; chooses once which of the kit's snares, kicks etc. is played.

        Returns:
            float32 (samples,).
        """
        chosen = {
            drum: layers[rng.integers(len(layers))] for drum, layers in self.instruments.items()
        }
        output = np.zeros(int(seconds * self.sample_rate), np.float32)
        recordings = {}  # {path: float32 (samples,)}
        for hit in hits:
            drum = hit.drum
            while drum in SUBSTITUTES and drum not in chosen and SUBSTITUTES[drum] != hit.drum:
                drum = SUBSTITUTES[drum]
            first = round((hit.start - start) * self.sample_rate)
            if drum not in chosen or not 0 <= first < len(output):
                continue
            layer = _layer_for(chosen[drum], hit.velocity)
            if layer.path not in recordings:
                length = round(LONGEST * self.sample_rate)
                sound = audio.read_excerpt(layer.path, self.sample_rate, 1, 0, length)[0]
                recordings[layer.path] = layer.gain * sound
            sound = recordings[layer.path][: len(output) - first]
            output[first : first + len(sound)] += sound * np.float32(hit.velocity**1.5)
        return output


def _drum_of(name):
    """The drum that an instrument's name means, or None."""
    for drum, pattern in DRUMS.items():
        if re.search(pattern, name, re.IGNORECASE):
            return drum
    return None


def _layer_for(layers, velocity):
    """The layer for a velocity, or else the one with the nearest highest velocity."""
    for layer in layers:
        if layer.lowest <= velocity <= layer.highest:
            return layer
    return min(layers, key=lambda layer: abs(layer.highest - velocity))
