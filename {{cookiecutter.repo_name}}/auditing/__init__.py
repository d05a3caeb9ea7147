"""Audits data for problems that would invalidate results: leakage, duplicates, bad stems.

`audit(datasets, settings)` reads every track and returns a report as plain data; `as_text` and
`as_html` format it.
"""

from .audit import audit
from .fingerprint import Fingerprint, fingerprint, matches
from .show import as_html, as_text, report_files

__all__ = ["Fingerprint", "as_html", "as_text", "audit", "fingerprint", "matches", "report_files"]
