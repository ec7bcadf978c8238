"""Generation with API models, with parallel requests.

Every answer is written to outputs.jsonl in the run directory at once. An attempt after a kill, a cancellation
or a failure asks only the questions without a line there. All answers are stored together at the end, like
those of the model programs.
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

RETRY_PAUSES = (1.0, 4.0, 15.0, 60.0)
"""Seconds before the second and later tries of a question, unless the endpoint sends Retry-After."""
LONGEST_WAIT = 120.0
"""Maximum seconds to wait for an endpoint's Retry-After."""
ANSWER_SECONDS = 120.0
MOST_FAILURES_IN_ROW = 5
ENGINE = "endpoint"
_POLL_SECONDS = 0.2
_MOST_LOGGED = 50


@dataclass(frozen=True)
class _AskedCandidate:
    """A candidate with its endpoint, API key and prompt wording."""

    key: str
    endpoint: Endpoint
    secret: str
    words: Candidate
    config: dict[str, Any]


class _Question(NamedTuple):
    asked: _AskedCandidate
    row: GenerationRow


class _Reply(NamedTuple):
    """Either a ``completion`` or a ``problem``; ``ends_run`` if every other question would fail likewise."""

    question: _Question
    seconds: float
    completion: Completion | None = None
    problem: str = ""
    ends_run: bool = False


def ask_endpoints(work: Work) -> dict[str, Any]:
    """Get an answer from every candidate to every row and store the answers.

    A question that fails in all its tries is stored as refused, with the reason. Raises InvalidError when an
    endpoint rejects the key, or after five failed questions in a row; earlier answers are kept for another
    attempt.
    """
    run = Run.objects.select_related("project", "job", "dataset_version__dataset").get(job=work.job)
    sampling = SamplingParameters.from_dict(run.spec["sampling"], where="Settings")
    folder = folder_for(run)
    folder.mkdir(parents=True, exist_ok=True)
    candidates = [_candidate(entry) for entry in run.candidates.select_related("model_version__endpoint")]
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
    logged = 0
    with log:
        for reply in _replies(work, questions, sampling):
            if reply.completion is not None and reply.completion.model:
                reported.add(reply.completion.model)
            if reply.problem and (logged := logged + 1) <= _MOST_LOGGED:
                work.log(f"{reply.question.row.example}: {reply.problem}", level="warning")
            log.add(reply)
            work.progress(len(log.done), total)
    answers = _summarise_answers(run, log, reported, time.monotonic() - began)
    return store_generated_answers(work, run, answers)


def _candidate(entry: RunCandidate) -> _AskedCandidate:
    version = entry.model_version
    assert version.endpoint is not None
    words = words_of(version, key=entry.key)
    return _AskedCandidate(entry.key, version.endpoint, opened_key(version.endpoint), words, version.config)


def _replies(work: Work, questions: Sequence[_Question], sampling: SamplingParameters) -> Iterator[_Reply]:
    """Yield replies in order of arrival. Raises whatever ``work`` raises when it should stop.

    The threads never access the database and are not joined, so a hanging request blocks nothing.
    """
    waiting: dict[int, queue.SimpleQueue[_Question]] = {}
    for question in questions:
        waiting.setdefault(question.asked.endpoint.pk, queue.SimpleQueue()).put(question)
    endpoints = {question.asked.endpoint.pk: question.asked.endpoint for question in questions}
    replies: queue.SimpleQueue[_Reply] = queue.SimpleQueue()
    stop = threading.Event()
    failures = _FailureLog(work)
    for pk, own in waiting.items():
        for _ in range(min(endpoints[pk].parallel, own.qsize())):
            threading.Thread(
                target=_ask_until_empty, args=(own, replies, stop, sampling, failures), daemon=True
            ).start()
    try:
        for _ in questions:
            yield _next_reply(work, replies)
    finally:
        stop.set()


def _next_reply(work: Work, replies: "queue.SimpleQueue[_Reply]") -> _Reply:
    while True:
        work.raise_if_cancelled()
        try:
            return replies.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            continue


def _ask_until_empty(
    waiting: "queue.SimpleQueue[_Question]",
    replies: "queue.SimpleQueue[_Reply]",
    stop: threading.Event,
    sampling: SamplingParameters,
    failures: "_FailureLog",
) -> None:
    while not stop.is_set():
        try:
            question = waiting.get_nowait()
        except queue.Empty:
            return
        reply = _ask(question, stop, sampling, failures)
        if reply.ends_run:
            stop.set()
        replies.put(reply)


class _FailureLog:
    """Logs each endpoint's first failed try at once, because all tries of a question can take ten minutes."""

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
        # Work.log queues the message; the threads never access the database.
        self._work.log(
            f"{endpoint.name}, {question.row.example}: {problem} Retrying in {wait:.0f} s, at most"
            f" {len(RETRY_PAUSES)} times.",
            level="warning",
        )


def _ask(
    question: _Question, stop: threading.Event, sampling: SamplingParameters, failures: _FailureLog
) -> _Reply:
    """Ask until there is an answer or a retry is pointless."""
    asked = question.asked
    body = request_body(asked.words, asked.config, question.row, sampling)
    began = time.monotonic()
    for pause in (*RETRY_PAUSES, None):
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
            # The outgoing policy rejects the endpoint, so all other questions would fail too.
            return _Reply(question, time.monotonic() - began, problem=error.message, ends_run=True)
        if pause is None or wait is None:
            break
        failures.tell(question, problem, wait)
        if stop.wait(wait):
            break
    return _Reply(question, time.monotonic() - began, problem=problem)


class _AnswerLog:
    """outputs.jsonl: a line for each settled question. Failures are written only once an answer follows, so
    that a run which fails because of them asks those questions again.
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
        """Record a reply. Raises InvalidError when the run cannot continue."""
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
        finish_reason="refused" if problem else "length" if completion.finish_reason == "length" else "stop",  # type: ignore[union-attr]  # set if there is no problem
        refusal=problem or None,
        prompt_tokens=(completion.prompt_tokens if completion else None) or 0,
        completion_tokens=(completion.completion_tokens if completion else None) or 0,
        seconds=reply.seconds,
        batch=0,
    )


def _summarise_answers(run: Run, log: _AnswerLog, reported: set[str], seconds: float) -> Answers:
    """Summarise the file; also sets engine, reason and result on ``run``."""
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
