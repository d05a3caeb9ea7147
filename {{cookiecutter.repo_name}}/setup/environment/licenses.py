"""Prints the licenses of the installed packages of requirements.lock as a Markdown table.

python setup/environment/licenses.py
"""

import re
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"^([\w.-]+)==", re.M)
UNKNOWN = "not stated"


def license_of(about):
    """The license in a package's metadata: SPDX expression, classifiers, or free text."""
    if about.get("License-Expression"):
        return about["License-Expression"]
    classifiers = [
        line for line in about.get_all("Classifier", ()) if line.startswith("License ::")
    ]
    found = [line.rsplit(" :: ", 1)[1] for line in classifiers]
    found = [text for text in found if text != "OSI Approved"]
    text = (about.get("License") or "").strip().splitlines()
    return "; ".join(found) or (text[0][:80] if text else UNKNOWN)


def table(names):
    """A Markdown table of name, version and license of each package, if it is installed."""
    rows = ["| package | version | license |", "|---|---|---|"]
    for name in sorted(names, key=str.lower):
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            rows.append(f"| {name} | | not installed here |")
        else:
            rows.append(f"| {name} | {about['Version']} | {license_of(about)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table(set(NAME.findall((PROJECT / "requirements.lock").read_text(encoding="utf-8")))))
