"""Run folders: tables, files, provenance, figures."""
