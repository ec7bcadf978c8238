"""Whose reviews are read: people's, and in a demonstration project those of simulated reviewers."""

from django.db.models import Q

from evalapp.accounts.models import Project


def of_reviewer_type(project: Project, reviewer_type: str = "all", *, review: str = "") -> Q:
    """The reviews of "human" or "simulated" reviewers, or of "all"; outside a demonstration project those of
    people, whatever is asked for. ``review``: the way to the review, such as ``review__``.
    """
    if not project.is_demonstration:
        reviewer_type = "human"
    return Q() if reviewer_type == "all" else Q(**{f"{review}is_simulated": reviewer_type == "simulated"})
