"""Writes of erasures: search for a person, erase what was found, or discard it."""

import json
from collections.abc import Sequence

from django.db import transaction
from django.utils.crypto import salted_hmac

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.sealing import OtherSecretKeyError, opened, sealed
from evalapp.data_protection.models import Erasure, ErasureState
from evalapp.data_protection.person import ERASED, Person
from evalapp.jobs.models import Job
from evalapp.jobs.services import create_job

SEARCH_TASK = "evalapp.data_protection.tasks.search_person"
ERASE_TASK = "evalapp.data_protection.tasks.erase_person"
SHORTEST_TEXT, LONGEST_TEXT, MOST_TEXTS = 3, 200, 20
LONGEST_REASON = 2_000
_PURPOSE = "evalapp.data_protection.erasure"


@transaction.atomic
def start_search(*, project: Project, texts: Sequence[str], reason: str, by: User) -> Erasure:
    """Queue the job that searches for the texts that identify a person; nothing is erased yet.

    Raises InvalidError with ``fields`` for too few or too many texts, too short or too long ones, and without
    a reason.
    """
    texts = _checked(texts, reason)
    erasure = Erasure(
        project=project,
        reason=reason.strip(),
        text_hashes=sorted(hash_of(project, text) for text in texts),
        sealed_texts=sealed(_PURPOSE, project.pk, json.dumps(texts, ensure_ascii=False)),
        created_by=by,
    )
    erasure.save()
    erasure.job = _job(erasure, SEARCH_TASK, "Search for a person", by)
    erasure.save(update_fields=["job"])
    record("project.erasure_started", by=by, obj=erasure, project=project, data={"texts": len(texts)})
    return erasure


@transaction.atomic
def start_erasing(*, erasure: Erasure, by: User) -> Erasure:
    """Queue the job that erases what the search found, and what was added since.

    Raises ConflictError before the search has ended, while the job is queued or running, and once it is over.
    """
    erasure = _locked(erasure)
    if erasure.is_over:
        raise ConflictError("This erasure is over. Start another one to search data that came in since.")
    if erasure.is_going:
        raise ConflictError("The job of this erasure is running. Wait until it is over, or cancel it.")
    if erasure.state == ErasureState.SEARCHING:
        raise ConflictError("The search has not ended. Retry its job, or discard this and start another one.")
    erasure.state, erasure.confirmed_by = ErasureState.ERASING, by
    erasure.job = _job(erasure, ERASE_TASK, "Erase a person", by)
    erasure.save(update_fields=["state", "confirmed_by", "job"])
    record("project.erasure_confirmed", by=by, obj=erasure, project=erasure.project)
    return erasure


@transaction.atomic
def discard(*, erasure: Erasure, by: User | None) -> None:
    """Forget the texts without erasing them. Raises ConflictError while the job is queued or running, and
    once the erasure is over.
    """
    erasure = _locked(erasure)
    if erasure.is_over:
        raise ConflictError("This erasure is done, so it cannot be discarded.")
    if erasure.is_going:
        raise ConflictError("The job of this erasure is running. Cancel it first.")
    erasure.state, erasure.sealed_texts = ErasureState.DISCARDED, ""
    erasure.save(update_fields=["state", "sealed_texts"])
    record("project.erasure_discarded", by=by, obj=erasure, project=erasure.project)


def texts_of(erasure: Erasure) -> list[str]:
    """The texts that identify the person, until the erasure is over. Raises InvalidError if they were
    encrypted under another secret key of the installation.
    """
    try:
        text = opened(_PURPOSE, erasure.project_id, erasure.sealed_texts, name="erasure")
    except OtherSecretKeyError as error:
        raise InvalidError(
            "The texts of this erasure were encrypted under another secret key of this installation"
            " (EVALAPP_SECRET_KEY). Discard it and start another one."
        ) from error
    return list(json.loads(text or "[]"))


def hash_of(project: Project, text: str) -> str:
    """Hash of a text for the receipt, independent of spaces and case: with the text and this installation's
    secret key, one can verify that it was erased.
    """
    words = " ".join(text.casefold().split())
    return salted_hmac(f"{_PURPOSE}.{project.pk}", words, algorithm="sha256").hexdigest()


def _checked(texts: Sequence[str], reason: str) -> list[str]:
    kept = list(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))
    problems = {}
    if not 1 <= len(kept) <= MOST_TEXTS:
        problems["texts"] = [f"Give 1 to {MOST_TEXTS} texts that identify the person, such as their name."]
    elif any(not SHORTEST_TEXT <= len(text) <= LONGEST_TEXT for text in kept):
        problems["texts"] = [f"Each text has {SHORTEST_TEXT} to {LONGEST_TEXT} characters."]
    elif not all(any(character.isalnum() for character in text) for text in kept):
        problems["texts"] = ["Each text has letters or digits."]
    elif Person(kept).is_in(ERASED.strip("⟨⟩")):
        problems["texts"] = [f"“{ERASED.strip('⟨⟩')}” replaces erased texts; give another text."]
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        problems["reason"] = [f"Say why, in 1 to {LONGEST_REASON:,} characters."]
    if problems:
        raise InvalidError(next(iter(problems.values()))[0], fields=problems)
    return kept


def _job(erasure: Erasure, task: str, title: str, by: User) -> Job:
    return create_job(project=erasure.project, task=task, title=title, by=by, params={"erasure": erasure.pk})


def _locked(erasure: Erasure) -> Erasure:
    # Without its job: a joined job would be the one from before the wait for the lock.
    return Erasure.objects.select_for_update(no_key=True).get(pk=erasure.pk)
