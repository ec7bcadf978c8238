from django.urls import path

from evalapp.gates import views

_PROJECT = "projects/<slug:slug>"
_GATE = f"{_PROJECT}/campaigns/gates/<int:gate_id>"
_CAMPAIGN = f"{_PROJECT}/campaigns/<int:campaign_id>/gate"

urlpatterns = [
    path(f"{_PROJECT}/campaigns/gates/", views.gate_list, name="gate_list"),
    path(f"{_PROJECT}/campaigns/gates/new/", views.gate_new, name="gate_new"),
    path(f"{_GATE}/", views.gate_detail, name="gate_detail"),
    path(f"{_GATE}/edit/", views.gate_edit, name="gate_edit"),
    path(f"{_CAMPAIGN}/", views.campaign_gate, name="campaign_gate"),
    path(f"{_CAMPAIGN}/apply/", views.campaign_gate_apply, name="campaign_gate_apply"),
    path(f"{_CAMPAIGN}/attest/", views.campaign_gate_attest, name="campaign_gate_attest"),
    path(f"{_CAMPAIGN}/evaluate/", views.campaign_gate_evaluate, name="campaign_gate_evaluate"),
]
