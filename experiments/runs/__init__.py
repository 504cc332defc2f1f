"""Runs and their folders: tables, files, provenance, figures."""
