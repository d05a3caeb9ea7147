"""Errors that users can fix: scripts print them as one message, without a traceback."""

LISTED = 10  # so many problems are listed, the others counted


class UserError(Exception):
    """Wrong input: a file, a key, a setting.

    The text names the file or key, what was found and what would do.
    """

    status = 1  # the exit status of a script
    general = False  # is it wrong for every file alike, not for one of them?


class WrongArgument(UserError):
    """An argument with which no recording can be separated."""

    general = True


class Interrupted(UserError):
    """SIGTERM was received, and what was done so far is kept: the same command resumes. The exit
    status is EX_TEMPFAIL of sysexits.h, "try again later"."""

    status = 75


def amount(number, noun):
    """The number and the noun, in the plural where that is due: 1 file, 2 files."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def in_one_line(error, most=300):
    """The beginning of what an error (or text) says, `most` characters, without line breaks."""
    return " ".join(str(error).split())[:most]


def raise_all(problems):
    """Raise one UserError with all problems, if there are any."""
    problems = list(problems)
    if not problems:
        return
    if len(problems) == 1:
        raise UserError(problems[0])
    more = f"\n  and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    raise UserError(
        f"{len(problems)} problems with the data:\n  " + "\n  ".join(problems[:LISTED]) + more
    )
