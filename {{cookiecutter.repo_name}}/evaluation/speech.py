"""Scores of speech, by optional packages."""

import contextlib
import importlib
import warnings

import numpy as np

from errors import UserError

from .metrics import sounding

PACKAGES = {"stoi": "pystoi", "pesq": "pesq"}  # score: the package on the package index
PESQ_MODES = {8000: "nb", 16000: "wb"}  # sample rate: narrow or wide band


def require(name):
    """The package of a score.

    Raises:
        UserError: it is not installed.
    """
    package = PACKAGES[name]
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"evaluate.metrics: {name} needs the package {package}, which is not installed; "
            f"pip install {package}, or leave {name} out"
        ) from error


def stoi(estimate, reference, sample_rate):
    """Short-time objective intelligibility, up to 1; the mean over the channels in which the
    reference sounds. NaN if none of them has enough speech for it, 0.4 s without the pauses.

    Taal, Hendriks, Heusdens and Jensen, "An algorithm for intelligibility prediction of
    time-frequency weighted noisy speech", TASLP 2011.

    Args:
        estimate, reference: (channels, samples).
    """
    measure, scores = require("stoi").stoi, []
    for channel in np.flatnonzero(sounding(reference)):
        e, r = estimate[channel], reference[channel]
        with warnings.catch_warnings():  # of too little speech it warns, and gives 1e-5
            warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)
            with contextlib.suppress(RuntimeWarning):
                scores.append(measure(r, e, sample_rate))
    return float(sum(scores) / len(scores)) if scores else float("nan")


def pesq(estimate, reference, sample_rate):
    """Perceptual evaluation of speech quality, about 1 to 4.6; the mean over the channels.

    ITU-T P.862.2 (wide band) at 16 kHz, P.862 at 8 kHz. PESQ looks for utterances and compares
    these. A channel without utterances in the reference, or shorter than a quarter of a second, is
    left out of the mean; without any channel the score is NaN. Where only the estimate has no
    utterances, the channel gets 1, the lowest score.

    Args:
        estimate, reference: (channels, samples).

    Raises:
        UserError: another sample rate.
    """
    package = require("pesq")
    if sample_rate not in PESQ_MODES:
        raise UserError(
            f"evaluate.metrics: pesq is defined at 8000 and 16000 Hz, signal.sample_rate is "
            f"{sample_rate}"
        )
    scores = []
    for e, r in zip(estimate, reference, strict=True):
        score = _pesq_of_a_channel(package, e, r, sample_rate)
        if score is None and _pesq_of_a_channel(package, r, r, sample_rate) is not None:
            score = 1.0
        if score is not None:
            scores.append(score)
    return float(sum(scores) / len(scores)) if scores else float("nan")


def _pesq_of_a_channel(package, estimate, reference, sample_rate):
    """The package's score; None where it finds no utterance, or the audio is too short for it."""
    if not (reference.any() and estimate.any()):  # of silence it has an error of its own
        return None
    try:
        return package.pesq(sample_rate, reference, estimate, PESQ_MODES[sample_rate])
    except (package.NoUtterancesError, package.BufferTooShortError):
        return None
    except package.PesqError as error:
        text = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise UserError(f"PESQ has no score ({text})") from error
