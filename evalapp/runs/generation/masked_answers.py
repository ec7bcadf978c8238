"""Imported answers in a project that masks personal data."""

from collections.abc import Iterable, Iterator, Sequence

from evalapp.accounts.models import Project
from evalapp.datasets.models import Example
from evalapp.datasets.vault import Vault
from evalapp.runs.generation.answers import ImportedAnswer, MatchedAnswer

_AT_ONCE = 1_000


def with_masked_prompts(project: Project, answers: Iterable[ImportedAnswer]) -> Iterable[ImportedAnswer]:
    """Mask prompts and item ids like the project's stored rows, so that they match."""
    if not project.masks_personal_data:
        return answers
    vault = Vault(project)
    return (
        each._replace(
            prompt=each.prompt and vault.masked_text(each.prompt),
            item=each.item and vault.pseudonym_of(each.item),
        )
        for each in answers
    )


def masked_answers(project: Project, answers: Sequence[MatchedAnswer]) -> list[MatchedAnswer]:
    """Mask the answers, with their rows' placeholders for the same originals. Call inside the transaction
    that stores them.
    """
    if not project.masks_personal_data:
        return list(answers)
    vault = Vault(project)
    found = [masked for start in range(0, len(answers), _AT_ONCE)
             for masked in _masked_batch(vault, answers[start : start + _AT_ONCE])]  # fmt: skip
    vault.store()
    return found


def _masked_batch(vault: Vault, answers: Sequence[MatchedAnswer]) -> Iterator[MatchedAnswer]:
    examples = Example.objects.only("provenance").in_bulk({each.example_id for each in answers})
    for answer in answers:
        text, reasoning = vault.masked_answers(examples[answer.example_id], [answer.text, answer.reasoning])
        yield answer._replace(text=text, reasoning=reasoning)
