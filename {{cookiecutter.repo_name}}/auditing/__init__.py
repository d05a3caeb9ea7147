"""Checks of data for what would spoil a result: leakage, duplicates, bad stems.

`audit(datasets, settings)` reads every track and returns a report: plain data, for JSON; `as_text`
and `as_html` show it.
"""

from .audit import audit
from .fingerprint import Fingerprint, fingerprint, matches
from .show import as_html, as_text, report_files

__all__ = ["Fingerprint", "as_html", "as_text", "audit", "fingerprint", "matches", "report_files"]
