"""Measurements of the finished program. They write JSON into results/, and tables from it into docs/results.md."""
