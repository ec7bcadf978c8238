"""Generation with API models, with parallel requests.

Every answer is a line of outputs.jsonl in the run directory as soon as it has come, and on the disk; an
attempt after a kill, a cancel or a failure asks only what has no line. The answers are taken in at the end,
all at once, like those of the model programs.
"""

import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from evalapp.core.completions import Completion, CompletionError, complete
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.jobs.work import Work
from evalapp.registry.endpoints import opened_key
from evalapp.registry.models import Endpoint
from evalapp.runs.generation.endpoint_requests import request_body
from evalapp.runs.models import Run, RunCandidate
from evalapp.runs.programs.directory import folder_for, generation_rows, words_of
from evalapp.runs.programs.ingest import Answers, most_reasons, store_generated_answers
from inference.spec import Candidate, GenerationRow, Output, SamplingParameters
from run_directory.files import drop_torn_line, sha256_of
from run_directory.protocol import OUTPUTS_FILE
from run_directory.records import RecordError

PAUSES = (1.0, 4.0, 15.0, 60.0)
"""Seconds before the second and the later tries of one question, where the endpoint names none itself."""
LONGEST_WAIT = 120.0
"""Most seconds that an endpoint's own Retry-After is obeyed for."""
ANSWER_SECONDS = 120.0
MOST_FAILURES_IN_ROW = 5
ENGINE = "endpoint"
_LOOK_SECONDS = 0.2
_MOST_TOLD = 50


@dataclass(frozen=True)
class _Asked:
    """A candidate as it is asked: where, with which key, and in which words."""

    key: str
    endpoint: Endpoint
    secret: str
    words: Candidate
    config: dict[str, Any]


class _Question(NamedTuple):
    asked: _Asked
    row: GenerationRow


class _Reply(NamedTuple):
    """``completion``, or the ``problem`` that there is none; ``ends_run`` where no other question fares
    better.
    """

    question: _Question
    seconds: float
    completion: Completion | None = None
    problem: str = ""
    ends_run: bool = False


def ask_endpoints(work: Work) -> dict[str, Any]:
    """Let every candidate of the run answer every row, and store the answers.

    A question without an answer after all its tries is stored as refused, with the reason. Raises
    InvalidError where an endpoint refuses the key, or after five questions in a row without an answer; what
    was answered is kept for another attempt.
    """
    run = Run.objects.select_related("project", "job", "dataset_version__dataset").get(job=work.job)
    sampling = SamplingParameters.from_dict(run.spec["sampling"], where="Settings")
    folder = folder_for(run)
    folder.mkdir(parents=True, exist_ok=True)
    candidates = [_asked(entry) for entry in run.candidates.select_related("model_version__endpoint")]
    rows = list(generation_rows(run))
    log = _AnswerLog(folder / OUTPUTS_FILE)
    questions = [
        _Question(asked, row)
        for asked in candidates
        for row in rows
        if (asked.key, row.example, row.sample) not in log.done
    ]
    total = len(candidates) * len(rows)
    for endpoint in {asked.endpoint for asked in candidates}:
        work.log(f"Asking {endpoint.name} ({endpoint.origin}), {endpoint.parallel} at once.")
    began = time.monotonic()
    work.progress(total - len(questions), total, "Asking")
    reported: set[str] = set()
    told = 0
    with log:
        for reply in _replies(work, questions, sampling):
            if reply.completion is not None and reply.completion.model:
                reported.add(reply.completion.model)
            if reply.problem and (told := told + 1) <= _MOST_TOLD:
                work.log(f"{reply.question.row.example}: {reply.problem}", level="warning")
            log.add(reply)
            work.progress(len(log.done), total)
    answers = _answers(run, log, reported, time.monotonic() - began)
    return store_generated_answers(work, run, answers)


def _asked(entry: RunCandidate) -> _Asked:
    version = entry.model_version
    assert version.endpoint is not None
    words = words_of(version, key=entry.key)
    return _Asked(entry.key, version.endpoint, opened_key(version.endpoint), words, version.config)


def _replies(work: Work, questions: Sequence[_Question], sampling: SamplingParameters) -> Iterator[_Reply]:
    """Replies in the order in which they come. Raises what ``work`` raises when it should stop.

    The threads never touch the database, and are left to end by themselves: a request that hangs holds
    nobody up.
    """
    waiting: dict[int, queue.SimpleQueue[_Question]] = {}
    for question in questions:
        waiting.setdefault(question.asked.endpoint.pk, queue.SimpleQueue()).put(question)
    endpoints = {question.asked.endpoint.pk: question.asked.endpoint for question in questions}
    came: queue.SimpleQueue[_Reply] = queue.SimpleQueue()
    stop = threading.Event()
    troubles = _Troubles(work)
    for pk, own in waiting.items():
        for _ in range(min(endpoints[pk].parallel, own.qsize())):
            threading.Thread(target=_ask_all, args=(own, came, stop, sampling, troubles), daemon=True).start()
    try:
        for _ in questions:
            yield _next(work, came)
    finally:
        stop.set()


def _next(work: Work, came: "queue.SimpleQueue[_Reply]") -> _Reply:
    while True:
        work.raise_if_cancelled()
        try:
            return came.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            continue


