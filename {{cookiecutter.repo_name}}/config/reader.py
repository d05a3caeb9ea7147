"""Reads YAML safely, with line numbers for messages and with environment variables.

Plain values are null, true / false, decimal numbers (`10`, `010` is 10, `.5`, `1e-3`, `.inf`) and
text. Unlike in YAML 1.1, `yes`, `on`, `12:30:00`, `2024-01-01` and `0x10` are text. An unquoted
value that consists of one variable is read as if the variable's value were written there.
Duplicate keys, tags, keys that are not text and `.nan` are problems.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError, Problem, closest, join_key, listed, show
from .plain import flat
from .variables import expand, is_variable

YAML_TAG = "tag:yaml.org,2002:"
PLAIN = {  # {tag: (pattern of its plain values, their first characters)}
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")),
    "float": (
        re.compile(
            r"""^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?
                |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
            re.X,
        ),
        list("-+.0123456789"),
    ),
    "merge": (re.compile(r"^<<$"), ["<"]),
}
CONVERT: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(text.lower().replace(".inf", "inf")),
}
NOUNS = {"null": "null", "bool": "true or false", "int": "a whole number", "float": "a number"}
HOME = re.compile(r"^~[A-Za-z0-9._-]*/")  # the home folder of the current or of a named user
MAX_BYTES = 1_000_000  # a hundred times the size of an experiment
CHANGES = 4  # so many replaced values are named in a message
MAX_VALUES = 100_000  # nested aliases can make a small file enormous


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict = {}


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or `_Loader` would read as something else; writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _tag, (_pattern, _first) in PLAIN.items():
    _Loader.add_implicit_resolver(YAML_TAG + _tag, _pattern, _first)
    _Dumper.add_implicit_resolver(YAML_TAG + _tag, _pattern, _first)


