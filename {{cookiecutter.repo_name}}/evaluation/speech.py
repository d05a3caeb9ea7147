"""Scores of speech by packages that are installed only where they are wanted."""

import importlib

from files import UserError

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
    """Short-time objective intelligibility, up to 1; the mean over the channels.

    Taal, Hendriks, Heusdens and Jensen, "An algorithm for intelligibility prediction of
    time-frequency weighted noisy speech", TASLP 2011.

    Args:
        estimate, reference: (channels, samples).
    """
    measure = require("stoi").stoi
    scores = [measure(r, e, sample_rate) for e, r in zip(estimate, reference, strict=True)]
    return float(sum(scores) / len(scores))


def pesq(estimate, reference, sample_rate):
    """Perceptual evaluation of speech quality, about 1 to 4.6; the mean over the channels.

    ITU-T P.862.2 (wide band) at 16 kHz, P.862 at 8 kHz.

    Args:
        estimate, reference: (channels, samples).

    Raises:
        UserError: another sample rate; no speech found.
    """
    package = require("pesq")
    if sample_rate not in PESQ_MODES:
        raise UserError(
            f"evaluate.metrics: pesq is defined at 8000 and 16000 Hz, signal.sample_rate is "
            f"{sample_rate}"
        )
    try:
        scores = [
            package.pesq(sample_rate, r, e, PESQ_MODES[sample_rate])
            for e, r in zip(estimate, reference, strict=True)
        ]
    except package.PesqError as error:
        raise UserError(f"PESQ has no score ({error})") from error
    return float(sum(scores) / len(scores))
