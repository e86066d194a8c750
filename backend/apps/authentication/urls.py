"""Accounts, and tokens for people and programs.

User name and password give a pair, the refresh token gives new access tokens; service tokens are for programs. These
answers are secrets, so they are never kept: the Idempotency-Key header has no meaning here.
"""

from __future__ import annotations

from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from backend.api.throttles import LoginThrottle
from backend.apps.authentication import schema  # noqa: F401  (importing it adds to the API's description)
from backend.apps.authentication.api import AccountViewSet, LogoutViewSet, PasswordViewSet, ServiceTokenViewSet
from backend.apps.authentication.tokens import RefreshSerializer

urlpatterns = [
    path("token/", TokenObtainPairView.as_view(throttle_classes=[LoginThrottle]), name="token"),
    path(
        "token/refresh/",
        TokenRefreshView.as_view(serializer_class=RefreshSerializer, throttle_classes=[LoginThrottle]),
        name="token-refresh",
    ),
    path("token/revoke/", LogoutViewSet.as_view({"post": "create"}), name="token-revoke"),
    path("me/", AccountViewSet.as_view({"get": "retrieve", "patch": "partial_update"}), name="account"),
    path("me/password/", PasswordViewSet.as_view({"post": "create"}), name="password"),
    path("tokens/", ServiceTokenViewSet.as_view({"get": "list", "post": "create"}), name="service-tokens"),
    path(
        "tokens/<uuid:token_id>/",
        ServiceTokenViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="service-token",
    ),
]
