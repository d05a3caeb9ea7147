"""Errors that users can fix: scripts print them as one message, without a traceback."""

LISTED = 10  # problems that an error lists; the remaining ones are counted


class UserError(Exception):
    """Invalid input: a file, a config key or an argument.

    The message names the file or key, what was found and what is accepted.

    Attributes:
        status: exit status of a script that ends with this error.
        general: would every file fail with this error, not just one of them?
    """

    status = 1
    general = False


class WrongArgument(UserError):
    """An invalid argument of an algorithm: no recording can be separated with it."""

    general = True


class Interrupted(UserError):
    """SIGTERM was received and the work so far is saved: the same command resumes it."""

    status = 75  # EX_TEMPFAIL of sysexits.h: "try again later"


def amount(number, noun):
    """The number with the noun in singular or plural: "1 file", "2 files"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds):
    """Three significant digits, in seconds, minutes or hours; whole hours from 1,000 on."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            number = seconds / size
            return f"{number:.0f} {unit}" if number >= 1000 else f"{number:.3g} {unit}"
    return f"{seconds:.3g} s"


def in_one_line(error, max_length=300):
    """The first `max_length` characters of an error message or text, without line breaks."""
    return " ".join(str(error).split())[:max_length]


def raise_all(problems):
    """Raise one UserError that lists all problems (an iterable of texts), if there are any."""
    problems = list(problems)
    if not problems:
        return
    if len(problems) == 1:
        raise UserError(problems[0])
    more = f"\n  and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    raise UserError(
        f"{len(problems)} problems with the data:\n  " + "\n  ".join(problems[:LISTED]) + more
    )
