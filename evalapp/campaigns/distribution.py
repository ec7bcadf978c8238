"""The manual assignment of items to reviewers: pure arithmetic, seeded.

People are numbered in the order of their rows as campaign reviewers, so that a seed gives the same result in
every database.
"""

import heapq
import random
from collections.abc import Collection, Sequence

Assigned = list[list[int | None]]


def level_targets(loads: Sequence[int], rooms: Sequence[int], wanted: int, *, seed: str) -> list[int]:
    """The number of assignments that each person gets besides their load, so that the loads become as even as
    possible.

    ``rooms``: the most that each person can get. The sum is ``wanted``, or that of all rooms if smaller. If
    no limit prevents it, the loads differ by at most one; the extra ones are drawn.
    """
    wanted = min(wanted, sum(rooms))
    people = list(zip(loads, rooms, strict=True))

    def assigned_up_to(level: int) -> int:
        return sum(min(room, max(0, level - load)) for load, room in people)

    low, high = 0, max((load + room for load, room in people), default=0)
    while low < high:
        middle = (low + high + 1) // 2
        if assigned_up_to(middle) <= wanted:
            low = middle
        else:
            high = middle - 1
    targets = [min(room, max(0, low - load)) for load, room in people]
    next_in_line = [
        person
        for person, (load, room) in enumerate(people)
        if targets[person] < room and load + targets[person] == low
    ]
    random.Random(f"{seed}:level").shuffle(next_in_line)
    for person in next_in_line[: wanted - sum(targets)]:
        targets[person] += 1
    return targets


def distribute(
    needs: Sequence[int],
    targets: Sequence[int],
    *,
    seed: str,
    taken: Sequence[Collection[int]] | None = None,
) -> Assigned:
    """For each item the people who get its assignments: as many as it needs, nobody twice.

    ``targets``: the number of each person's assignments; ``taken``: people who cannot get an item. The person
    furthest from their target comes first, which reaches all targets if that is possible (Gale 1957); ties
    are drawn, so that all combinations of people occur. None: an assignment that nobody can take.
    """
    draw = random.Random(f"{seed}:assign").random
    waiting = [(-target, draw(), person) for person, target in enumerate(targets) if target > 0]
    heapq.heapify(waiting)
    assigned: Assigned = []
    for position, need in enumerate(needs):
        barred = taken[position] if taken is not None else ()
        chosen: list[int | None] = []
        aside: list[tuple[int, float, int]] = []
        while waiting and len(chosen) < need:
            left, tie, person = heapq.heappop(waiting)
            if person in barred:
                aside.append((left, tie, person))
                continue
            chosen.append(person)
            if left + 1 < 0:
                aside.append((left + 1, draw(), person))
        for entry in aside:
            heapq.heappush(waiting, entry)
        assigned.append(chosen + [None] * (need - len(chosen)))
    return assigned
