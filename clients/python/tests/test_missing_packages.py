from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from rows import rows


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Makes imports of a package fail as where it is not installed."""
    monkeypatch.setitem(sys.modules, package, None)


def import_module(name: str) -> Callable[[], object]:
    return lambda: __import__(f"siglip_hd_client.{name}")


def test_without_torch_its_users_say_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from siglip_hd_client.sglang import image_data
    from siglip_hd_client.transformers import encoder_outputs, inputs_embeds

    without(monkeypatch, "torch")
    monkeypatch.delitem(sys.modules, "siglip_hd_client.llava", raising=False)
    uses: tuple[Callable[[], object], ...] = (
        lambda: rows().torch(),
        lambda: image_data(rows()),
        lambda: encoder_outputs(rows(), "llava"),
        lambda: inputs_embeds(None, None, rows()),
        import_module("llava"),
    )
    for use in uses:
        with pytest.raises(ModuleNotFoundError, match=r"needs torch: pip install 'siglip-hd-client\[torch\]'"):
            use()


def test_without_torch_features_are_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from siglip_hd_client.sglang import image_data
    from siglip_hd_client.transformers import encoder_outputs, inputs_embeds

    without(monkeypatch, "torch")
    features = rows(output="features")
    uses: tuple[Callable[[], object], ...] = (
        lambda: image_data(features),
        lambda: encoder_outputs(features, "llava"),
        lambda: inputs_embeds(None, None, features),
    )
    for use in uses:
        with pytest.raises(ValueError, match='output="embeddings"'):
            use()


def test_without_dynamo_its_adapter_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "dynamo")
    monkeypatch.delitem(sys.modules, "siglip_hd_client.dynamo", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"siglip_hd_client.dynamo needs dynamo: pip install 'ai-dynamo"):
        import_module("dynamo")()
