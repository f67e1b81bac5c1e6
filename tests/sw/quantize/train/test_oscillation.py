"""Freezer: weights that turn back too often stay where they are at most."""

import torch
from narrows.sw.quantize.train.mac import TrainedMac
from narrows.sw.quantize.train.oscillation import Freezer
from trained_networks import random_network


def first_mac(network):
    return next((name, mac) for name, mac in network.named_modules() if isinstance(mac, TrainedMac))


def observed(freezer, mac, levels, ratio=1.0):
    mac.seen = levels.double(), torch.full_like(levels, ratio).double()
    freezer.observe()


def test_only_what_jumps_back_and_forth_is_frozen_at_its_commonest_level():
    network, _ = random_network(1)
    name, mac = first_mac(network)
    for other in network.layers:
        other.seen = None
    freezer = Freezer(network, 0.2)
    levels = torch.zeros_like(mac.rows.detach())
    for step in range(40):
        levels = levels.clone()
        levels[0, 0] = 2.0 if step % 3 == 2 else 1.0  # turns every step or two, is 1 most of the time
        levels[0, 1] = float(min(step // 10, 3))  # moves on, never back
        observed(freezer, mac, levels)
    frozen = freezer.state[name]["frozen"]
    assert frozen[0, 0] and frozen.sum() == 1 == freezer.frozen
    with torch.no_grad():
        mac.rows[0, 0], mac.rows[0, 1] = 7.0, 5.0
    observed(freezer, mac, levels, ratio=2.0)
    assert (mac.rows[0, 0].item(), mac.rows[0, 1].item()) == (0.5, 5.0), "level 1 at twice the ratio"


def test_counts_are_kept_in_checkpoints():
    network, _ = random_network(1)
    name, mac = first_mac(network)
    for other in network.layers:
        other.seen = None
    whole, parts = Freezer(network, 0.2), Freezer(network, 0.2)
    levels = torch.zeros_like(mac.rows.detach())
    for step in range(20):
        if step == 10:
            state = parts.state_dict()
            parts = Freezer(network, 0.2)
            parts.load_state_dict(state)
        levels = levels.clone()
        levels[0, 0] = float(step % 2)
        observed(whole, mac, levels)
        observed(parts, mac, levels)
    assert all(torch.equal(whole.state[name][key], parts.state[name][key]) for key in whole.state[name])
