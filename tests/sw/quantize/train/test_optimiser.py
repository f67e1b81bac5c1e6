"""TensorMomentum: steps in the size of each tensor's gradients."""

import pytest
import torch
from narrows.sw.quantize.train.optimiser import TensorMomentum


def test_a_step_is_as_large_whatever_the_gradients_unit():
    for unit in (1e-6, 1.0, 1e6):
        weights = torch.zeros(4, requires_grad=True)
        optimiser = TensorMomentum([{"params": [weights], "lr": 0.5}])
        weights.grad = unit * torch.tensor([1.0, -1.0, 1.0, 1.0])
        optimiser.step()
        assert weights.tolist() == pytest.approx([-0.5, 0.5, -0.5, -0.5])


def test_a_weight_with_hardly_a_gradient_hardly_moves():
    weights = torch.zeros(2, requires_grad=True)
    optimiser = TensorMomentum([{"params": [weights], "lr": 0.1}])
    for _ in range(5):
        weights.grad = torch.tensor([1.0, 1e-3])
        optimiser.step()
    assert weights[1].item() == pytest.approx(1e-3 * weights[0].item(), rel=1e-5)


def test_gradients_that_change_sign_cancel():
    weights = torch.zeros(1, requires_grad=True)
    optimiser = TensorMomentum([{"params": [weights], "lr": 0.1}])
    for step in range(200):
        weights.grad = torch.tensor([1.0 if step % 2 else -1.0])
        optimiser.step()
    assert abs(weights.item()) < 0.3, "all one way it would be 20"


def test_it_finds_a_minimum():
    weights = torch.tensor([3.0, -2.0], requires_grad=True)
    optimiser = TensorMomentum([{"params": [weights], "lr": 0.05}])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / 300)
    for _ in range(300):
        optimiser.zero_grad()
        (weights - torch.tensor([1.0, 1.0])).square().sum().backward()
        optimiser.step()
        schedule.step()
    assert weights.tolist() == pytest.approx([1.0, 1.0], abs=0.02)
