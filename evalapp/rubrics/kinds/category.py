"""A category: one of the criterion's options, stored as 1, 2, … in order."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from evalapp.rubrics.kinds.base import CriterionKind, Option, Problem
from evalapp.rubrics.kinds.values import Level, RawValue, ValueProblemError, shown
from evalapp.rubrics.limits import MOST_OPTIONS


class Category(CriterionKind):
    name = "category"
    label = "Category"
    new_one = "a category"
    has_order = False
    cell_template = "analysis/kinds/category.html"
    has_options = True

    @classmethod
    def fixed(cls, _options: Sequence[Option]) -> dict[str, int | None]:
        return {"minimum": 1, "maximum": len(_options), "low_threshold": None}

    def level_label(self, level: int) -> str:
        return self.options[level - 1].label if level <= len(self.options) else ""

    def words(self, level: int) -> str:
        return self.options[level - 1].label if 0 < level <= len(self.options) else str(level)

    def exported(self, level: int) -> float | str:
        """The option's label, since its number means nothing outside the rubric version."""
        return self.words(level)

    def is_low(self, level: int) -> bool:
        return level <= len(self.options) and self.options[level - 1].is_undesired

    @property
    def counted_levels(self) -> frozenset[int]:
        """The undesired options."""
        return frozenset(level for level, option in enumerate(self.options, start=1) if option.is_undesired)

    @property
    def failing_levels(self) -> frozenset[int]:
        return self.counted_levels

    @property
    def allowed(self) -> str:
        return f"{self.criterion.minimum} to {self.criterion.maximum}"

    @property
    def in_words(self) -> str:
        return f"one of {', '.join(option.label for option in self.options)}"

    def level_in_words(self, level: int) -> str:
        """The option's label, unchanged."""
        return self.level_label(level)

    @property
    def level_hint(self) -> str:
        return "What this option means"

    def value_reader(self) -> Callable[[RawValue], Level]:
        levels: Mapping[str, int] = {
            option.label.strip().casefold(): level for level, option in enumerate(self.options, start=1)
        }

        def read(raw: RawValue) -> Level:
            text = ("yes" if raw else "no") if isinstance(raw, bool) else str(raw).strip()
            level = levels.get(text.casefold())
            if level is None:
                known = ", ".join(option.label for option in self.options)
                raise ValueProblemError(
                    f"“{shown(raw)}” is not an option of {self.criterion.name}.", f"Use one of {known}."
                )
            return Level(level)

        return read

    def problems(self) -> Iterator[Problem]:
        count = len(self.options)
        if not 2 <= count <= MOST_OPTIONS:
            yield "options", f"A category has 2 to {MOST_OPTIONS} options; write one per line."
            return
        if (self.criterion.minimum, self.criterion.maximum) != (1, count):
            yield "maximum", f"These options are the levels 1 to {count}."
        yield from self._label_problems("option")
        if self.criterion.is_critical and not any(option.is_undesired for option in self.options):
            yield "options", "A critical category needs undesired options (put a ! before each)."
        if all(option.is_undesired for option in self.options):
            yield (
                "options",
                "Every option is undesired, so no answer could be right. Mark fewer as undesired.",
            )
