from django.urls import path

from evalapp.webhooks import views

_ENDPOINT = "projects/<slug:slug>/settings/webhooks/<int:webhook_id>"
_DELIVERY = f"{_ENDPOINT}/deliveries/<int:delivery_id>"

urlpatterns = [
    path("projects/<slug:slug>/settings/webhooks/", views.webhook_list, name="webhook_list"),
    path(f"{_ENDPOINT}/", views.webhook_detail, name="webhook_detail"),
    path(f"{_ENDPOINT}/secret/", views.webhook_secret, name="webhook_secret"),
    path(f"{_ENDPOINT}/enable/", views.webhook_enable, name="webhook_enable"),
    path(f"{_ENDPOINT}/disable/", views.webhook_disable, name="webhook_disable"),
    path(f"{_ENDPOINT}/delete/", views.webhook_delete, name="webhook_delete"),
    path(f"{_ENDPOINT}/test/", views.webhook_test, name="webhook_test"),
    path(f"{_DELIVERY}/", views.webhook_delivery, name="webhook_delivery"),
    path(f"{_DELIVERY}/redeliver/", views.webhook_redeliver, name="webhook_redeliver"),
]
