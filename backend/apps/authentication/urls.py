"""Tokens for people and programs: user name and password give a pair, the refresh token gives new access tokens.

These answers are secrets, so they are never kept: the Idempotency-Key header has no meaning here.
"""

from __future__ import annotations

from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from backend.apps.authentication.tokens import RefreshSerializer

urlpatterns = [
    path("token/", TokenObtainPairView.as_view(), name="token"),
    path("token/refresh/", TokenRefreshView.as_view(serializer_class=RefreshSerializer), name="token-refresh"),
]
