"""How an operation is written: one declaration that is checked, and that the OpenAPI schema shows.

    @route("runs/", "api_runs")
    class RunList(ProjectView):
        required_permission = Permission.VIEW_RUNS

        @operation("List runs", query=RunQuery, result=RunSerializer, paged=True)
        def get(self) -> object:
            return self.page(queries.runs_of(self.project, kind=self.query["kind"]))

Access comes first, then the URL's parameters; a method fetches what its ids name and only then
reads ``self.body()``, so that foreign ids are 404 whatever is sent with them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import cleandoc
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed, ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from evalapp.accounts.access import membership_for
from evalapp.accounts.models import ApiToken, Membership, Project, User
from evalapp.accounts.permissions import Permission
from evalapp.api.errors import by_field
from evalapp.api.fields import Body, Nothing, Paging, Query
from evalapp.api.pagination import KeysetPagination
from evalapp.api.parsers import StrictJSONParser
from evalapp.core.errors import InvalidError, NotAllowedError
from evalapp.core.uploads import takes_imports

READING = ("GET", "HEAD")
Handler = Callable[..., object]
Row = TypeVar("Row", bound=Model)
View = TypeVar("View", bound="ApiView")
AnySerializer = type[serializers.Serializer[Any]]
ROUTES: list[URLPattern] = []
"""Where the operations of all modules that are imported so far are served."""


class ProblemDetailSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(
        help_text="Identifies the error for programs; it does not change between releases."
    )
    message = serializers.CharField(help_text="What was wrong, where, and how to fix it.")
    fields = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), help_text="Messages by field."
    )


class ProblemSerializer(serializers.Serializer[Any]):
    """The body of every error."""

    error = ProblemDetailSerializer()


class Answer(NamedTuple):
    """A result with a status other than the operation's usual one."""

    value: object
    status: int


class Operation(NamedTuple):
    summary: str
    body: type[Body]
    query: type[Query]
    result: AnySerializer | None
    status: int
    paged: bool
    upload: bool