def _ask_all(
    waiting: "queue.SimpleQueue[_Question]",
    came: "queue.SimpleQueue[_Reply]",
    stop: threading.Event,
    sampling: SamplingParameters,
    troubles: "_Troubles",
) -> None:
    while not stop.is_set():
        try:
            question = waiting.get_nowait()
        except queue.Empty:
            return
        reply = _ask(question, stop, sampling, troubles)
        if reply.ends_run:
            stop.set()
        came.put(reply)


class _Troubles:
    """Tells of each endpoint's first try in vain, at once: all its tries together can take ten minutes."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._told: set[int] = set()
        self._lock = threading.Lock()

    def tell(self, question: _Question, problem: str, wait: float) -> None:
        endpoint = question.asked.endpoint
        with self._lock:
            if endpoint.pk in self._told:
                return
            self._told.add(endpoint.pk)
        # Handed over, not written here: the threads never touch the database.
        self._work.log(
            f"{endpoint.name}, {question.row.example}: {problem} Retrying in {wait:.0f} s, at most"
            f" {len(PAUSES)} times.",
            level="warning",
        )


def _ask(
    question: _Question, stop: threading.Event, sampling: SamplingParameters, troubles: _Troubles
) -> _Reply:
    """Ask until there is an answer, or no more reason to ask."""
    asked = question.asked
    body = request_body(asked.words, asked.config, question.row, sampling)
    began = time.monotonic()
    for pause in (*PAUSES, None):
        began = time.monotonic()
        try:
            completion = complete(asked.endpoint.url, body, secret=asked.secret, seconds=ANSWER_SECONDS)
            return _Reply(question, time.monotonic() - began, completion)
        except CompletionError as error:
            problem = str(error)
            if error.is_final or not error.is_passing:
                return _Reply(question, time.monotonic() - began, problem=problem, ends_run=error.is_final)
            wait = (pause or 0.0) if error.wait is None else min(error.wait, LONGEST_WAIT)
        except ProblemError as error:
            # The guard refuses the endpoint: of every other question it says the same.
            return _Reply(question, time.monotonic() - began, problem=error.message, ends_run=True)
        if pause is None or wait is None:
            break
        troubles.tell(question, problem, wait)
        if stop.wait(wait):
            break
    return _Reply(question, time.monotonic() - began, problem=problem)


class _AnswerLog:
    """outputs.jsonl: a line for each question that is settled. Failures are written once an answer follows,
    so that a run which fails over them asks those questions again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        drop_torn_line(path)
        self.outputs = self._read()
        self.done = {(each.candidate, each.example, each.sample) for each in self.outputs}
        self._failures: list[Output] = []

    def __enter__(self) -> Self:
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write(self._failures)
        os.close(self._file)

    def add(self, reply: _Reply) -> None:
        """Raises InvalidError where the run cannot go on."""
        output = _output(reply)
        if reply.problem:
            self._failures.append(output)
            if reply.ends_run:
                raise InvalidError(f"{reply.problem} Fix that, then try again: earlier answers are kept.")
            if len(self._failures) >= MOST_FAILURES_IN_ROW:
                raise InvalidError(
                    f"{len(self._failures)} questions in a row got no answer; the last: {reply.problem}"
                    " Fix that, then try again: earlier answers are kept."
                )
        else:
            self._write([*self._failures, output])
            self._failures = []
        self.done.add((output.candidate, output.example, output.sample))

    def _write(self, outputs: Sequence[Output]) -> None:
        lines = memoryview("".join(output.to_json() + "\n" for output in outputs).encode())
        while lines:
            lines = lines[os.write(self._file, lines) :]
        os.fsync(self._file)
        self.outputs += outputs

    def _read(self) -> list[Output]:
        if not self.path.exists():
            return []
        try:
            with self.path.open("rb") as file:
                return [
                    Output.from_json(line, where=f"line {number}")
                    for number, line in enumerate(file, start=1)
                ]
        except RecordError as error:
            raise InvalidError(
                f"The answers of an earlier attempt cannot be read ({self.path.name}, {error}). Start a new"
                " run."
            ) from error


def _output(reply: _Reply) -> Output:
    question, completion = reply.question, reply.completion
    filtered = completion is not None and completion.finish_reason == "content_filter"
    problem = "the endpoint filtered the answer" if filtered else reply.problem.rstrip(".")
    text = completion.text if completion is not None and not problem else ""
    return Output(
        candidate=question.asked.key,
        example=question.row.example,
        sample=question.row.sample,
        text=text,
        reasoning=completion.reasoning if completion is not None else "",
        finish_reason="refused" if problem else "length" if completion.finish_reason == "length" else "stop",  # type: ignore[union-attr]  # no problem, so there is one
        refusal=problem or None,
        prompt_tokens=(completion.prompt_tokens if completion else None) or 0,
        completion_tokens=(completion.completion_tokens if completion else None) or 0,
        seconds=reply.seconds,
        batch=0,
    )


def _answers(run: Run, log: _AnswerLog, reported: set[str], seconds: float) -> Answers:
    """What the file holds; sets on ``run`` where the answers come from."""
    reasons = Counter(each.refusal for each in log.outputs if each.refusal)
    origins = sorted({str(entry["url"]) for entry in run.spec["candidates"]})
    run.engine = ENGINE
    run.engine_reason = f"its candidates are API models at {', '.join(origins)}"
    run.result = {
        "sampling": run.spec["sampling"],
        "completion_tokens": sum(each.completion_tokens for each in log.outputs),
        "seconds": seconds,
        "reported_models": sorted(reported),
    }
    return Answers(len(log.outputs), most_reasons(reasons), sha256_of(log.path))
