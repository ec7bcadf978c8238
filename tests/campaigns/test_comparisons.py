from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalapp.campaigns.comparisons import arranged, oriented_pairs, work_of
from evalapp.campaigns.models import CampaignCandidate, Comparison, ItemOutput
from evalapp.core.errors import InvalidError
from tests.campaigns.making import make_campaign, make_open_campaign, make_team


@given(st.integers(2, 8))
def test_every_pair_meets_once_and_each_stands_left_as_often_as_right(count):
    pairs = oriented_pairs(count)
    assert {frozenset(pair) for pair in pairs} == {
        frozenset((one, other)) for one in range(count) for other in range(one)
    }
    assert len(pairs) == count * (count - 1) // 2
    lefts = Counter(left for left, _ in pairs)
    rights = Counter(right for _, right in pairs)
    assert all(abs(lefts[each] - rights[each]) <= 1 for each in range(count))


@given(st.integers(2, 8), st.data())
def test_with_a_baseline_its_pairs_alone_are_there_and_it_stands_on_both_sides(count, data):
    baseline = data.draw(st.integers(0, count - 1))
    pairs = oriented_pairs(count, baseline=baseline)
    assert sorted((set(pair) - {baseline}).pop() for pair in pairs) == [
        each for each in range(count) if each != baseline
    ]
    lefts = sum(left == baseline for left, _ in pairs)
    assert abs(2 * lefts - len(pairs)) <= 1


@given(st.integers(2, 5))
def test_over_as_many_turns_as_outputs_each_stands_once_at_each_position(count):
    outputs = list(range(count))
    turns = [arranged(outputs, arrangement) for arrangement in range(count)]
    for position in range(count):
        assert sorted(turn[position] for turn in turns) == outputs


def test_the_work_of_a_assignment_follows_the_method():
    assert work_of("pointwise", 3) == (3, "candidate")
    assert work_of("pairwise", 4) == (6, "pair")
    assert work_of("pairwise", 4, has_baseline=True) == (3, "pair")
    assert work_of("ranking", 4) == (1, "ranking")


