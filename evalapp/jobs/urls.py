from django.urls import path

from evalapp.jobs import views

urlpatterns = [
    path("projects/<slug:slug>/runs/jobs/", views.job_list, name="job_list"),
    path("projects/<slug:slug>/runs/jobs/<int:job_id>/", views.job_detail, name="job_detail"),
    path("projects/<slug:slug>/runs/jobs/<int:job_id>/progress/", views.job_progress, name="job_progress"),
    path("projects/<slug:slug>/runs/jobs/<int:job_id>/cancel/", views.job_cancel, name="job_cancel"),
    path("projects/<slug:slug>/runs/jobs/<int:job_id>/pause/", views.job_pause, name="job_pause"),
    path("projects/<slug:slug>/runs/jobs/<int:job_id>/resume/", views.job_resume, name="job_resume"),
    path("projects/<slug:slug>/runs/jobs/<int:job_id>/priority/", views.job_priority, name="job_priority"),
    path("projects/<slug:slug>/runs/jobs/<int:job_id>/retry/", views.job_retry, name="job_retry"),
]
