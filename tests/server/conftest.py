"""Fixtures of a client and of engines that are fakes."""

from server.wire import answers, engines, file

__all__ = ["answers", "engines", "file"]
