"""Bodies of requests, checked as Ollama checks them, and its words for what is wrong with them.

Go's JSON decoder words what it cannot read; the stand-in has its words for a missing body, a body that ends too soon,
a stray character and a field of the wrong type, and the nearest of them for all else.
"""

from __future__ import annotations

import json
import re
from typing import Any

FIELDS = {
    "model": (str, "string"),
    "name": (str, "string"),
    "messages": (list, "[]api.Message"),
    "options": (dict, "map[string]interface {}"),
    "stream": (bool, "bool"),
    "truncate": (bool, "bool"),
}
INTEGERS = ("num_ctx", "num_keep", "num_predict", "seed", "top_k", "num_batch", "num_gpu", "num_thread")
FLOATS = ("temperature", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
NAME = re.compile(r"[\w.:-]+(/[\w.-]+)*(/[\w-][\w.-]*)?(:[\w][\w.-]*)?")
LEVELS = ("high", "medium", "low", "max")


class ApiError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def read_body(raw: bytes, kind: str) -> dict[str, Any]:
    """The fields of a request.

    Raises:
        ApiError: 400, it is no object of the right fields.
    """
    if not raw.strip():
        raise ApiError(400, "missing request body")
    try:
        text = raw.decode()
        body = json.loads(text)
    except UnicodeDecodeError:
        raise ApiError(400, "invalid character 'ÿ' looking for beginning of value") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise ApiError(400, "unexpected EOF") from None
        raise ApiError(400, f"invalid character '{text[error.pos]}' looking for beginning of value") from None
    if not isinstance(body, dict):
        raise ApiError(400, f"json: cannot unmarshal {_go_type(body)} into Go value of type api.{kind}")
    for key, (expected, go_type) in FIELDS.items():
        value = body.get(key)
        if value is not None and not isinstance(value, expected):
            found = _go_type(value)
            raise ApiError(400, f"json: cannot unmarshal {found} into Go struct field {kind}.{key} of type {go_type}")
    for message in body.get("messages") or ():
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            found = _go_type(message)
            raise ApiError(
                400, f"json: cannot unmarshal {found} into Go struct field {kind}.messages of type api.Message"
            )
    return {key: value for key, value in body.items() if value is not None}


def model_name(body: dict[str, Any], *, missing: str = "model is required") -> str:
    """The name as asked for.

    Raises:
        ApiError: 400, there is none, or it is none.
    """
    name = str(body.get("model") or body.get("name") or "")
    if not name:
        raise ApiError(400, missing)
    if not NAME.fullmatch(name):
        raise ApiError(400, "invalid model name")
    return name


def not_found(name: str) -> ApiError:
    """The name as asked for, not the full one."""
    return ApiError(404, f"model '{name}' not found")


def check_think(body: dict[str, Any], capabilities: tuple[str, ...]) -> bool:
    """Whether the model is to think; one that can does unless it is told not to.

    Raises:
        ApiError: 400, it cannot, or the level is unknown.
    """
    think = body.get("think")
    if think is not None and not isinstance(think, bool) and think not in LEVELS:
        allowed = ", ".join(f'"{level}"' for level in LEVELS)
        raise ApiError(400, f"invalid think value: {json.dumps(think)} (must be {allowed}, true, or false)")
    if "thinking" not in capabilities:
        if think:
            raise ApiError(400, f"{json.dumps(body['model'])} does not support thinking")
        return False
    return think is not False


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options; unknown ones pass, as in Ollama, which logs them.

    Raises:
        ApiError: 500, one has the wrong type.
    """
    for names, go_type in ((INTEGERS, "integer"), (FLOATS, "float32")):
        for name in names:
            value = options.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ApiError(500, f'option "{name}" must be of type {go_type}')
    return {**options, **{name: int(options[name]) for name in INTEGERS if options.get(name) is not None}}


def check_format(body: dict[str, Any]) -> None:
    """`json`, a schema, or nothing.

    Raises:
        ApiError: 500, anything else.
    """
    wanted = body.get("format", "")
    if wanted not in ("", "json") and not isinstance(wanted, dict):
        written = json.dumps(json.dumps(wanted))
        raise ApiError(500, f'invalid format: {written}; expected "json" or a valid JSON Schema object')


def keep_alive_s(body: dict[str, Any], otherwise: float) -> float:
    """Seconds, or a duration as Go writes them; negative is for ever.

    Raises:
        ApiError: 400, it is no duration.
    """
    value = body.get("keep_alive", otherwise)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value)
    parts = re.findall(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    if text.lstrip("+-") == "0":
        return 0.0
    if not parts or "".join(map("".join, parts)) != text.lstrip("+-"):
        wrong = "missing unit in" if re.fullmatch(r"[+-]?\d+\.?\d*", text) else "invalid"
        raise ApiError(400, f"time: {wrong} duration {json.dumps(text)}")
    seconds = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds


def _go_type(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    names = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")
