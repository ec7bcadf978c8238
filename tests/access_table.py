"""The one table of who may open what: every address of the product has its row here.

A row names what reading (GET) and writing (POST, PUT, PATCH, DELETE) need. A new address without a
row fails tests/test_access.py, and so does a row that says something else than the view.
"""

from typing import NamedTuple

from evalapp.accounts.permissions import Permission as P


class Access(NamedTuple):
    """``read`` and ``write``: a permission, or one of the words below; one word holds for both."""

    read: P | str
    write: P | str


PUBLIC = "public"  # anyone
SIGNED_IN = "signed in"  # any signed-in person, and only what is theirs
OWNS_ONE = "owns one"  # a signed-in person who owns a project, whichever, or the site admin
SITE_ADMIN = "site admin"  # the site admin, a member of a project or not
LINK = "link"  # whoever holds the secret in the address
ALLAUTH = (
    "allauth"  # the sign-in library's own page, held by its own tests and tests/accounts/test_sign_in.py
)


def both(needed: P | str) -> Access:
    return Access(needed, needed)


ACCESS: dict[str, Access] = {
    "healthz": both(PUBLIC),
    # accounts
    "account_login": both(ALLAUTH),
    "account_logout": both(ALLAUTH),
    "account_signup": both(PUBLIC),
    "account_inactive": both(ALLAUTH),
    "account_reauthenticate": both(ALLAUTH),
    "account_change_password": both(ALLAUTH),
    "account_set_password": both(ALLAUTH),
    "account_reset_password": both(PUBLIC),
    "account_reset_password_from_key": both(ALLAUTH),
    "account_reset_password_from_key_done": both(ALLAUTH),
    "invitation_accept": both(LINK),
    "profile": both(SIGNED_IN),
    "person_delete": both(SIGNED_IN),
    "token_list": both(SIGNED_IN),
    "token_revoke": both(SIGNED_IN),
    "project_settings": both(P.MANAGE_MEMBERS),
    "project_delete": both(P.DELETE_PROJECT),
    "member_list": both(P.MANAGE_MEMBERS),
    "member_role": both(P.MANAGE_MEMBERS),
    "member_remove": both(P.MANAGE_MEMBERS),
    "member_reset_link": both(P.MANAGE_MEMBERS),
    "invitation_revoke": both(P.MANAGE_MEMBERS),
    "audit_list": both(P.VIEW_AUDIT),
    "installation_audit": both(SITE_ADMIN),
    # jobs
    "job_list": both(P.VIEW_RUNS),
    "job_detail": both(P.VIEW_RUNS),
    "job_progress": both(P.VIEW_RUNS),
    "job_cancel": both(P.START_RUNS),
    "job_retry": both(P.START_RUNS),
    # datasets
    "dataset_list": both(P.VIEW_DATA),
    "dataset_new": both(P.EDIT_DATA),
    "dataset_detail": both(P.VIEW_DATA),
    "dataset_version": both(P.VIEW_DATA),
    "dataset_upload": both(P.EDIT_DATA),
    "dataset_import": Access(P.VIEW_DATA, P.EDIT_DATA),
    "dataset_import_errors": both(P.VIEW_DATA),
    "dataset_row": both(P.VIEW_DATA),
    "dataset_download": both(P.VIEW_DATA),
    # rubrics
    "rubric_list": both(P.VIEW_RUBRICS),
    "rubric_new": both(P.EDIT_RUBRICS),
    "rubric_bring": both(P.EDIT_RUBRICS),
    "rubric_file": both(P.VIEW_RUBRICS),
    "rubric_detail": both(P.VIEW_RUBRICS),
    "rubric_version": both(P.VIEW_RUBRICS),
    "rubric_edit": both(P.EDIT_RUBRICS),
    "rubric_rename": both(P.EDIT_RUBRICS),
    # registry
    "model_list": both(P.VIEW_MODELS),
    "model_version": both(P.VIEW_MODELS),
    "base_new": both(P.EDIT_MODELS),
    "prompt_new": both(P.EDIT_MODELS),
    "adapter_new": both(P.EDIT_MODELS),
    "imported_new": both(P.EDIT_MODELS),
    "model_alias": both(P.EDIT_MODELS),
    # runs
    "run_list": both(P.VIEW_RUNS),
    "run_detail": both(P.VIEW_RUNS),
    "run_loss": both(P.VIEW_RUNS),
    "run_outputs": both(P.VIEW_RUNS),
    "training_new": both(P.START_RUNS),
    "generation_new": both(P.START_RUNS),
    "outputs_import": both(P.START_RUNS),
    # scoring
    "rule_list": both(P.VIEW_ANALYSIS),
    "rule_new": Access(P.VIEW_ANALYSIS, P.EDIT_RUBRICS),
    "rule_edit": Access(P.VIEW_ANALYSIS, P.EDIT_RUBRICS),
    "rule_use": both(P.EDIT_RUBRICS),
    "run_score": both(P.START_RUNS),
    # campaigns
    "campaign_list": both(P.VIEW_CAMPAIGNS),
    "campaign_new": both(P.EDIT_CAMPAIGNS),
    "campaign_cost": both(P.EDIT_CAMPAIGNS),
    "campaign_detail": both(P.VIEW_CAMPAIGNS),
    "campaign_edit": both(P.EDIT_CAMPAIGNS),
    "campaign_discard": both(P.EDIT_CAMPAIGNS),
    "campaign_items": both(P.VIEW_CAMPAIGNS),
    "campaign_reviewers_add": both(P.EDIT_CAMPAIGNS),
    "campaign_reviewer_remove": both(P.EDIT_CAMPAIGNS),
    "campaign_open": both(P.EDIT_CAMPAIGNS),
    "campaign_pause": both(P.EDIT_CAMPAIGNS),
    "campaign_resume": both(P.EDIT_CAMPAIGNS),
    "campaign_close": both(P.EDIT_CAMPAIGNS),
    # reviews
    "review_home": both(SIGNED_IN),
    "review_submitted": both(SIGNED_IN),
    "review_keys": both(SIGNED_IN),
    "review_next": both(SIGNED_IN),
    "review_undo": both(SIGNED_IN),
    "review_task": both(SIGNED_IN),
    "review_draft": both(SIGNED_IN),
    "review_skip": both(SIGNED_IN),
    "campaign_progress": both(P.VIEW_CAMPAIGNS),
    # analysis
    "measure_notes": both(SIGNED_IN),
    "comparison_list": both(P.VIEW_ANALYSIS),
    "comparison_detail": both(P.VIEW_ANALYSIS),
    "comparison_csv": both(P.VIEW_ANALYSIS),
    "case_list": both(P.VIEW_ANALYSIS),
    "case_detail": both(P.VIEW_ANALYSIS),
    # exports
    "export_list": both(P.VIEW_EXPORTS),
    "export_new": Access(P.VIEW_EXPORTS, P.EDIT_EXPORTS),
    "export_detail": both(P.VIEW_EXPORTS),
    "export_accept_all": both(P.DECIDE_EXPORT_ROWS),
    "export_finish": both(P.EDIT_EXPORTS),
    "export_row": Access(P.VIEW_EXPORTS, P.DECIDE_EXPORT_ROWS),
    "export_file": both(P.VIEW_EXPORTS),
    "lineage_review": both(P.VIEW_EXPORTS),
    "lineage_model": both(P.VIEW_EXPORTS),
    # ratings
    "ratings_list": both(P.VIEW_CAMPAIGNS),
    "ratings_upload": both(P.EDIT_CAMPAIGNS),
    "ratings_import": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "ratings_problems": both(P.VIEW_CAMPAIGNS),
    "label_studio_tasks": both(P.VIEW_ANALYSIS),
    "label_studio_config": both(P.VIEW_ANALYSIS),
    # decisions
    "home": both(SIGNED_IN),
    "project_list": both(SIGNED_IN),
    "project_new": both(OWNS_ONE),
    "project_home": both(P.VIEW_HOME),
    "decision_new": Access(P.VIEW_ANALYSIS, P.DECIDE),
    # api
    "api_schema": both(PUBLIC),
    "api_missing": both(PUBLIC),
    "api_me": both(SIGNED_IN),
    "api_projects": both(SIGNED_IN),
    "api_project": both(P.VIEW_HOME),
    "api_members": both(P.MANAGE_MEMBERS),
    "api_datasets": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_dataset": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_dataset_versions": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_dataset_version": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_examples": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_imports": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_import": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_import_start": Access(P.VIEW_DATA, P.EDIT_DATA),
    "api_rubrics": Access(P.VIEW_RUBRICS, P.EDIT_RUBRICS),
    "api_rubric_templates": Access(P.VIEW_RUBRICS, P.EDIT_RUBRICS),
    "api_rubric": Access(P.VIEW_RUBRICS, P.EDIT_RUBRICS),
    "api_rubric_versions": Access(P.VIEW_RUBRICS, P.EDIT_RUBRICS),
    "api_rubric_version": Access(P.VIEW_RUBRICS, P.EDIT_RUBRICS),
    "api_models": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_folders": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_base": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_prompt": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_adapter": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_adapter_upload": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_imported": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_alias": Access(P.VIEW_MODELS, P.EDIT_MODELS),
    "api_model_lineage": both(P.VIEW_EXPORTS),
    "api_runs": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run_training": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run_generation": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run_import": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run_upload": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run_points": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run_outputs": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_run_score": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_jobs": both(P.VIEW_RUNS),
    "api_job": both(P.VIEW_RUNS),
    "api_job_events": both(P.VIEW_RUNS),
    "api_job_cancel": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_job_retry": Access(P.VIEW_RUNS, P.START_RUNS),
    "api_rules": Access(P.VIEW_ANALYSIS, P.EDIT_RUBRICS),
    "api_rule": Access(P.VIEW_ANALYSIS, P.EDIT_RUBRICS),
    "api_campaigns": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_campaign": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_campaign_open": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_campaign_pause": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_campaign_resume": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_campaign_close": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_campaign_reviewers": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_campaign_progress": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_comparison": both(P.VIEW_ANALYSIS),
    "api_differences": both(P.VIEW_ANALYSIS),
    "api_agreement": both(P.VIEW_ANALYSIS),
    "api_cases": both(P.VIEW_ANALYSIS),
    "api_case": both(P.VIEW_ANALYSIS),
    "api_ratings_imports": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_ratings_import": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_ratings_problems": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_ratings_import_check": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_ratings_import_start": Access(P.VIEW_CAMPAIGNS, P.EDIT_CAMPAIGNS),
    "api_label_studio_tasks": both(P.VIEW_ANALYSIS),
    "api_label_studio_config": both(P.VIEW_ANALYSIS),
    "api_exports": Access(P.VIEW_EXPORTS, P.EDIT_EXPORTS),
    "api_export": both(P.VIEW_EXPORTS),
    "api_export_rows": both(P.VIEW_EXPORTS),
    "api_export_decide": both(P.DECIDE_EXPORT_ROWS),
    "api_export_row_decide": both(P.DECIDE_EXPORT_ROWS),
    "api_export_finish": both(P.EDIT_EXPORTS),
    "api_export_file": both(P.VIEW_EXPORTS),
    "api_decisions": Access(P.VIEW_ANALYSIS, P.DECIDE),
    "api_review_lineage": both(P.VIEW_EXPORTS),
    "api_my_campaigns": both(SIGNED_IN),
    "api_my_reviews": both(SIGNED_IN),
    "api_my_campaign": both(SIGNED_IN),
    "api_my_next": both(SIGNED_IN),
    "api_my_task": both(SIGNED_IN),
    "api_my_draft": both(SIGNED_IN),
    "api_my_skip": both(SIGNED_IN),
    # demo
    "demonstration": both(P.VIEW_HOME),
}
