#!/usr/bin/env python3
"""ollama_wire.py PORT UPSTREAM: Ollama's HTTP API on loopback, in front of an OpenAI-compatible server.

For tests and for a look at the program's default settings without Ollama:
    scripts/model-server.sh 18080 &
    scripts/ollama_wire.py 11434 http://127.0.0.1:18080
Served are GET / /api/version /api/tags /api/ps and POST /api/show /api/chat /api/generate, streaming (the default) and
not, with `format` and the usual `options`; as https://github.com/ollama/ollama/blob/main/docs/api.md describes them.
Tools are refused as Ollama refuses them for a model without tools. Standard library only.
"""

import hashlib
import json
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "0.12.10"
# Tokens of an answer when the client sets no num_predict; Ollama's own default has no bound.
DEFAULT_TOKENS = 512
# Seconds without a byte from upstream before a request fails.
UPSTREAM_TIMEOUT = 300
# Ollama's option -> the OpenAI field (or llama.cpp's, where OpenAI has none).
OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop",
    "repeat_penalty": "repeat_penalty",
    "num_predict": "max_tokens",
}


class Refusal(Exception):
    """An answer with a status and Ollama's error object."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def now():
    return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def nanoseconds(seconds):
    return max(0, int(seconds * 1e9))


class Upstream:
    """The OpenAI-compatible server."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def open(self, path, body=None, authorization=None):
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            return urllib.request.urlopen(request, timeout=UPSTREAM_TIMEOUT)
        except urllib.error.HTTPError as error:
            raise Refusal(error.code, self.message(error)) from error
        except OSError as error:
            raise Refusal(502, f"the model server does not answer: {error}") from error

    @staticmethod
    def message(error):
        try:
            return json.loads(error.read())["error"]["message"]
        except (ValueError, KeyError, TypeError):
            return f"the model server answered {error.code}"

    def models(self, authorization):
        with self.open("/v1/models", authorization=authorization) as answer:
            return [model["id"] for model in json.load(answer)["data"]]

    def chunks(self, body, authorization):
        """(text, finish reason, usage) of each event of a streamed chat; each may be empty."""
        with self.open("/v1/chat/completions", body, authorization) as answer:
            for line in answer:
                if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
                    continue
                event = json.loads(line[len(b"data: "):])
                if "error" in event:
                    raise Refusal(500, event["error"].get("message", "the model server failed"))
                choice = (event.get("choices") or [{}])[0]
                text = (choice.get("delta") or {}).get("content") or ""
                yield text, choice.get("finish_reason"), event.get("usage")


def response_format(wanted):
    """Ollama's `format` as OpenAI's `response_format`."""
    if wanted == "json":
        return {"type": "json_object"}
    if isinstance(wanted, dict):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": wanted}}
    raise Refusal(400, f'invalid format: {json.dumps(wanted)}; expected "json" or a valid JSON Schema object')


def messages_of(request, chat):
    if not chat:
        system = [{"role": "system", "content": request["system"]}] if request.get("system") else []
        prompt = [{"role": "user", "content": request["prompt"]}] if request.get("prompt") else []
        return system + prompt
    messages = request.get("messages", [])
    if not isinstance(messages, list) or not all(isinstance(m, dict) and "role" in m for m in messages):
        raise Refusal(400, "messages must be a list of objects with a role")
    return [{"role": m["role"], "content": m.get("content") or ""} for m in messages]


