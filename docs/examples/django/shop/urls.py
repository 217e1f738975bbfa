"""The addresses of the example."""

from django.urls import path

from integrations import views

urlpatterns = [path("integrations/", views.integrations)]