class Document:
    """A YAML file as plain data, with its problems.

    Attributes:
        data: the top-level mapping.
        places: {dotted key: (file, line)}.
        bad: dotted keys whose values could not be read.
        raw: {dotted key: text before its variables were expanded}.
        problems: [Problem].
        changes: {dotted key: (file, line)} of values that replace those of the file.
    """

    def __init__(self, file: str):
        self.file = file
        self.data: dict[str, Any] = {}
        self.places: dict[str, tuple[str, int]] = {}
        self.bad: set[str] = set()
        self.raw: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.changes: dict[str, tuple[str, int]] = {}
        self._reported: set[tuple[int, str]] = set()  # (position, message)
        self._parents: list[yaml.Node] = []  # of the node that is being built
        self._count = 0

    def problem(self, key: str, message: str) -> Problem:
        """A problem at a key. Its line is that of the key, or of the nearest parent in the file, or
        the first line. If the values of another file replace some of this one, which the problem
        may come from, the message names them too."""
        written = key
        while written and written not in self.places:
            written = parent_key(written)
        place = self.places.get(written, (self.file, 1))
        if self.changes and place[0] not in {file for file, _ in self.changes.values()}:
            values = flat(self.data)
            shown = [
                f"{name} {show(values.get(name))} of {file}:{line}"
                for name, (file, line) in self.changes.items()
            ]
            message += f" (with {listed(shown, CHANGES)})"
        return Problem(*place, key, message)

    def origin(self, key: str) -> str:
        """Words for a message: the variable from which the value at `key` comes, and whether it is
        text because of its quotes; "" if it does not come from a variable."""
        raw, value = self.raw.get(key), flat(self.data).get(key)
        if raw is None:
            return ""
        if isinstance(value, str) and is_variable(raw) and plain_tag(value) != "str":
            return f" from '{raw}'; a variable in quotes is text: write it without, on its own line"
        return f" from {raw}"

    def report(self, mark: yaml.Mark, key: str, message: str) -> None:
        """Add a problem, once: aliases may lead to the same position many times."""
        if (mark.index, message) not in self._reported:
            self._reported.add((mark.index, message))
            self.problems.append(Problem(self.file, mark.line + 1, key, message))

    def _add(self, count: int, node: yaml.Node, key: str) -> None:
        """Count values, including those merged by `<<`; raise an error above `MAX_VALUES`."""
        self._count += count
        if self._count > MAX_VALUES:
            message = f"holds more than {MAX_VALUES} values; are aliases multiplying?"
            raise ConfigError([Problem(self.file, node.start_mark.line + 1, key, message)])

    def build(self, node: yaml.Node, key: str) -> Any:
        """The plain value of a node.

        Raises:
            ConfigError: there are too many values, or an alias is inside its own anchor.
        """
        self._add(1, node, key)
        tag = node.tag.removeprefix(YAML_TAG)
        kinds: dict[type, str] = {yaml.MappingNode: "map", yaml.SequenceNode: "seq"}
        kind = kinds.get(type(node))
        if tag != kind and (kind or tag not in {"str", "merge", *CONVERT}):
            shown = "!!" + tag if tag != node.tag else tag
            self.bad.add(key)
            self.report(
                node.start_mark,
                key,
                f"the tag {shown!r} is not allowed; write plain text, numbers, true or false, "
                "lists and mappings",
            )
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key, tag)
        if node in self._parents:
            message = "an alias is inside its own anchor; write the values out"
            raise ConfigError([Problem(self.file, node.start_mark.line + 1, key, message)])
        self._parents.append(node)
        if isinstance(node, yaml.SequenceNode):
            value: Any = []
            for index, item in enumerate(node.value):
                item_key = join_key(key, index)
                self.places[item_key] = self.file, item.start_mark.line + 1
                value.append(self.build(item, item_key))
        else:
            assert isinstance(node, yaml.MappingNode)
            value = {}
            for name, (name_node, item) in self._pairs(node, key).items():
                item_key = join_key(key, name)
                self.places[item_key] = self.file, name_node.start_mark.line + 1
                value[name] = self.build(item, item_key)
        self._parents.pop()
        return value

    def _pairs(self, node: yaml.MappingNode, key: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """{name: (node of the key, node of the value)}; keys of the mapping itself override those
        merged by `<<`."""
        self._add(len(node.value), node, key)
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for name_node, item in node.value:
            if name_node.tag == YAML_TAG + "merge":
                sources = item.value if isinstance(item, yaml.SequenceNode) else [item]
                for source in sources:
                    if not isinstance(source, yaml.MappingNode) or source in self._parents:
                        self.report(
                            name_node.start_mark,
                            key,
                            "'<<' takes the alias of another mapping, as in '<<: *defaults', "
                            "or a list of such",
                        )
                        continue
                    self._parents.append(source)
                    merged = self._pairs(source, key) | merged
                    self._parents.pop()
                continue
            name = name_node.value
            if name_node.tag != YAML_TAG + "str":
                shown = name if isinstance(name_node, yaml.ScalarNode) else "a list or mapping"
                self.report(
                    name_node.start_mark,
                    key,
                    f"a key must be text, found {shown}"
                    + (f"; put it in quotes: '{shown}'" if shown is name else ""),
                )
            elif not name.strip():
                self.report(
                    name_node.start_mark, key, "a key is empty; write a name before the ':'"
                )
            elif name in pairs:
                self.report(
                    name_node.start_mark,
                    join_key(key, name),
                    f"appears twice, first on line {pairs[name][0].start_mark.line + 1}; keep one",
                )
            else:
                pairs[name] = name_node, item
        return merged | pairs

    def _scalar(self, node: yaml.ScalarNode, key: str, tag: str) -> Any:
        """The value of a scalar with this tag; None, and a problem, if it has none."""
        text: str = node.value
        complaints: list[str] = []
        if tag not in CONVERT and ("$" in text or text.startswith("~")):
            self.raw[key] = text
            text, complaints = expand(text)
            if HOME.match(text):
                text = os.path.expanduser(text)
                if text.startswith("~"):
                    complaints.append(f"there is no home folder for {show(text)}; write it out")
            if node.style is None and text and is_variable(node.value):
                tag = plain_tag(text)
        if tag in CONVERT:
            try:
                if PLAIN[tag][0].match(text):
                    return CONVERT[tag](text)
            except ValueError:  # .nan, or an integer with thousands of digits
                pass
            complaints.append(f"must be {NOUNS[tag]}, found {show(text)}")
        elif "\0" in text:
            complaints.append("holds the character NUL; remove it")
        for complaint in complaints:
            self.bad.add(key)
            self.report(node.start_mark, key, complaint)
        return None if complaints else text


def parent_key(key: str) -> str:
    """The dotted key one level up: "a.b[0]" -> "a.b" -> "a" -> "" """
    return re.sub(r"(\[\d+\]|(^|\.)[^.]*)$", "", key)


def plain_tag(text: str) -> str:
    """The tag that a text has without quotes."""
    return next((tag for tag in CONVERT if PLAIN[tag][0].match(text)), "str")


def read(path: str | os.PathLike) -> Document:
    """Read a YAML file as a `Document`, which has the problems of single values.

    Raises:
        ConfigError: the file cannot be read as one mapping.
    """
    document = Document(str(path))

    def stop(message: str, line: int = 0) -> ConfigError:
        return ConfigError([Problem(document.file, line, "", message)])

    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        near = {other.name: other for other in Path(path).parent.glob("*.y*ml")}
        guess = near.get(closest(Path(path).name, near) or "")
        advice = f"; did you mean '{guess}'?" if guess else ""
        raise stop(f"there is no such file{advice}") from None
    except IsADirectoryError:
        raise stop("is a folder; give the path of a .yml file") from None
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        raise stop(f"cannot be read: {getattr(error, 'strerror', error)}") from None
    if len(content) > MAX_BYTES:
        raise stop(
            f"holds more than {MAX_BYTES:,} bytes, too many for an experiment; give a YAML file or "
            "the folder of a run"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise stop("is not UTF-8 text; save it in that encoding", line) from None
    try:
        node = _Loader(text).get_single_node()
        if node is None or node.tag == YAML_TAG + "null":
            raise stop("is empty; an experiment needs at least a section 'info'")
        if not isinstance(node, yaml.MappingNode):
            what = "a list" if isinstance(node, yaml.SequenceNode) else f"{show(node.value)}"
            raise stop(
                f"must be a mapping of sections (info:, signal:, ...), found {what}",
                node.start_mark.line + 1,
            )
        document.data = document.build(node, "")
        if "" in document.bad:
            raise ConfigError(document.problems)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise stop(f"holds the character {chr(error.character)!r}; remove it", line) from None
    except yaml.MarkedYAMLError as error:
        line, message = _syntax(error, text)
        raise stop(message, line) from None
    except RecursionError:
        raise stop("is nested too deeply to be read") from None
    return document


def _syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """(line, message) of a YAML syntax error."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    start = error.context_mark.line + 1 if error.context_mark else line
    lines = [*text.splitlines(), ""]
    here = lines[min(line, len(lines)) - 1]
    indent = here[: len(here) - len(here.lstrip())]
    problem, context = error.problem or "", error.context or ""
    if "\t" in indent or r"'\t'" in problem:
        return line, "a tab is used here; YAML is indented with spaces"
    if "escape" in problem:
        return line, "a backslash between double quotes starts an escape; use single quotes"
    if "quoted scalar" in context:
        return start, "a quote is opened here and never closed; add the closing quote"
    if "single document" in context:
        return line, "a second document starts here ('---'); one file is one experiment"
    if "scanning an alias" in context:
        return line, "a '*' starts an alias here; put a pattern in quotes, as in '*.wav'"
    if "undefined alias" in problem:
        name = problem.split("'")[1]
        return line, f"the alias *{name} has no anchor &{name} above it; add one, or quote the text"
    if "duplicate anchor" in context:
        return line, "an anchor of this name (&...) is already above; choose another name"
    if "flow" in context:
        opened, closed = ("[", "]") if "sequence" in context else ("{", "}")
        message = f"the '{opened}' of line {start} needs a ',' or '{closed}' here"
        if any("${" in each for each in lines[start - 1 : line]):
            message += "; between { } or [ ] a text with ${...} needs quotes"
        return line, message
    if "mapping values are not allowed" in problem:
        return line, "a ':' does not fit here; quote a text that has one, or fix the indentation"
    if "could not find expected ':'" in problem:
        return line, "a key without a ':' stands here or just above; write key: value"
    if "cannot start any token" in problem:
        character = problem.split("'")[1]
        return line, f"a value cannot start with '{character}'; put it in quotes"
    if "block" in context or "<document start>" in problem or "not allowed here" in problem:
        return line, "the indentation does not fit the lines above; align the keys of one mapping"
    return line, f"cannot be read as YAML: {problem}"


def to_yaml(data: dict[str, Any]) -> str:
    """YAML that `read` reads back as the same data; `$` is written as `$$`."""
    return yaml.dump(
        _escape(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000
    )


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape(item) for item in value]
    return value
