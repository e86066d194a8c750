"""Who a request is from."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory, force_authenticate

from backend.apps.authentication.models import User
from backend.apps.authentication.requests import user_of


def test_the_user_of_a_request() -> None:
    user = User(username="ada")
    plain = APIRequestFactory().get("/")
    force_authenticate(plain, user=user)
    assert user_of(Request(plain)) is user


def test_nobodys_request() -> None:
    request = Request(APIRequestFactory().get("/"))
    request.user = AnonymousUser()
    with pytest.raises(NotAuthenticated):
        user_of(request)
