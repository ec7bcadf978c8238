from django.urls import path

from evalapp.judgements import views

urlpatterns = [
    path("judgements/submitted/", views.judgement_submitted, name="judgement_submitted"),
    path("judgements/campaigns/<uuid:key>/", views.judgement_next, name="judgement_next"),
    path("judgements/campaigns/<uuid:key>/undo/", views.judgement_undo, name="judgement_undo"),
    path("judgements/<uuid:key>/<int:slot>/", views.judgement_task, name="judgement_task"),
    path("judgements/<uuid:key>/<int:slot>/draft/", views.judgement_draft, name="judgement_draft"),
    path("judgements/<uuid:key>/<int:slot>/skip/", views.judgement_skip, name="judgement_skip"),
]
