from django.urls import include, path

from evalapp.core.views import healthz

handler400 = "evalapp.core.views.bad_request"
handler403 = "evalapp.core.views.permission_denied"
handler404 = "evalapp.core.views.not_found"
handler500 = "evalapp.core.views.server_error"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    # First, because addresses are tried in order and these are asked for most.
    path("", include("evalapp.reviews.urls")),
    path("api/v1/", include("evalapp.api_urls")),
    path("", include("evalapp.accounts.urls")),
    path("", include("evalapp.jobs.urls")),
    path("", include("evalapp.datasets.urls")),
    path("", include("evalapp.curation.urls")),
    path("", include("evalapp.data_protection.urls")),
    path("", include("evalapp.rubrics.urls")),
    path("", include("evalapp.registry.urls")),
    path("", include("evalapp.runs.urls")),
    path("", include("evalapp.campaigns.urls")),
    path("", include("evalapp.adjudication.urls")),
    path("", include("evalapp.analysis.urls")),
    path("", include("evalapp.exports.urls")),
    path("", include("evalapp.webhooks.urls")),
    path("", include("evalapp.ratings.urls")),
    path("", include("evalapp.gates.urls")),
    path("", include("evalapp.decisions.urls")),
    path("", include("evalapp.artifacts.urls")),
    path("", include("evalapp.reports.urls")),
    path("", include("evalapp.monitoring.urls")),
    path("", include("evalapp.scoring.urls")),
    path("", include("evalapp.llm_judges.urls")),
    path("", include("evalapp.demo.urls")),
]
