"""A rubric as a YAML file, to read, store with code and copy to another project.

Names are those of ``CriterionDraft`` and of the API. A file is read completely, or refused with all its
problems; nothing in it is executed, and it cannot refer to itself.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from decimal import Decimal
from typing import Any

import yaml

from evalapp.core.errors import MOST_PROBLEMS, InvalidError
from evalapp.rubrics.drafts import Condition, CriterionDraft, RubricDraft, TagDraft
from evalapp.rubrics.file_problems import place_in_words, problems_beyond
from evalapp.rubrics.kinds import fixed_by
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.kinds.scale import ends_in_points, in_levels
from evalapp.rubrics.kinds.yes_no import NO, YES
from evalapp.rubrics.limits import MOST_CRITERIA, MOST_LEVELS, MOST_OPTIONS, MOST_TAGS
from evalapp.rubrics.problems import unstorable_character

FORMAT = 1
LARGEST_FILE = 128 * 1024
_DEEPEST = 12
_LONGEST_SHOWN = 80
_HEAD = ("evalapp_rubric", "name", "description", "instructions", "criteria")


def write_yaml(rubric: RubricDraft) -> str:
    """The rubric as a file that `read_yaml` reads back unchanged; default values are left out."""
    document = {
        "evalapp_rubric": FORMAT,
        "name": rubric.name,
        "description": rubric.description,
        "instructions": rubric.instructions,
        "criteria": [_described(draft) for draft in rubric.criteria],
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def read_yaml(content: bytes, *, name: str = "") -> RubricDraft:
    """The rubric in the file, checked; ``name`` replaces its own.

    Raises InvalidError with the problem of every invalid place in the file (at most 50), whether unreadable
    or not allowed. Its ``fields`` are places in words: "Criterion 2 “Tone”: tags.1.label".
    """
    document = _document(content)
    reader = _Reader()
    form = document.get("evalapp_rubric") if isinstance(document, dict) else None
    # In Python, true equals 1.
    if not isinstance(document, dict) or type(form) is not int or form != FORMAT:
        raise InvalidError(
            f"This is not a rubric file: it has no line “evalapp_rubric: {FORMAT}” at its beginning. Export"
            " a rubric from its page to see the format."
        )
    reader.refuse_unknown(document, _HEAD, "")
    read = RubricDraft(
        name=name.strip() or reader.text(document.get("name", ""), "name"),
        description=reader.text(document.get("description") or "", "description"),
        instructions=reader.text(document.get("instructions") or "", "instructions"),
        criteria=reader.criteria(document.get("criteria")),
    )
    for place, message in problems_beyond(read, reader.problems):
        reader.refuse(place, message)
    if reader.problems:
        names = [draft.name.strip() for draft in read.criteria]
        told = {place_in_words(place, names): texts for place, texts in reader.problems.items()}
        count = sum(len(texts) for texts in told.values())
        place, texts = next(iter(told.items()))
        more = f" ({count - 1} more)" if count > 1 else ""
        raise InvalidError(f"{place}: {texts[0]}{more}", fields=told)
    return read


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text_node)


class _Loader(yaml.SafeLoader):
    """A loader without aliases, by which a short file could expand without limit, and without tags or
    repeated keys.

    Words are read as in YAML 1.2: yes, no, on, off and dates are texts.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML’s own
        line = f"Line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise InvalidError(f"{line}: a rubric file has no aliases (*name). Write it out.")
        if event.tag is not None:
            raise InvalidError(f"{line}: a rubric file has no tags (!name). Remove it.")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise InvalidError(f"{line}: this is nested too deeply for a rubric file. Flatten it.")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        try:
            return int(node.value)
        except ValueError as error:  # more digits than Python reads
            line = f"Line {node.start_mark.line + 1}"
            raise InvalidError(f"{line}: a number has too many digits. Shorten it.") from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            # Compared by meaning: 1, +1 and "1" are the same level.
            name = str(self.construct_object(key_node))
            if name in seen:
                line = key_node.start_mark.line + 1
                raise InvalidError(f"Line {line}: “{_shown(name)}” is given twice. Remove one.")
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _beginnings in (
    ("bool", r"true|True|false|False", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+", "-+0123456789"),
    ("null", r"~|null|", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_beginnings)
    )


def _document(content: bytes) -> object:
    if len(content) > LARGEST_FILE:
        raise InvalidError(f"A rubric file has at most {LARGEST_FILE // 1024} kB; this one is larger.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError(
            f"Byte {error.start} is not UTF-8. Save the file as UTF-8 and import it again."
        ) from error
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"Line {mark.line + 1}, column {mark.column + 1}" if mark else "Somewhere"
        raise InvalidError(f"{place}: not YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise InvalidError(f"The file is not YAML: {' '.join(str(error).split())}.") from error
    except (ValueError, OverflowError) as error:  # from a \U escape; numbers are checked before
        raise InvalidError(
            f"Line {loader.line + 1}: an escape (\\U and eight digits) names no character: the last is "
            "\\U0010FFFF. Correct it."
        ) from error


class _Reader:
    """Reads values of a document by type; collects problems by place.

    A place is the path to a value, joined by dots; list entries are counted from 1.
    """

    def __init__(self) -> None:
        self.problems: dict[str, list[str]] = {}

    def refuse(self, place: str, message: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.setdefault(place, []).append(message)

    def refuse_unknown(self, values: Mapping[Any, Any], known: Sequence[str], place: str) -> None:
        for name in values:
            if name not in known:
                where = f"{place}.{_shown(name)}" if place else _shown(name)
                self.refuse(where, f"Unknown entry. Known entries: {', '.join(known)}.")

    def text(self, value: object, place: str) -> str:
        if isinstance(value, str):
            if found := unstorable_character(value):
                self.refuse(place, f"The text has {found}. Remove it.")
                return ""
            return value
        self.refuse(place, f"Write a text in quotes; this was read as {_kind(value)}.")
        return ""

    def whole(self, value: object, place: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1_000_000:
            return value
        self.refuse(place, f"Write a whole number; this was read as {_kind(value)}.")
        return 0

    def optional_whole(self, value: object, place: str) -> int | None:
        return None if value is None else self.whole(value, place)

    def flag(self, value: object, place: str) -> bool:
        if isinstance(value, bool):
            return value
        self.refuse(place, f"Write true or false; this was read as {_kind(value)}.")
        return False

    def weight(self, value: object, place: str) -> Decimal:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Decimal(str(value))
        self.refuse(place, f"Write a number; this was read as {_kind(value)}.")
        return Decimal(1)

    def sequence(self, value: object, place: str) -> Sequence[object]:
        if isinstance(value, list):
            return value
        self.refuse(place, f"Write a list, each entry after a hyphen; this was read as {_kind(value)}.")
        return []

    def mapping(self, value: object, place: str) -> Mapping[Any, Any]:
        if isinstance(value, dict):
            return value
        self.refuse(place, f"Write entries of the form “name: value”; this was read as {_kind(value)}.")
        return {}

    def short(self, value: object, place: str, most: int, what: str) -> Sequence[object]:
        """A list as from `sequence`; empty, with a problem, if it has more than ``most`` entries."""
        entries = self.sequence(value, place)
        if len(entries) <= most:
            return entries
        self.refuse(place, f"There are {len(entries):,} {what}; the limit is {most}. Leave some out.")
        return []

    def criteria(self, value: object) -> tuple[CriterionDraft, ...]:
        entries = self.short(value, "criteria", MOST_CRITERIA, "criteria")
        return tuple(
            self.criterion(each, f"criteria.{number}") for number, each in enumerate(entries, start=1)
        )

    def criterion(self, value: object, place: str) -> CriterionDraft:
        values = self.mapping(value, place)
        self.refuse_unknown(values, list(_DEFAULTS), place)
        read: dict[str, Any] = {}
        if isinstance(value, dict) and "name" not in values:
            self.refuse(f"{place}.name", "Give the criterion a name.")
        for name, entry in values.items():
            if name in _READERS:
                read[name] = _READERS[name](self, entry, f"{place}.{name}")
        ranged = fixed_by(read.get("kind", ""), read.get("options", ()))
        if read.get("lower_is_better"):
            # Its low levels are the good ones, so no reasons are asked unless the file sets a threshold.
            ranged = {**ranged, "low_threshold": None}
        return CriterionDraft(**{"name": "", **in_levels({**ranged, **read})})

    def level_descriptions(self, value: object, place: str) -> dict[str, str]:
        return {
            _shown(level): self.text(text, f"{place}.{_shown(level)}")
            for level, text in self.mapping(value, place).items()
        }

    def undesired(self, value: object, place: str) -> int | None:
        answers = {"yes": YES, "no": NO, None: None}
        if isinstance(value, str | None) and value in answers:
            return answers[value]
        self.refuse(place, "The undesired answer is yes, no, or null for neither.")
        return None

    def options(self, value: object, place: str) -> tuple[Option, ...]:
        """Options, each a text or ``{label: …, is_undesired: true}``."""
        read = []
        for number, entry in enumerate(self.short(value, place, MOST_OPTIONS, "options"), start=1):
            where = f"{place}.{number}"
            if isinstance(entry, dict):
                self.refuse_unknown(entry, ("label", "is_undesired"), where)
                label = self.text(entry.get("label"), f"{where}.label")
                is_undesired = self.flag(entry.get("is_undesired", False), f"{where}.is_undesired")
                read.append(Option(label, is_undesired))
            else:
                read.append(Option(self.text(entry, where)))
        return tuple(read)

    def condition(self, value: object, place: str) -> Condition | None:
        if value is None:
            return None
        entry = self.mapping(value, place)
        self.refuse_unknown(entry, ("criterion", "values"), place)
        values = self.short(entry.get("values"), f"{place}.values", MOST_LEVELS, "answers")
        return Condition(
            self.text(entry.get("criterion"), f"{place}.criterion"),
            tuple(
                self.whole(each, f"{place}.values.{number}") for number, each in enumerate(values, start=1)
            ),
        )

    def tags(self, value: object, place: str) -> tuple[TagDraft, ...]:
        """Reasons, each a text or ``{label: …, key: …}``."""
        read = []
        for number, entry in enumerate(self.short(value, place, MOST_TAGS, "reasons"), start=1):
            where = f"{place}.{number}"
            if isinstance(entry, dict):
                self.refuse_unknown(entry, ("label", "key"), where)
                label = self.text(entry.get("label"), f"{where}.label")
                read.append(TagDraft(label, self.text(entry.get("key", ""), f"{where}.key")))
            else:
                read.append(TagDraft(self.text(entry, where)))
        return tuple(read)


_READERS: Mapping[str, Callable[[_Reader, object, str], object]] = {
    "name": _Reader.text,
    "kind": _Reader.text,
    "key": _Reader.text,
    "help_text": _Reader.text,
    "minimum": _Reader.whole,
    "maximum": _Reader.whole,
    "steps_per_point": _Reader.whole,
    "level_descriptions": _Reader.level_descriptions,
    "weight": _Reader.weight,
    "is_required": _Reader.flag,
    "allows_not_applicable": _Reader.flag,
    "is_critical": _Reader.flag,
    "low_threshold": _Reader.optional_whole,
    "undesired": _Reader.undesired,
    "lower_is_better": _Reader.flag,
    "tags": _Reader.tags,
    "options": _Reader.options,
    "examples": _Reader.level_descriptions,
    "visible_if": _Reader.condition,
}
_DEFAULTS: Mapping[str, Any] = {
    each.name: each.default if each.default is not MISSING else None for each in fields(CriterionDraft)
}


def _described(draft: CriterionDraft) -> dict[str, Any]:
    usual = {**_DEFAULTS, **fixed_by(draft.kind, draft.options)}
    ends: dict[str, Any] = dict(ends_in_points(draft))
    written = replace(draft, **ends)
    described: dict[str, Any] = {"name": draft.name, "key": draft.key, "kind": str(draft.kind)}
    for name in ("help_text", "minimum", "maximum", "steps_per_point"):
        if getattr(written, name) != usual[name]:
            described[name] = getattr(written, name)
    if draft.options:
        described["options"] = [
            {"label": option.label, "is_undesired": True} if option.is_undesired else option.label
            for option in draft.options
        ]
    for name in ("level_descriptions", "examples"):
        if texts := getattr(draft, name):
            described[name] = {draft.rules.level_from_key(level): text for level, text in texts.items()}
    if draft.weight != usual["weight"]:
        described["weight"] = float(draft.weight)
    for name in ("is_required", "allows_not_applicable", "is_critical", "low_threshold", "lower_is_better"):
        if getattr(written, name) != usual[name]:
            described[name] = getattr(written, name)
    if draft.undesired is not None:
        described["undesired"] = "yes" if draft.undesired == YES else "no"
    if draft.visible_if:
        described["visible_if"] = {
            "criterion": draft.visible_if.criterion,
            "values": list(draft.visible_if.values),
        }
    if draft.tags:
        described["tags"] = [{"label": tag.label, "key": tag.key} for tag in draft.tags]
    return described


def _shown(name: object) -> str:
    """The name of an entry, shortened and displayable."""
    text = str(name)[:_LONGEST_SHOWN]
    return "".join(
        f"U+{ord(character):04X}" if unstorable_character(character) else character for character in text
    )


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    names = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "entries"}
    return names[type(value)]
