"""Filters reviews by people or, in demonstration projects, by simulated reviewers."""

from django.db.models import Q

from evalapp.accounts.models import Project


def of_reviewer_type(project: Project, reviewer_type: str = "all", *, review: str = "") -> Q:
    """A filter for reviews by "human" or "simulated" reviewers, or "all"; outside demonstration projects
    always "human". ``review``: the lookup prefix of the review, such as ``review__``.
    """
    if not project.is_demonstration:
        reviewer_type = "human"
    return Q() if reviewer_type == "all" else Q(**{f"{review}is_simulated": reviewer_type == "simulated"})
