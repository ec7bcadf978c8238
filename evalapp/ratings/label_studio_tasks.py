"""A campaign for Label Studio: a task for each answer, its reviews as annotations, and the labeling
interface. What ``formats.label_studio`` reads back.

Reviewers are told apart by their pseudonyms, in the remarks (``meta``) of results: Label Studio takes no
annotator that it does not know.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from django.db.models import Prefetch

from evalapp.campaigns.models import Campaign, ItemOutput, Purpose
from evalapp.ratings.formats.label_studio import COMMENT, CORRECTION, NOT_APPLICABLE_SUFFIX, REASONS_SUFFIX
from evalapp.ratings.spans import utf16_units
from evalapp.reviews.models import Review
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.rubrics.models import Criterion, RubricVersion

ANSWER = "answer"
_DATA = ("item", "candidate", "prompt", "context", "reference", ANSWER)
_MOST_STARS = 10
_ANSWERS_AT_ONCE = 200


def control_of(criterion: Criterion) -> str:
    """The name of the control that a criterion is rated with."""
    taken = criterion.key in (*_DATA, COMMENT, CORRECTION)
    return f"{criterion.key}-criterion" if taken else criterion.key


def _has_stars(criterion: Criterion) -> bool:
    is_whole = criterion.rules.has_mean and criterion.rules.number(1) == 1
    return is_whole and criterion.minimum == 1 and criterion.maximum <= _MOST_STARS


def labeling_config(version: RubricVersion) -> str:
    """The interface, as Label Studio's XML, with the rubric's questions."""
    lines = [
        "<View>",
        '  <Header value="Prompt"/>',
        '  <Text name="prompt" value="$prompt"/>',
        '  <Header value="Context"/>',
        '  <Text name="context" value="$context"/>',
        '  <Header value="Answer"/>',
        f'  <Text name="{ANSWER}" value="${ANSWER}"/>',
    ]
    for criterion in version.criteria.prefetch_related("reason_tags"):
        lines.append(f"  <Header value={quoteattr(criterion.name)}/>")
        lines.extend(f"  {line}" for line in _controls(criterion))
    lines += [
        '  <Header value="Corrected answer"/>',
        f'  <TextArea name="{CORRECTION}" toName="{ANSWER}" rows="6" maxSubmissions="1"/>',
        '  <Header value="Comment"/>',
        f'  <TextArea name="{COMMENT}" toName="{ANSWER}" rows="2" maxSubmissions="1"/>',
        "</View>",
    ]
    return "\n".join(lines) + "\n"


def _controls(criterion: Criterion) -> Iterator[str]:
    name = control_of(criterion)
    common = f'name={quoteattr(name)} toName="{ANSWER}"'
    if criterion.rules.answered_by == "marks":
        yield f"<Labels {common}>"
        yield from (f"  <Label value={quoteattr(option['label'])}/>" for option in criterion.options)
        yield "</Labels>"
    elif criterion.rules.answered_by == "words":
        yield f'<TextArea {common} rows="3" maxSubmissions="1"/>'
    elif _has_stars(criterion):
        yield f'<Rating {common} maxRating="{criterion.maximum}"/>'
    elif criterion.rules.has_mean:
        lowest, highest = criterion.rules.range
        step = "" if criterion.rules.number(1) == 1 else f' step="{criterion.rules.step}"'
        yield f'<Number {common} min="{lowest}" max="{highest}"{step}/>'
    else:
        yield from _choices(name, [criterion.level_words(level) for level in criterion.levels])
    if criterion.allows_not_applicable:
        yield from _choices(f"{name}{NOT_APPLICABLE_SUFFIX}", ["N/A"])
    if reasons := [tag.label for tag in criterion.reason_tags.all()]:
        yield from _choices(f"{name}{REASONS_SUFFIX}", reasons, choice="multiple")


def _choices(name: str, labels: Iterable[str], choice: str = "single") -> Iterator[str]:
    yield f'<Choices name={quoteattr(name)} toName="{ANSWER}" choice="{choice}">'
    yield from (f"  <Choice value={quoteattr(label)}/>" for label in labels)
    yield "</Choices>"


def json_of_tasks(campaign: Campaign) -> Iterator[str]:
    """The tasks as one JSON list, written as it is read from the database."""
    yield "["
    for number, task in enumerate(tasks_of(campaign)):
        yield f"{',' if number else ''}\n{json.dumps(task, ensure_ascii=False)}"
    yield "\n]\n"


def tasks_of(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """A task for each answer of the campaign, in the order of its items; those without a review as well.

    Gold and calibration items are none: what was given to them is no result.
    """
    criteria = list(campaign.rubric_version.criteria.all())
    names = shown_names(campaign)
    reviews = (
        Review.objects.filter(purpose=Purpose.REVIEW)
        .select_related("correction")
        .prefetch_related("scores", "texts", "spans", "tags__tag")
        .order_by("pk")
    )
    entries = (
        ItemOutput.objects.filter(item__campaign=campaign, item__purpose=Purpose.REVIEW)
        .select_related("item__example", "output", "candidate__model_version")
        .prefetch_related(Prefetch("reviews", queryset=reviews))
        .order_by("pk")
    )
    for entry in entries.iterator(chunk_size=_ANSWERS_AT_ONCE):
        yield {
            "data": _task_data(entry),
            "annotations": [
                _annotation(review, entry.output.text, criteria, names) for review in entry.reviews.all()
            ],
        }


def _task_data(entry: ItemOutput) -> dict[str, str]:
    example = entry.item.example
    values = (
        str(example.metadata.get("item", example.row_number)),
        entry.candidate.model_version.label,
        example.prompt_text,
        example.context,
        example.references[0] if example.references else "",
        entry.output.text,
    )
    return dict(zip(_DATA, values, strict=True))


def _annotation(
    review: Review, answer: str, criteria: list[Criterion], names: ReviewerNames
) -> dict[str, Any]:
    reviewer = {"reviewer": names.of(review.reviewer_id)}
    results = [
        {
            "id": f"r{number}",
            "from_name": result.control,
            "to_name": ANSWER,
            "type": result.kind,
            "origin": "manual",
            "value": result.value,
            "meta": {
                **reviewer,
                **_criterion_meta(result.criterion),
                **({"text": [result.remark]} if result.remark else {}),
            },
        }
        for number, result in enumerate(_results(review, answer, criteria), start=1)
    ]
    return {
        "result": results,
        "lead_time": review.seconds_active,
        "created_at": review.submitted_at.isoformat(),
        "was_cancelled": False,
        "ground_truth": False,
    }


class _Result(NamedTuple):
    """One result: which control says what, and what was remarked about it."""

    control: str
    kind: str
    value: dict[str, Any]
    remark: str = ""
    criterion: Criterion | None = None


def _criterion_meta(criterion: Criterion | None) -> dict[str, Any]:
    """What the name of a control cannot hold, so that the criterion comes back as it was."""
    if criterion is None:
        return {}
    meta: dict[str, Any] = {"criterion": criterion.name}
    if criterion.rules.has_mean:
        meta["scale"] = list(criterion.rules.range)
        if criterion.steps_per_point > 1:
            meta["steps_per_point"] = criterion.steps_per_point
    if criterion.lower_is_better:
        meta["lower_is_better"] = True
    return meta


def _results(review: Review, answer: str, criteria: list[Criterion]) -> Iterator[_Result]:
    scores = {score.criterion_id: score for score in review.scores.all()}
    texts = {text.criterion_id: text.text for text in review.texts.all()}
    reasons: dict[int, list[str]] = {}
    for given in review.tags.all():
        reasons.setdefault(given.tag.criterion_id, []).append(given.tag.label)
    for criterion in criteria:
        name = control_of(criterion)
        if criterion.rules.answered_by == "marks":
            yield from _span_results(review, answer, criterion)
        elif criterion.pk in texts:
            yield _Result(name, "textarea", {"text": [texts[criterion.pk]]}, criterion=criterion)
        elif (score := scores.get(criterion.pk)) is not None:
            yield _score(name, criterion, score.value)._replace(criterion=criterion)
        if criterion.pk in reasons:
            given_reasons = {"choices": reasons[criterion.pk]}
            yield _Result(f"{name}{REASONS_SUFFIX}", "choices", given_reasons, criterion=criterion)
    if hasattr(review, "correction"):
        yield _Result(CORRECTION, "textarea", {"text": [review.correction.text]})
    if review.comment:
        yield _Result(COMMENT, "textarea", {"text": [review.comment]})


def _score(name: str, criterion: Criterion, value: int | None) -> _Result:
    if value is None:
        return _Result(f"{name}{NOT_APPLICABLE_SUFFIX}", "choices", {"choices": ["N/A"]})
    if criterion.rules.has_mean:
        kind = "rating" if _has_stars(criterion) else "number"
        return _Result(name, kind, {kind: value})
    return _Result(name, "choices", {"choices": [criterion.level_words(value)]})


def _span_results(review: Review, answer: str, criterion: Criterion) -> Iterator[_Result]:
    """Places are counted in UTF-16 units there, as browsers do."""
    for span in review.spans.all():
        if span.criterion_id == criterion.pk:
            value = {
                "start": utf16_units(answer, span.start),
                "end": utf16_units(answer, span.end),
                "text": answer[span.start : span.end],
                "labels": [criterion.options[span.label - 1]["label"]],
            }
            yield _Result(control_of(criterion), "labels", value, span.comment)
