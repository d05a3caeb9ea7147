"""Which settings and data must stay the same when a run is resumed, and which may change."""

import hashlib
import json

from config import leaves
from errors import UserError, amount
from runs import may_change


def settings_of(config):
    """What a checkpoint keeps of a config: {dotted key: plain value}, all that training reads."""
    plain = config.to_dict()
    kept = {"info": {"seed": plain["info"]["seed"]}}
    kept |= {section: plain[section] for section in ("signal", "model", "train")}
    kept["datasets"] = {
        split: {**plain["datasets"][split], "args": dict(plain["datasets"][split]["args"])}
        for split in ("train", "val")
        if split in plain["datasets"]
    }
    for data in kept["datasets"].values():
        data["args"].pop("split", None)  # repeats the key of the dataset
    return leaves(kept)


def tracks_of(data):
    """A fingerprint of a dataset: how many tracks, and a digest of their names and lengths."""
    tracks = [(track.name, data.length_of(index)) for index, track in enumerate(data.tracks)]
    digest = hashlib.sha256(json.dumps(tracks).encode()).hexdigest()
    return {"tracks": len(tracks), "digest": digest}


def compare(latest, before, now):
    """Can the run in `latest` be resumed with the present settings?

    Args:
        latest: path of the state, for messages.
        before, now: {"settings": of `settings_of`, "data": {split: of `tracks_of`}}.

    Returns:
        [what has changed and takes effect from now on], a line each.

    Raises:
        UserError: with every difference that does not allow it.
    """
    refused, changed = [], []
    for key in sorted({*before["settings"], *now["settings"]}):
        was, here = before["settings"].get(key), now["settings"].get(key)
        if was != here:
            line = f"{key} was {_shown(was)}, is now {_shown(here)}"
            (changed if may_change(key) else refused).append(line)
    for split in before["data"] if not refused else ():
        was, here = before["data"][split], now["data"].get(split)
        if here is not None and was["tracks"] != here["tracks"]:
            had = amount(was["tracks"], "track")
            refused.append(f"datasets.{split} had {had}, has {here['tracks']} now")
        elif here is not None and was != here:
            refused.append(f"datasets.{split} has tracks of other names or lengths now")
    if refused:
        raise UserError(
            f"{latest}: holds a training run that was started with other settings or data:\n  "
            + "\n  ".join(refused)
            + "\nchoose another info.output_folder for a new training run, move the old one away, "
            "or change the settings back to resume it"
        )
    return changed


def _shown(value):
    return "not set" if value is None else value
