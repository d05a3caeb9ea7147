"""Detects whether a folder of stems has a folder for each source or one for each track."""

from itertools import islice

import audio
from errors import UserError

from .folders import audio_files, folders, normalized

# common names of mixtures, in lower case
MIXTURES = ("mix", "mixture", "mixed", "mixes", "mixtures", "mixdown")
# common names of sources, in lower case
SOURCES = (
    "accompaniment",
    "background",
    "bass",
    "clean",
    "dialogue",
    "drum",
    "drums",
    "effects",
    "fx",
    "guitar",
    "guitars",
    "instrumental",
    "karaoke",
    "keys",
    "music",
    "noise",
    "other",
    "others",
    "percussion",
    "piano",
    "singing",
    "speech",
    "strings",
    "synth",
    "vocal",
    "vocals",
    "voice",
    "vox",
    *(f"{name}{number}" for name in ("s", "source", "speaker") for number in range(10)),
)
COMPARED = 8  # number of folders, and of files in each, whose lengths are compared


def is_mixture(name):
    """Is this (without suffix) a common name of a mixture?"""
    return name.casefold() in MIXTURES


def find_layout(places):
    """Detect the layout from the folders of the splits.

    Five rules are tried in this order, and the first that gives an answer decides:

    1. Folders or files have names of mixtures.
    2. Folders or files have names of sources.
    3. Folders or files have the same names in all splits: these are the sources.
    4. All files of one name are equally long (a track has one length, whatever the folder), or all
       files of one folder are.
    5. There are fewer folders than names of files, or fewer names of files: these are the sources.

    Args:
        places: [Path], the folders of the splits.

    Returns:
        ("stems" or "tracks", reason).

    Raises:
        UserError: no rule gives an answer.
    """
    splits = [_files_by_folder(place) for place in places]
    folder_names = {name for split in splits for name in split}
    file_names = {name for split in splits for name in _file_names(split)}
    for rule in (_by_mixtures, _by_sources, _by_splits, _by_lengths, _by_counts):
        if (found := rule(folder_names, file_names, splits)) is not None:
            return found
    raise UserError(
        f"{places[0]}: has folders {_some(folder_names)}, in each of them files "
        f"{_some(file_names)}; write layout: stems if the folders are sources, layout: tracks if "
        "they are tracks"
    )


def _files_by_folder(place):
    """{folder: {name: path}} of the folders in `place` that have audio files."""
    found = {normalized(folder.name): audio_files(folder) for folder in folders(place)}
    return {folder: files for folder, files in found.items() if files}


def _file_names(split):
    return {name for files in split.values() for name in files}


def _by_mixtures(folder_names, file_names, splits):
    in_folders, in_files = sum(map(is_mixture, folder_names)), sum(map(is_mixture, file_names))
    return _by_larger(in_folders, in_files, "the mixture's name")


def _by_sources(folder_names, file_names, splits):
    return _by_larger(_share(folder_names), _share(file_names), "names of sources")


def _share(names):
    """The share of the names that are common names of sources."""
    return sum(name.casefold() in SOURCES for name in names) / max(len(names), 1)


def _by_splits(folder_names, file_names, splits):
    if len(splits) < 2:
        return None
    common_folders = set.intersection(*map(set, splits))
    common_files = set.intersection(*map(_file_names, splits))
    if bool(common_folders) == bool(common_files):
        return None
    return _by_larger(len(common_folders), len(common_files), "the same in every split")


def _by_lengths(folder_names, file_names, splits):
    by_name, by_folder = {}, {}  # {(split, name): lengths in samples}
    for number, split in enumerate(splits):
        for folder, files in islice(split.items(), COMPARED):
            for name, path in islice(files.items(), COMPARED):
                try:
                    length = audio.info(path)[2]
                except UserError:  # reported when the tracks are listed
                    continue
                by_name.setdefault((number, name), set()).add(length)
                by_folder.setdefault((number, folder), set()).add(length)
    same_name = all(len(lengths) == 1 for lengths in by_name.values())
    same_folder = all(len(lengths) == 1 for lengths in by_folder.values())
    return _by_larger(same_name, same_folder, "files of one length")


def _by_counts(folder_names, file_names, splits):
    if not folder_names or not file_names:
        return "stems", "nothing found"
    if len(folder_names) == len(file_names):
        return None
    more_folders = len(folder_names) > len(file_names)
    if len(folder_names) == 1 or len(file_names) == 1:  # a single source cannot be separated
        return "stems" if more_folders else "tracks", "more than one"
    if more_folders:
        return "tracks", "fewer names of files than folders"
    return "stems", "fewer folders than names of files"


def _by_larger(for_stems, for_tracks, reason):
    """("stems" or "tracks", reason) by the larger of two numbers; None if they are equal."""
    if for_stems == for_tracks:
        return None
    return "stems" if for_stems > for_tracks else "tracks", reason


def _some(names, limit=4):
    names = sorted(names)
    return ", ".join(names[:limit]) + (" ..." if len(names) > limit else "")
