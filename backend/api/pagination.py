"""How lists are cut into pages."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination


class NumberedPages(PageNumberPagination):
    """Pages by number: 25 items, or `page_size` up to 100. A page beyond the last is a 404."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100
