"""Revisions: expand first, contract a release later."""