def chat_body(request, model, messages):
    """The request to upstream: always streamed, so that a client that leaves ends the work."""
    if request.get("tools"):
        raise Refusal(400, f"registry.ollama.ai/library/{model} does not support tools")
    body = {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": DEFAULT_TOKENS,
    }
    for ours, theirs in OPTIONS.items():
        if ours in (request.get("options") or {}):
            body[theirs] = request["options"][ours]
    if request.get("format"):
        body["response_format"] = response_format(request["format"])
    return body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream = None
    # Whether the head of a streamed answer is out: then an error is a line of the stream.
    streaming = False

    def do_GET(self):
        self.guarded(self.answer_get)

    def do_POST(self):
        self.guarded(self.answer_post)

    def guarded(self, answer):
        """Turns every failure into Ollama's error object."""
        self.streaming = False
        try:
            answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:  # pylint: disable=broad-except
            self.fail(error)

    def fail(self, error):
        told = {"error": str(error) or repr(error)}
        if self.streaming:
            self.send_line(told)
            self.end_stream()
        else:
            self.send(error.status if isinstance(error, Refusal) else 500, told)

    def answer_get(self):
        if self.path == "/":
            self.send(200, b"Ollama is running", "text/plain; charset=utf-8")
        elif self.path == "/api/version":
            self.send(200, {"version": VERSION})
        elif self.path in ("/api/tags", "/api/ps"):
            self.send(200, {"models": [self.describe(name) for name in self.models()]})
        else:
            raise Refusal(404, "not found")

    def answer_post(self):
        request = self.read_json()
        name = request.get("model") or request.get("name")
        if not name:
            raise Refusal(400, "model is required")
        model = name.removesuffix(":latest")
        if model not in self.models():
            raise Refusal(404, f"model '{name}' not found")
        if self.path == "/api/show":
            self.send(200, {"details": self.details(), "model_info": {}, "capabilities": ["completion"]})
        elif self.path in ("/api/chat", "/api/generate"):
            self.generate(request, name, model)
        else:
            raise Refusal(404, "not found")

    def generate(self, request, name, model):
        chat = self.path == "/api/chat"
        messages = messages_of(request, chat)

        def part(text, **more):
            said = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
            return {"model": name, "created_at": now(), **said, "done": False, **more}

        if not messages:
            # How Ollama is asked to load or to drop a model.
            reason = "unload" if request.get("keep_alive") == 0 else "load"
            self.send(200, part("", done=True, done_reason=reason))
            return
        stream = request.get("stream", True)
        started = first = time.monotonic()
        whole, reason, usage = "", "stop", {}
        for text, finish, used in self.upstream.chunks(chat_body(request, model, messages), self.authorization()):
            reason, usage = finish or reason, used or usage
            if not text:
                continue
            first = first if whole else time.monotonic()
            whole += text
            if stream:
                self.send_line(part(text))
        last = self.closing(reason, usage, started, first)
        if stream:
            self.send_line(part("", **last))
            self.end_stream()
        else:
            self.send(200, part(whole, **last))

    @staticmethod
    def closing(reason, usage, started, first):
        """What Ollama adds to the last part: why it ended, tokens and durations."""
        end = time.monotonic()
        return {
            "done": True,
            "done_reason": "length" if reason == "length" else "stop",
            "total_duration": nanoseconds(end - started),
            "load_duration": 0,
            "prompt_eval_count": usage.get("prompt_tokens", 0),
            "prompt_eval_duration": nanoseconds(first - started),
            "eval_count": usage.get("completion_tokens", 0),
            "eval_duration": nanoseconds(end - first),
        }

    def authorization(self):
        return self.headers.get("Authorization")

    def models(self):
        return self.upstream.models(self.authorization())

    @staticmethod
    def details():
        return {"format": "gguf", "family": "llama", "families": ["llama"], "parameter_size": "", "quantization_level": ""}

    def describe(self, name):
        digest = hashlib.sha256(name.encode()).hexdigest()
        tagged = f"{name}:latest"
        about = {"name": tagged, "model": tagged, "size": 0, "digest": digest, "details": self.details()}
        return about | ({"modified_at": now()} if self.path == "/api/tags" else {"expires_at": now(), "size_vram": 0})

    def read_json(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            request = json.loads(raw)
        except ValueError as error:
            raise Refusal(400, f"the body is no JSON: {error}") from error
        if not isinstance(request, dict):
            raise Refusal(400, "the body is no JSON object")
        return request

    def send(self, status, body, content_type="application/json; charset=utf-8"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_line(self, item):
        """One line of a streamed answer, as one HTTP chunk; the head goes out before the first."""
        if not self.streaming:
            self.streaming = True
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        data = json.dumps(item).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        """Nothing: requests hold prompts."""


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Handler.upstream = Upstream(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.daemon_threads = True
    print(f"ollama_wire: ready at http://127.0.0.1:{sys.argv[1]}", file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
