"""The distance between tensors within a network, by hand."""

import pytest
import torch
from narrows.sw.quantize.train.loss import inner_distance


def test_tensors_count_alike_each_in_the_variance_around_its_channels_means():
    goal = torch.tensor([[[[1.0, 3.0]], [[10.0, 10.0]]], [[[1.0, 3.0]], [[14.0, 14.0]]]])  # (2, 2, 1, 2)
    large = 10 * goal
    spread = (1 + 1 + 1 + 1 + 4 + 4 + 4 + 4) / 8
    made = {"small": goal + 1, "large": large.clone()}
    made["large"][0, 0, 0, 0] += 40
    found = inner_distance(made, {"small": goal, "large": large})
    assert found.item() == pytest.approx((1 / spread + (40**2 / 8) / (100 * spread)) / 2)
