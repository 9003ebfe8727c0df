"""The clean HTTP API: queries, catalog, work groups, health; errors are problem documents."""

from querysvc.rest.app import RestServices, create_app

__all__ = ["RestServices", "create_app"]
