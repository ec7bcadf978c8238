from dataclasses import replace
from statistics import mean

import pytest

from evalapp.demo.generator import generate_examples
from evalapp.demo.review_words import REASON_TAGS
from evalapp.demo.simulated_reviewers import CRITERIA, LOW, REVIEWERS, accepts_correction, review
from evalapp.demo.text_features import read_text

EXAMPLES = [example for example in generate_examples(training=0) if example.split == "feedback"]


def rate(register: str, **changes: object) -> list:
    return [
        review(
            replace(reviewer, **changes),
            getattr(example, register),
            facts=example.facts,
            reference=example.formal,
            seed=42,
        )
        for example in EXAMPLES
        for reviewer in REVIEWERS
    ]


def mean_score(reviews: list, criterion: str) -> float:
    return mean(one.scores[criterion] for one in reviews)


def test_the_same_seed_gives_the_same_reviews_and_another_seed_does_not():
    assert rate("formal") == rate("formal")
    example = EXAMPLES[0]
    given = {"facts": example.facts, "reference": example.formal}
    assert [review(REVIEWERS[0], example.formal, seed=seed, **given) for seed in range(5)] != [
        review(REVIEWERS[0], example.formal, seed=42, **given),
    ] * 5


def test_formal_texts_get_a_low_tone_and_house_style_a_high_one():
    assert 2.0 < mean_score(rate("formal"), "tone") < 2.6
    assert mean_score(rate("house_style"), "tone") > 4.2


def test_accuracy_does_not_depend_on_the_register():
    assert mean_score(rate("formal"), "accuracy") == pytest.approx(
        mean_score(rate("house_style"), "accuracy"), abs=0.2
    )


def test_scores_are_whole_and_within_the_scale_and_tags_are_the_rubrics():
    for one in rate("formal") + rate("house_style"):
        assert set(one.scores) == set(CRITERIA)
        assert all(score in (1, 2, 3, 4, 5) for score in one.scores.values())
        assert set(one.tags) == {criterion for criterion, score in one.scores.items() if score <= LOW}
        for criterion, tags in one.tags.items():
            assert tags
            assert set(tags) <= set(REASON_TAGS[criterion])


def test_formal_texts_are_tagged_too_formal_without_next_step_or_goal():
    tags = {tag for one in rate("formal") for tags in one.tags.values() for tag in tags}

    assert {"too formal", "no next step", "goal not named"} <= tags
    assert "wrong number" not in tags


def test_an_invented_figure_is_a_material_error_and_lowers_accuracy():
    example = EXAMPLES[0]
    text = f"{example.house_style} You could reach EUR 987,654."
    attentive = replace(REVIEWERS[0], attention=1.0, noise=0.0)
    wrong = review(attentive, text, facts=example.facts, reference=example.formal, seed=42)
    right = review(attentive, example.house_style, facts=example.facts, reference=example.formal, seed=42)

    assert wrong.material_error
    assert wrong.tags["accuracy"] == ("wrong number",)
    assert wrong.scores["accuracy"] < right.scores["accuracy"]
    assert not right.material_error


def test_an_inattentive_reviewer_misses_it():
    example = EXAMPLES[0]
    text = f"{example.house_style} You could reach EUR 987,654."

    assert not review(
        replace(REVIEWERS[0], attention=0.0), text, facts=example.facts, reference=example.formal, seed=42
    ).material_error


def test_a_strict_reviewer_scores_lower_than_a_lenient_one():
    strict, lenient = rate("formal", severity=-0.5), rate("formal", severity=0.5)

    assert all(mean_score(strict, criterion) < mean_score(lenient, criterion) for criterion in CRITERIA[1:])


def test_corrections_are_house_style_vary_by_reviewer_and_are_not_one_template():
    example = EXAMPLES[0]
    texts = [
        review(
            replace(reviewer, diligence=1.0, carelessness=0.0),
            example.formal,
            facts=example.facts,
            reference=example.formal,
            seed=42,
        ).correction
        for reviewer in REVIEWERS
    ]

    assert len(set(texts)) == len(REVIEWERS)
    assert all(read_text(text, example.facts).house_style for text in texts)


def test_a_good_answer_needs_no_correction():
    assert {one.correction for one in rate("house_style")} == {None}


def test_a_careless_correction_is_written_but_not_accepted():
    example = EXAMPLES[0]
    careless = rate("formal", carelessness=1.0, diligence=1.0)[0].correction
    careful = rate("formal", carelessness=0.0, diligence=1.0)[0].correction

    assert accepts_correction(careful, facts=example.facts)
    assert careless
    accepted = [
        accepts_correction(one.correction, facts=example.facts)
        for one, example in zip(
            rate("formal", carelessness=1.0, diligence=1.0),
            [example for example in EXAMPLES for _ in REVIEWERS],
            strict=True,
        )
    ]
    assert sum(accepted) < 0.4 * len(accepted)


def test_an_empty_output_is_rated_low_and_corrected():
    example = EXAMPLES[0]
    one = review(REVIEWERS[0], "", facts=example.facts, reference=example.formal, seed=42)

    assert one.scores["personalization"] <= LOW
    assert one.correction
