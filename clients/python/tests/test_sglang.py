from __future__ import annotations

import pytest

from rows import rows

torch = pytest.importorskip("torch")

# ruff: noqa: E402
from siglip_hd_client.sglang import image_data


def test_all_images_of_a_request_are_one_dict_with_their_rows_in_order() -> None:
    one, two = rows(4, seed=1), rows(2, seed=2)
    data = image_data([one, two])
    assert data["format"] == "precomputed_embedding"
    assert torch.equal(data["feature"], torch.cat([one.torch(), two.torch()]))
    assert image_data(one, dtype=torch.float32)["feature"].dtype == torch.float32


def test_no_image_and_features_are_refused() -> None:
    with pytest.raises(ValueError, match="no image"):
        image_data([])
    with pytest.raises(ValueError, match='output="embeddings"'):
        image_data(rows(output="features"))