class JSONAlways(BaseContentNegotiation):
    """Answers are JSON whatever the Accept header says; a body is parsed by its Content-Type."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Open to any signed-in person; methods show and change only that person's own data.

    ``required_permission`` is for reading, ``post_permission`` (by default the same) for everything else.
    """

    required_permission: ClassVar[Permission | None] = None
    post_permission: ClassVar[Permission | None] = None
    prefix: ClassVar[str] = ""
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    content_negotiation_class = JSONAlways
    pagination_class: ClassVar[type[KeysetPagination]] = KeysetPagination
    order: tuple[str, ...] = ("-id",)
    most_body_bytes: ClassVar[int | None] = None
    """Set where the body may be larger than elsewhere."""

    query: dict[str, Any]
    _operation: Operation

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "required_permission" in vars(cls) and "post_permission" not in vars(cls):
            cls.post_permission = cls.required_permission

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = super().as_view(**initkwargs)
        handlers = (getattr(cls, method, None) for method in cls.http_method_names)
        declared = (getattr(handler, "operation", None) for handler in handlers)
        return takes_imports(view) if any(each is not None and each.upload for each in declared) else view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if self._declared(request.method or "") is None:
            raise MethodNotAllowed(request.method or "")
        super().initial(request, *args, **kwargs)
        token = request.auth
        if isinstance(token, ApiToken) and token.scope and token.scope != self.token_scope(token):
            raise NotAllowedError(f"This token is for {token.scope} only. Use another one of yours.")

    def token_scope(self, token: ApiToken) -> str:
        """The token scope that allows this operation besides unscoped tokens; "" if no scope does."""
        return ""

    def get_parsers(self) -> list[BaseParser]:
        declared = self._declared(self.request.method or "") if getattr(self, "request", None) else None
        return [MultiPartParser() if declared is not None and declared.upload else StrictJSONParser()]

    @property
    def person(self) -> User:
        return cast(User, self.request.user)

    def body(self) -> dict[str, Any]:
        """The body's fields, checked. Raises ValidationError (400)."""
        given = self._operation.body(data=self.request.data)
        given.is_valid(raise_exception=True)
        return cast(dict[str, Any], given.validated_data)

    def changes(self, current: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a PATCH, checked: a field that is left out has its ``current`` value. Raises
        ValidationError (400).
        """
        given = self._operation.body(data=self._over(current))
        given.is_valid(raise_exception=True)
        return cast(dict[str, Any], given.validated_data)

    def _over(self, current: Mapping[str, Any]) -> Any:
        given = self.request.data
        return {**current, **given} if isinstance(given, Mapping) else given

    def body_so_far(
        self, current: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """The readable fields of the body (for a PATCH over ``current``), and the problems of the others.
        Raises ValidationError (400) if the body is wrong as a whole.
        """
        data = self._over(current or {})
        given = self._operation.body(data=data)
        if given.is_valid():
            return cast(dict[str, Any], given.validated_data), {}
        values, problems = given.read(data) if isinstance(data, Mapping) else ({}, {})
        if not problems:
            raise ValidationError(given.errors)
        return values, dict(by_field(problems))

    def page(self, rows: Any, *, dress: Callable[[list[Any]], list[Any]] = list) -> HttpResponseBase:
        """One page of a queryset in ``order``, or of a list by ``key_of``; ``dress`` completes its rows."""
        paginator = self.pagination_class()
        chosen = dress(paginator.paginate_queryset(rows, self.request, view=self))
        result = self._operation.result
        assert result is not None
        return paginator.get_paginated_response(result(chosen, many=True, context=self.context).data)

    @property
    def context(self) -> dict[str, Any]:
        """Data about the reader for serializers."""
        return {"request": self.request, "view": self}

    def key_of(self, row: Any) -> str:
        raise NotImplementedError

    def place_of(self, rows: Any, after: str) -> int | None:
        """Position of the row with this key in a sequence, counted from 1; None if it is not there."""
        return next((place for place, row in enumerate(rows, start=1) if self.key_of(row) == after), None)

    def _declared(self, method: str) -> Operation | None:
        handler = getattr(self, method.lower(), None) if method.lower() in self.http_method_names else None
        return getattr(handler, "operation", None)


class ProjectView(ApiView):
    """A route inside a project: 404 for non-members, 403 for members without the permission."""

    prefix = "projects/<slug:slug>/"

    project: Project
    membership: Membership

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        needed = self.required_permission if request.method in READING else self.post_permission
        assert needed is not None
        self.membership = membership_for(request.user, kwargs["slug"], needed)
        self.project = self.membership.project


def route(url: str, name: str) -> Callable[[type[View]], type[View]]:
    """Serve an ApiView at this URL under /api/v1/, a ProjectView at this URL of its project."""

    def registered(view: type[View]) -> type[View]:
        ROUTES.append(path(f"{view.prefix}{url}", view.as_view(), name=name))
        return view

    return registered


def operation(
    summary: str,
    *,
    body: type[Body] = Nothing,
    query: type[Query] = Query,
    result: AnySerializer | None = None,
    status: int = 200,
    paged: bool = False,
    upload: bool = False,
    also: dict[int, str] | None = None,
    binary: bool = False,
    operation_id: str | None = None,
) -> Callable[[Handler], Handler]:
    """Declare a method of an ApiView.

    ``paged``: pages of rows (``query`` must then be a Paging). ``upload``: the
    body is a form with a file. ``also``: other good statuses with the same shape. ``binary``: a file.
    ``operation_id``: where the one made of the URL is another operation's, too.
    The method gets the route's arguments less ``slug`` and returns what ``result`` shows, an Answer, or
    a response of its own.
    """
    if paged and query is Query:
        query = Paging
    declared = Operation(summary, body, query, result, status, paged, upload)

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def wrapped(self: ApiView, request: HttpRequest, slug: str = "", **kwargs: Any) -> HttpResponseBase:
            self._operation = declared
            parameters = query(data=request.GET)
            parameters.is_valid(raise_exception=True)
            self.query = cast(dict[str, Any], parameters.validated_data)
            return _respond(self, declared, handler(self, **kwargs))

        wrapped.operation = declared  # type: ignore[attr-defined]  # read by ApiView
        return cast(
            Handler,
            extend_schema(
                operation_id=operation_id, **_described(handler, declared, also or {}, binary=binary)
            )(wrapped),
        )

    return decorate


def _respond(view: ApiView, declared: Operation, found: object) -> HttpResponseBase:
    if isinstance(found, HttpResponseBase):
        return found
    status = declared.status
    if isinstance(found, Answer):
        found, status = found
    if declared.result is None:
        return Response(status=status)
    shown = declared.result(cast(Any, found), context=view.context)
    return Response(shown.data, status=status)


def _described(
    handler: Handler, declared: Operation, also: dict[int, str], *, binary: bool
) -> dict[str, Any]:
    shape: Any = declared.result(many=declared.paged) if declared.result else None
    if binary:
        shape = OpenApiResponse(OpenApiTypes.BINARY, description="The file.")
    good = {status: OpenApiResponse(shape, description=words) for status, words in also.items()}
    media_type = "multipart/form-data" if declared.upload else "application/json"
    # The parameters of paging are the paginator's to describe.
    own_query = set(declared.query().fields) - set(Paging().fields)
    return {
        "summary": declared.summary,
        # Without words of its own, the framework would take those of the class.
        "description": cleandoc(handler.__doc__) if handler.__doc__ else f"{declared.summary}.",
        "parameters": [_without_paging(declared.query)] if own_query else [],
        "request": None if declared.body is Nothing else {media_type: declared.body},
        "responses": {
            (declared.status, "application/octet-stream") if binary else declared.status: shape,
            **good,
            "default": OpenApiResponse(ProblemSerializer, description="What was wrong, and how to fix it."),
        },
    }


def _without_paging(query: type[Query]) -> type[Query]:
    """The same parameters less those of paging, for the schema alone."""
    hidden = dict.fromkeys(Paging().fields) if issubclass(query, Paging) else {}
    return cast(type[Query], type(query.__name__, (query,), hidden)) if hidden else query


@contextmanager
def named(**names: str) -> Iterator[None]:
    """Give what a service refuses the field's name in the body: ``named(rows="answers")``."""
    try:
        yield
    except InvalidError as error:
        fields = {names.get(field, field): texts for field, texts in error.fields.items()}
        raise InvalidError(error.message, fields=fields) from error


def chosen(rows: QuerySet[Row], pk: int, field: str, what: str) -> Row:
    """The row that a body's field names; InvalidError where the project has none of that id."""
    row = rows.filter(pk=pk).first()
    if row is None:
        raise InvalidError(f"This project has no {what} {pk}.", field=field)
    return row


def chosen_all(rows: QuerySet[Row], pks: Sequence[int], field: str, what: str) -> list[Row]:
    """The rows that a body's list names, in its order; InvalidError naming those that are not there."""
    found = rows.in_bulk(list(pks))
    missing = [str(pk) for pk in pks if pk not in found]
    if missing:
        raise InvalidError(f"This project has no {what} {', '.join(missing[:10])}.", field=field)
    return [found[pk] for pk in pks]
