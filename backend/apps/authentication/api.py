"""The user's own account and tokens over REST.

Whoever comes with a service token can neither make nor revoke tokens, nor change the account: a token that leaked must
not outlive its discovery. The answer to a new token is a secret, so Idempotency-Key has no meaning here: no answer is
kept.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from backend.api.throttles import LoginThrottle
from backend.api.views import PlainViewSet
from backend.apps.authentication.account_serializers import (
    AccountSerializer,
    PasswordSerializer,
    RefreshTokenSerializer,
)
from backend.apps.authentication.permissions import NOBODYS_TOKEN
from backend.apps.authentication.requests import user_of
from backend.apps.authentication.selectors import own_token, own_tokens
from backend.apps.authentication.service_token_serializers import (
    MadeServiceTokenSerializer,
    NewServiceTokenSerializer,
    ServiceTokenSerializer,
)
from backend.apps.authentication.services import accounts, service_tokens
from backend.apps.authentication.tokens import end_refresh_token


@extend_schema_view(
    list=extend_schema(summary="List your service tokens"),
    create=extend_schema(
        summary="Make a service token", request=NewServiceTokenSerializer, responses={201: MadeServiceTokenSerializer}
    ),
    retrieve=extend_schema(summary="Get a service token"),
    destroy=extend_schema(summary="Revoke a service token"),
)
class ServiceTokenViewSet(PlainViewSet):
    """Tokens that programs act with in your name."""

    serializer_class = ServiceTokenSerializer
    lookup_url_kwarg = "token_id"
    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("list", "retrieve", "create", "destroy"), NOBODYS_TOKEN)

    def list(self, request: Request) -> Response:
        """List your service tokens, newest first, without their values."""
        return self.page(own_tokens(user=user_of(request)))

    def create(self, request: Request) -> Response:
        """Make a token for a program. Its value is in this answer and nowhere else."""
        wanted = self.validated(request, NewServiceTokenSerializer)
        made = service_tokens.add_token(user=user_of(request), **wanted)
        answer = self.created(made, MadeServiceTokenSerializer, location=f"{request.path}{made.row.pk}/")
        answer["Cache-Control"] = "no-store"
        return answer

    def retrieve(self, request: Request, token_id: UUID) -> Response:
        """Get one of your service tokens, without its value."""
        return self.one(own_token(user=user_of(request), token_id=token_id))

    def destroy(self, request: Request, token_id: UUID) -> Response:
        """Revoke a token: it is refused from now on."""
        service_tokens.revoke_token(token=own_token(user=user_of(request), token_id=token_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    retrieve=extend_schema(summary="Get your account"),
    partial_update=extend_schema(summary="Change your account"),
)
class AccountViewSet(PlainViewSet):
    """The account of whoever asks."""

    serializer_class = AccountSerializer
    scopes: ClassVar[dict[str, str]] = {"partial_update": NOBODYS_TOKEN}

    def retrieve(self, request: Request) -> Response:
        """Get your own account, and what the token you came with is good for."""
        return self.one(user_of(request))

    def partial_update(self, request: Request) -> Response:
        """Change your names or your e-mail address."""
        return self.one(accounts.change_account(user=user_of(request), **self.validated(request, partial=True)))


@extend_schema_view(
    create=extend_schema(summary="Change your password", request=PasswordSerializer, responses={204: None}),
)
class PasswordViewSet(PlainViewSet):
    """The password of whoever asks."""

    serializer_class = PasswordSerializer
    throttle_classes = (LoginThrottle,)
    scopes: ClassVar[dict[str, str]] = {"create": NOBODYS_TOKEN}

    def create(self, request: Request) -> Response:
        """Change your password. Every access and refresh token ends with it; service tokens stay."""
        accounts.change_password(user=user_of(request), **self.validated(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    create=extend_schema(
        summary="Log out",
        request=RefreshTokenSerializer,
        responses={204: OpenApiResponse(description="The refresh token is good for nothing any more.")},
    ),
)
class LogoutViewSet(PlainViewSet):
    """The end of a refresh token."""

    serializer_class = RefreshTokenSerializer
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (LoginThrottle,)

    def get_authenticate_header(self, request: Request) -> str:  # noqa: ARG002  (REST framework's signature)
        """Return the challenge of a 401, which this view has although it asks for no token in the header."""
        return 'Bearer realm="api"'

    def create(self, request: Request) -> Response:
        """End a refresh token. The access tokens made with it end by themselves, within minutes."""
        end_refresh_token(self.validated(request)["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)
