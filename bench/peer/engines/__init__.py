"""Compares onepack with other engines for language models: docs/engines.md."""
