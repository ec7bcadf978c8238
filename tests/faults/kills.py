"""What can be killed, and how to find it."""

import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from evalapp.embedded.processes import is_alive
from tests.installations import Running

# A service, or one of the processes it has started.
WEB, WEB_PROCESS = "web", "a process of web"
WORKER, WORKER_PROCESS = "worker-default", "a process of worker-default"
MODEL_WORKER, BEAT, BROKER = "worker-models", "beat", "valkey"
DATABASE, DATABASE_PROCESS = "postgres", "a process of postgres"
EVERYTHING = (
    *(WEB, WEB_PROCESS, WORKER, WORKER_PROCESS, MODEL_WORKER, BEAT, BROKER),
    *(DATABASE, DATABASE_PROCESS),
)
_ONE_OF = "a process of "


@dataclass
class Killer:
    """Sends SIGKILL to what it is told, and counts."""

    running: Running
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    def fewest(self, targets: Sequence[str]) -> int:
        """How often the least killed of the targets was killed."""
        return min(self.kills[target] for target in targets)

    def kill_one_of_the_least_killed(self, targets: Sequence[str]) -> None:
        """Kill a random target, of those that were killed least and are there to be killed."""
        shuffled = self.chance.sample(targets, len(targets))
        for target in sorted(shuffled, key=lambda each: self.kills[each]):
            if self.kill(target):
                return

    def kill(self, target: str) -> bool:
        """Whether there was something to kill: it may be down from the last time."""
        name = target.removeprefix(_ONE_OF)
        pid = self.running.services().get(name, {}).get("pid")
        if pid is None or not is_alive(pid):
            return False
        if target.startswith(_ONE_OF):
            try:
                pid = self.chance.choice(psutil.Process(pid).children()).pid
            except (psutil.NoSuchProcess, IndexError):
                return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills[target] += 1
        return True
