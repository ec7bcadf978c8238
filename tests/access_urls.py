"""The row of `tests.access_objects.make_world` for every URL argument.

A package adds the names of its URL arguments to `KWARGS`, or to `ROUTE_KWARGS` if two packages use one name
for different objects.
"""

from collections.abc import Callable
from types import SimpleNamespace

Kwarg = Callable[[SimpleNamespace], object]

# Name of a URL argument → the row's key. Names that end in "id" or "pk" are ids of rows.
KWARGS: dict[str, Kwarg] = {
    "slug": lambda world: world.project.slug,
    "job_id": lambda world: world.job.pk,
    "dataset_id": lambda world: world.dataset.pk,
    "import_id": lambda world: world.dataset_import.pk,
    "draft_id": lambda world: world.dataset_draft.pk,
    "erasure_id": lambda world: world.erasure.pk,
    "recipe_id": lambda world: world.dataset_recipe.pk,
    "rubric_id": lambda world: world.rubric.pk,
    "run_id": lambda world: world.run.pk,
    "sweep_id": lambda world: world.sweep.pk,
    "person_id": lambda world: world.user.pk,
    "preference": lambda world: world.gold_preference.pk,
    "answer": lambda world: world.gold_answer.pk,
    "campaign_id": lambda world: world.campaign.pk,
    "item_id": lambda world: world.item.pk,
    "item_output_id": lambda world: world.item_output.pk,
    "change_request_id": lambda world: world.change_request.pk,
    "appeal_id": lambda world: world.appeal.pk,
    "comparison_id": lambda world: world.comparison.pk,
    "export_id": lambda world: world.export.pk,
    "report_id": lambda world: world.report.pk,
    "row_id": lambda world: world.export_row.pk,
    "review_id": lambda world: world.review.pk,
    "webhook_id": lambda world: world.endpoint.pk,
    "delivery_id": lambda world: world.delivery.pk,
    "invitation_id": lambda world: world.invitation.pk,
    "flag_id": lambda world: world.flag.pk,
    "rule_id": lambda world: world.rule.pk,
    "judge_id": lambda world: world.judge.pk,
    "endpoint_id": lambda world: world.model_endpoint.pk,
    "metric_id": lambda world: world.external.pk,
    "gate_id": lambda world: world.gate.pk,
    "stream_id": lambda world: world.stream.pk,
    "deployment_id": lambda world: world.deployment.pk,
    "incident_id": lambda world: world.incident.pk,
    "evaluation_id": lambda world: world.evaluation.pk,
    "decision_id": lambda world: world.decision.pk,
    "version_id": lambda world: world.model_version.pk,
    "merged_id": lambda world: world.merged_export.pk,
    "download_id": lambda world: world.hub_download.pk,
    "view_id": lambda world: world.saved_view.pk,
    "price_id": lambda world: world.price.pk,
    "number": lambda world: 1,
    "row_number": lambda world: 1,
    "slot": lambda world: 0,
    "split": lambda world: "feedback",
    "kind": lambda world: "contains",
    "name": lambda world: "none.csv",
    "template": lambda world: "summaries",
    "token": lambda world: "nonsense",
    "uidb36": lambda world: "zz",
    "key": lambda world: "nonsense",
}

ROUTE_KWARGS: dict[str, dict[str, Kwarg]] = {
    "help_topic": {"name": lambda world: "rouge"},
    "dataset_findings": {"kind": lambda world: "personal_data"},
    "dataset_version": {"version_id": lambda world: world.dataset_version.pk},
    **{
        name: {"import_id": lambda world: world.ratings_import.pk}
        for name in (
            *("ratings_import", "ratings_problems"),
            *(
                "api_ratings_import",
                "api_ratings_problems",
                "api_ratings_import_check",
                "api_ratings_import_start",
            ),
        )
    },
    "analysis_table_csv": {"name": lambda world: "people"},
    "analysis_table_markdown": {"name": lambda world: "people"},
    "judge_table_csv": {"name": lambda world: "agreement"},
    "judge_table_markdown": {"name": lambda world: "agreement"},
    "planner_table_csv": {"name": lambda world: "variances"},
    "planner_table_markdown": {"name": lambda world: "variances"},
    "token_revoke": {"pk": lambda world: world.token.pk},
    "member_role": {"pk": lambda world: world.membership.pk},
    "member_remove": {"pk": lambda world: world.membership.pk},
    "member_reset_link": {"pk": lambda world: world.membership.pk},
    "invitation_revoke": {"pk": lambda world: world.invitation.pk},
    "review_next": {"key": lambda world: world.campaign.key},
    "review_undo": {"key": lambda world: world.campaign.key},
    "review_closing": {"key": lambda world: world.campaign.key},
    "review_calibration": {"key": lambda world: world.campaign.key},
    "review_task": {"key": lambda world: world.assignment.key},
    "review_draft": {"key": lambda world: world.assignment.key},
    "review_skip": {"key": lambda world: world.assignment.key},
    # At the slot that the reviewer has reviewed.
    **{
        name: {"key": lambda world: world.assignment.key, "slot": lambda world: 1}
        for name in ("review_discussion", "review_appeal", "api_my_discussion", "api_my_appeals")
    },
    **{
        name: {"campaign_id": lambda world: world.pairs.pk}
        for name in (
            "pair_results",
            "preference_list",
            "preference_file",
            "differing_preferences",
            "api_campaign_gold_preferences",
        )
    },
    **{
        name: {"campaign_id": lambda world: world.pairs.pk}
        for name in (
            *("adjudication_comparison", "comparison_discussion", "api_disputed_comparisons"),
            *("api_compared", "api_comparison_discussion", "api_comparison_adjudications"),
        )
    },
    "review_flag": {"key": lambda world: world.assignment.key},
    "flag_resolve": {"pk": lambda world: world.campaign.pk},
    "api_my_campaign": {"key": lambda world: world.campaign.key},
    **{
        f"api_my_{name}": {"key": lambda world: world.campaign.key}
        for name in ("undo", "calibration", "calibration_notes")
    },
    "api_my_next": {"key": lambda world: world.campaign.key},
    "api_my_closing": {"key": lambda world: world.campaign.key},
    "api_my_task": {"key": lambda world: world.assignment.key},
    "api_my_draft": {"key": lambda world: world.assignment.key},
    "api_my_skip": {"key": lambda world: world.assignment.key},
    "api_my_flag": {"key": lambda world: world.assignment.key},
    **{
        f"campaign_{name}": {
            "pk": lambda world: world.campaign.pk,
            "campaign_reviewer": lambda world: world.campaign_reviewer.pk,
        }
        for name in (
            *(
                "detail",
                "design",
                "edit",
                "discard",
                "items",
                "progress",
                "flags",
                "quality",
                "open",
                "pause",
            ),
            *("resume", "close"),
            *("reviewers_add", "reviewer_remove", "assignments", "quota", "release", "deadline", "additions"),
            "checks",
            *("gold_remove", "calibration", "admit"),
        )
    },
}


def kwargs_of(route: str, names: list[str], world: SimpleNamespace) -> dict[str, object]:
    """The arguments of one URL, from the rows of ``world``."""
    own = ROUTE_KWARGS.get(route, {})
    missing = [name for name in names if name not in own and name not in KWARGS]
    if missing:
        raise LookupError(f"{route}: say in tests/access_urls.py which row {missing} is.")
    return {name: own.get(name, KWARGS.get(name))(world) for name in names}  # type: ignore[misc]
