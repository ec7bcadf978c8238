from django.urls import path

from evalapp.monitoring import views
from evalapp.monitoring.daily.views import daily_metrics, stream_events
from evalapp.monitoring.deployments.views import deployment_end, deployment_list, stream_roll_back
from evalapp.monitoring.incidents import views as incidents

_MONITOR = "projects/<slug:slug>/monitor"
_STREAM = f"{_MONITOR}/<int:stream_id>"
_INCIDENT = f"{_STREAM}/incidents/<int:incident_id>"

_DEPLOYMENTS = "projects/<slug:slug>/models/deployments"

urlpatterns = [
    path(f"{_DEPLOYMENTS}/", deployment_list, name="deployment_list"),
    path(f"{_DEPLOYMENTS}/<int:deployment_id>/end/", deployment_end, name="deployment_end"),
    path(f"{_MONITOR}/", views.stream_list, name="stream_list"),
    path(f"{_MONITOR}/new/", views.stream_new, name="stream_new"),
    path(f"{_STREAM}/", views.stream_detail, name="stream_detail"),
    path(f"{_STREAM}/edit/", views.stream_edit, name="stream_edit"),
    path(f"{_STREAM}/import/", views.stream_import, name="stream_import"),
    path(f"{_STREAM}/tokens/", views.stream_token_new, name="stream_token_new"),
    path(f"{_STREAM}/daily-metrics/", daily_metrics, name="daily_metrics"),
    path(f"{_STREAM}/events/", stream_events, name="stream_events"),
    path(f"{_STREAM}/pause/", views.stream_pause, name="stream_pause"),
    path(f"{_STREAM}/resume/", views.stream_resume, name="stream_resume"),
    path(f"{_STREAM}/roll-back/", stream_roll_back, name="stream_roll_back"),
    path(f"{_STREAM}/end/", views.stream_end, name="stream_end"),
    path(f"{_STREAM}/sample/", views.stream_sample, name="stream_sample"),
    path(f"{_STREAM}/weeks/<int:number>/", views.stream_week, name="stream_week"),
    path(f"{_INCIDENT}/", incidents.incident_detail, name="incident_detail"),
    path(f"{_INCIDENT}/acknowledge/", incidents.incident_acknowledge, name="incident_acknowledge"),
    path(f"{_INCIDENT}/training-data/", incidents.incident_accept, name="incident_accept"),
    path(f"{_INCIDENT}/second-review/", incidents.incident_second_review, name="incident_second_review"),
    path(f"{_INCIDENT}/close/", incidents.incident_close, name="incident_close"),
]
