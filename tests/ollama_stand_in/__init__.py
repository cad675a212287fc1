"""A stand-in for an Ollama server: a real HTTP server that speaks Ollama's API and answers from a script.

    with StandIn(replies=["def head(s): ..."], models={"tiny": {}}) as server:
        ollama.Client(host=server.url).chat("tiny", [...])
    assert server.chats[0].options["num_ctx"] == 8192

By hand, with `tests` on the path: `python -m ollama_stand_in --port 11434 --script replies.json`.

What it knows of Ollama is in `wire` (bodies and errors), `prompt` (truncation), `slots` (loading and queueing); the
faults are in `replies`. Sources: github.com/ollama/ollama, `docs/api.md`, `server/routes.go`, `server/prompt.go`,
`llm/llama_server.go`, `api/types.go`.
"""

from ollama_stand_in.models import Model
from ollama_stand_in.prompt import Truncation
from ollama_stand_in.replies import Fault, Reply, ScriptError
from ollama_stand_in.server import Request, StandIn

__all__ = ["Fault", "Model", "Reply", "Request", "ScriptError", "StandIn", "Truncation"]
