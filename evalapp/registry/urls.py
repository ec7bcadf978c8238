from django.urls import path

from evalapp.registry import endpoint_views, price_views, views

_ENDPOINT = "projects/<slug:slug>/settings/endpoints/<int:endpoint_id>/"

urlpatterns = [
    path("projects/<slug:slug>/models/", views.model_list, name="model_list"),
    path("projects/<slug:slug>/settings/endpoints/", endpoint_views.endpoint_list, name="endpoint_list"),
    path(_ENDPOINT, endpoint_views.endpoint_detail, name="endpoint_detail"),
    path(f"{_ENDPOINT}delete/", endpoint_views.endpoint_delete, name="endpoint_delete"),
    path("projects/<slug:slug>/settings/prices/", price_views.token_prices, name="token_prices"),
    path("projects/<slug:slug>/settings/prices/machine/", price_views.machine_price, name="machine_price"),
    path(
        "projects/<slug:slug>/settings/prices/<int:price_id>/remove/",
        price_views.token_price_remove,
        name="token_price_remove",
    ),
]
