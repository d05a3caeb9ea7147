"""Whether a folder of stems has a folder for each source or one for each track."""

from itertools import islice

import audio
from errors import UserError

from .folders import audio_files, folders, plain

# what people call the mixture, in any case
MIXTURES = ("mix", "mixture", "mixed", "mixes", "mixtures", "mixdown")
# what people call sources, in any case
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
MEASURED = 8  # folders and files of each whose lengths are compared


def is_mixture(name):
    """Is a folder or file of this name (without ending) the mixture?"""
    return name.casefold() in MIXTURES


def find_layout(places):
    """("stems" or "tracks", why), of the folders of the splits.

    The first of these that decides: where names of mixtures are; where names of sources are;
    which names all splits share; whether files of one name, or files of one folder, are equally
    long; and of which there are fewer, folders or names of files: those are the sources.

    Raises:
        UserError: nothing of this decides.
    """
    splits = [
        {plain(folder.name): audio_files(folder) for folder in folders(place)} for place in places
    ]
    splits = [{name: files for name, files in split.items() if files} for split in splits]
    outer = {name for split in splits for name in split}
    inner = {name for split in splits for files in split.values() for name in files}
    for decide in (_by_mixtures, _by_sources, _by_splits, _by_lengths, _by_counts):
        if (found := decide(outer, inner, splits)) is not None:
            return found
    raise UserError(
        f"{places[0]}: has folders {_some(outer)}, in each of them files {_some(inner)}; write "
        "layout: stems if the folders are sources, layout: tracks if they are tracks"
    )


def _by_mixtures(outer, inner, splits):
    return _more(sum(map(is_mixture, outer)), sum(map(is_mixture, inner)), "the mixture's name")


def _by_sources(outer, inner, splits):
    shares = [
        sum(name.casefold() in SOURCES for name in names) / max(len(names), 1)
        for names in (outer, inner)
    ]
    return _more(*shares, "names of sources")


def _by_splits(outer, inner, splits):
    if len(splits) < 2:
        return None
    common = set.intersection(*map(set, splits))
    files = set.intersection(*({n for files in split.values() for n in files} for split in splits))
    if bool(common) == bool(files):
        return None
    return _more(len(common), len(files), "the same in every split")


def _by_lengths(outer, inner, splits):
    by_name, by_folder = {}, {}
    for number, split in enumerate(splits):
        for folder, files in islice(split.items(), MEASURED):
            for name, path in islice(files.items(), MEASURED):
                try:
                    length = audio.info(path)[2]
                except UserError:  # listing the tracks names all such files
                    continue
                by_name.setdefault((number, name), set()).add(length)
                by_folder.setdefault((number, folder), set()).add(length)
    same_name, same_folder = (
        all(len(lengths) == 1 for lengths in group.values()) for group in (by_name, by_folder)
    )
    return _more(same_name, same_folder, "files of one length")


def _by_counts(outer, inner, splits):
    if not outer or not inner:
        return "stems", "nothing found"
    if len(outer) == 1 or len(inner) == 1:  # a single source cannot be separated
        return _more(len(outer), len(inner), "more than one")
    return _more(
        len(inner),
        len(outer),
        "fewer folders than names of files",
        "fewer names of files than folders",
    )


def _more(folders, files, why, why_files=None):
    if folders == files:
        return None
    if folders > files:
        return "stems", why
    return "tracks", why_files or why


def _some(names, most=4):
    names = sorted(names)
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
