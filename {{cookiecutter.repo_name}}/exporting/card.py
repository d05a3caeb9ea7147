"""README.md of an exported model: its model card."""

from errors import amount

CARD = """---
license: {license}
tags: [audio, source-separation, audio-to-audio, onnx]
---

# {name}

Separates {what} into {count}: {sources}.

| | |
|---|---|
| input | `mixture`, float32 (channels, samples), any length |
| sample rate | {rate} Hz |
| channels | {channels} |
| output | `sources`, float32 (sources, channels, samples), in this order: {sources} |
| inside | {inside} |
| network | {network}, {parameters} parameters |
| license of the weights | {license} |
| made with | {versions} |
{notes}
## Files

| file | what it is |
|---|---|
| `model.onnx` | the whole of it for onnxruntime: level, STFT, network, masks, inverse STFT |
| `model.pt2` | the same for `torch.export.load("model.pt2").module()`, on the CPU |
| `model.safetensors` | the weights of the network alone |
| `separate.py` | `python separate.py song.wav` (numpy, onnxruntime, soundfile): `song.NAME.wav` |
| `model.json` | what this page says, for programs; the network as a graph; the checks below |
{page}
```python
import soundfile
from separate import load

separate = load()
audio, sample_rate = soundfile.read("song.wav", always_2d=True)
sources = separate(audio.T, sample_rate)  # a dict: (channels, samples) of each name
```

{reads}
`separate.py` resamples to {rate} Hz and back: above {half:g} Hz its sources hold nothing, and below
they add up to the recording.

The level of what is read is brought between {low:g} and {high:g} dB of full scale (RMS) for the
network; the sources have the recording's own.

## Blocks of the network

| block | class | parameters |
|---|---|---|
{blocks}

## Checks

Largest differences to torch on a test recording, as parts of the peak. At most {bound:.0e} is
accepted of the two files.
`project`: to the separation of the project that trained the model, where that is one chunk.{apart}

| seconds | channels | ONNX | .pt2 | project |
|---|---|---|---|---|
{checks}
"""


def model_card(facts):
    """The text, from what `folder.facts_of` gathers and the rows of `checks.compare`."""
    signal = facts["signal"]
    filled = {
        key: facts[key] for key in ("license", "name", "inside", "network", "low", "high", "bound")
    }
    return CARD.format(
        **filled,
        what="mono or stereo recordings" if facts["any_channels"] else "recordings",
        count=amount(len(facts["sources"]), "source"),
        sources=", ".join(facts["sources"]),
        rate=signal["sample_rate"],
        half=signal["sample_rate"] / 2,
        channels="any number of channels, separated by the masks of their mean"
        if facts["any_channels"]
        else f"{signal['num_channels']} channel(s)",
        parameters=f"{sum(block['parameters'] for block in facts['blocks']):,}",
        versions=", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        reads="`separate.py` reads a recording in chunks that are faded into each other, each of "
        f"{facts['chunk']:g} s."
        if facts["chunk"]
        else "A recording is separated as a whole: memory grows with its length.",
        apart=" Its\nk-means starts from other points, so they share some bins differently."
        if "k-means" in facts["inside"]
        else "",
        notes=f"\n{facts['notes']}\n" if facts["notes"] else "",
        page="| `page/` | `index.html` separates in a browser, without a server |\n"
        if facts["page"]
        else "",
        blocks="\n".join(
            f"| {block['name']} | {block['class']} | {block['parameters']:,} |"
            for block in facts["blocks"]
        ),
        checks="\n".join(
            f"| {row['seconds']:g} | {row['channels']} | {row['onnx']:.1e} | {row['pt2']:.1e} | "
            + (f"{row['project']:.1e} |" if "project" in row else "|")
            for row in facts["checks"]
        ),
    )
