"""The ASGI application: routes over an engine."""
