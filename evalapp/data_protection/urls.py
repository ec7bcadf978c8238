from django.urls import path

from evalapp.data_protection import views

urlpatterns = [
    path("projects/<slug:slug>/settings/erasures/", views.erasure_list, name="erasure_list"),
    path("projects/<slug:slug>/settings/erasures/<int:erasure_id>/", views.erasure, name="erasure"),
]
