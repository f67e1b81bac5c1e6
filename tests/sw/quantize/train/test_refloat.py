"""refloated: what a network has learned, as a float graph."""

import numpy as np
import pytest
from narrows.sw.errors import InputError
from narrows.sw.layers import Mac
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.train import Samples, Trainer, TrainSettings, network_of, refloated, to_quantised
from trained_networks import CONFIG, disturbed, random_network


def weights_of(graph):
    return [term.weights for layer in graph.layers if isinstance(layer, Mac) for term in layer.terms]


def test_it_has_the_networks_weights_in_units_of_the_models():
    network, _ = random_network(1)
    before = refloated(network)
    learned = [
        (ours, theirs)
        for layer, made in zip(network.graph.layers, before.layers, strict=True)
        if isinstance(layer, Mac)
        for ours, theirs, term in zip(
            [term.weights for term in layer.terms], [term.weights for term in made.terms], layer.terms, strict=True
        )
        if not term.constant
    ]
    assert learned
    for ours, theirs in learned:  # weights start in the intervals of their levels, so they are near, not the same
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.8
        slopes = (ours * theirs).sum(axis=(1, 2, 3)) / np.square(ours).sum(axis=(1, 2, 3))
        assert np.median(slopes) == pytest.approx(1, abs=0.2)
    disturbed(network, 1)
    changed = refloated(network)
    assert any((a != b).any() for a, b in zip(weights_of(before), weights_of(changed), strict=True))


def test_narrower_formats_start_from_there_and_learn_from_the_float_model():
    network, samples = random_network(1, batch=8, epochs=1)
    Trainer(network, Samples(network.start, samples, None)).train_epoch()
    narrow = QuantSettings(weights="dybit2", acts="dybit4")
    second = network_of(refloated(network), samples, narrow, CONFIG, TrainSettings(epochs=1, batch=8))
    trainer = Trainer(second, Samples(second.start, samples, None), teacher=network.graph)
    assert all(
        np.array_equal(ours.weights, theirs.weights)
        for layer, made in zip(network.graph.layers, trainer.teacher.graph.layers, strict=True)
        if isinstance(layer, Mac)
        for ours, theirs in zip(layer.terms, made.terms, strict=True)
    )
    trainer.train_epoch()
    macs = [layer for layer in to_quantised(trainer.result()).layers if hasattr(layer, "segments")]
    assert any(np.abs(segment.weights).max() == 1 for layer in macs for segment in layer.segments)


def test_normalised_weights_are_refused():
    network, _ = random_network(1, accumulator="a2q")
    with pytest.raises(InputError, match="accumulator must be free or fitted to go on from, not a2q"):
        refloated(network)