def positions_of(campaign):
    """For each item and output: how often it stands at each position, over the item's assignments."""
    owner = dict(ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position"))
    comparisons = {each.pk: each for each in Comparison.objects.filter(item__campaign=campaign)}
    counts = defaultdict(Counter)
    for assignment in campaign.assignments.all():
        for pk in assignment.outputs_order:
            assert comparisons[pk].item_id == assignment.item_id
            for position, output in enumerate(arranged(comparisons[pk].outputs, assignment.arrangement)):
                counts[assignment.item_id, owner[output]][position] += 1
    return counts


def spread(counter, positions):
    values = [counter[position] for position in range(positions)]
    return max(values) - min(values)


@pytest.mark.django_db
@pytest.mark.parametrize("overlap", [1, 2, 3])
@pytest.mark.parametrize("candidates", [2, 3, 4])
@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_sides_are_balanced_in_every_item_and_over_the_campaign(method, candidates, overlap):
    if method == "ranking" and candidates < 3:
        pytest.skip("a ranking takes three")
    project, people = make_team(3)
    campaign = make_open_campaign(
        project, people, rows=7, candidates=candidates, overlap=overlap, method=method, seed=candidates
    )
    width = candidates if method == "ranking" else 2
    counts = positions_of(campaign)
    overall = defaultdict(Counter)
    for (_, output), counter in counts.items():
        # A pair's two positions are counted over all its pairs.
        assert spread(counter, width) <= 1
        overall[output].update(counter)
    assert all(spread(counter, width) <= 1 for counter in overall.values())


@pytest.mark.django_db
@pytest.mark.parametrize("overlap", [1, 3])
def test_each_pair_of_candidates_is_balanced_by_itself(overlap):
    project, people = make_team(3)
    campaign = make_open_campaign(
        project, people, rows=9, candidates=3, overlap=overlap, method="pairwise", seed=3
    )
    owner = dict(ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position"))
    comparisons = {each.pk: each for each in Comparison.objects.filter(item__campaign=campaign)}
    lefts = Counter()
    for assignment in campaign.assignments.all():
        for pk in assignment.outputs_order:
            left, right = (owner[each] for each in arranged(comparisons[pk].outputs, assignment.arrangement))
            lefts[left, right] += 1
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(lefts[one, other] - lefts[other, one]) <= 1
        assert lefts[one, other] + lefts[other, one] == 9 * overlap


def _drawn(project, person, method, seed, name):
    """What a seed decides, told without ids: rows, order of comparisons, and who stands where."""
    campaign = make_open_campaign(
        project,
        [person],
        rows=10,
        candidates=4,
        overlap=1,
        method=method,
        seed=seed,
        name=name,
        dataset=name,
        rubric=name,
    )
    owner = dict(ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position"))
    comparisons = {each.pk: each for each in Comparison.objects.filter(item__campaign=campaign)}
    return [
        (
            assignment.item.example.row_number,
            [
                [owner[output] for output in arranged(comparisons[pk].outputs, assignment.arrangement)]
                for pk in assignment.outputs_order
            ],
        )
        for assignment in campaign.assignments.order_by("rank").select_related("item__example")
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_a_seed_gives_the_same_comparisons_and_sides_again(project, reviewer, method):
    first = _drawn(project, reviewer, method, 7, "one")
    assert _drawn(project, reviewer, method, 7, "two") == first
    assert _drawn(project, reviewer, method, 8, "three") != first


@pytest.mark.django_db
def test_a_ranking_has_other_neighbours_from_item_to_item(project, reviewer):
    drawn = _drawn(project, reviewer, "ranking", 7, "one")
    followers = Counter()
    for _, (order,) in drawn:
        followers.update(pairwise(order))
    assert len(followers) > 6


@pytest.mark.django_db
def test_the_launch_asks_for_one_judgement_a_pair_and_assignment(project, reviewer, other_reviewer):
    campaign = make_open_campaign(
        project, [reviewer, other_reviewer], rows=5, candidates=3, overlap=2, method="pairwise"
    )
    assert (campaign.items_total, campaign.reviews_total) == (5, 5 * 3 * 2)
    assert Comparison.objects.filter(item__campaign=campaign).count() == 15
    assert set(campaign.assignments.values_list("outputs_total", "open_slots__len")) == {(3, 3)}


@pytest.mark.django_db
def test_with_a_baseline_only_its_pairs_are_asked_for(project, reviewer):
    draft = make_campaign(project, [reviewer], rows=3, candidates=4, overlap=1, method="pairwise")
    draft.baseline = CampaignCandidate.objects.get(campaign=draft, position=2).model_version
    draft.save(update_fields=["baseline"])
    from evalapp.campaigns.services import open_campaign

    campaign = open_campaign(campaign=draft, by=None)
    assert campaign.reviews_total == 9
    owner = dict(ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position"))
    for comparison in Comparison.objects.filter(item__campaign=campaign):
        assert 2 in {owner[output] for output in comparison.outputs}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"method": "pairwise", "candidates": 1}, "candidates", "at least two candidates"),
        ({"method": "ranking", "candidates": 2}, "candidates", "3 to 5 candidates; 2 chosen"),
        ({"method": "ranking", "candidates": 6}, "candidates", "3 to 5 candidates; 6 chosen"),
        ({"method": "voting"}, "method", "There is no method “voting”"),
    ],
)
def test_a_design_that_cannot_be_compared_is_refused_by_field(project, reviewer, options, field, words):
    with pytest.raises(InvalidError) as refused:
        make_campaign(project, [reviewer], **options)
    assert words in " ".join(refused.value.fields[field])


@pytest.mark.django_db
def test_a_baseline_must_be_a_candidate_of_a_comparison_in_pairs(project, reviewer):
    from tests.campaigns.making import make_candidates

    (stray,) = make_candidates(project, ["stray"])
    for method, words in (
        ("pairwise", "not among the chosen candidates"),
        ("pointwise", "Only a pairwise comparison"),
    ):
        with pytest.raises(InvalidError) as refused:
            make_campaign(
                project, [reviewer], method=method, baseline=stray, name=method, dataset=method, rubric=method
            )
        assert words in refused.value.fields["baseline"][0]
