from django.urls import path

from evalapp.demo import views

urlpatterns = [
    path("projects/<slug:slug>/demonstration/", views.demonstration, name="demonstration"),
]
