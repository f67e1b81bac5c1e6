import numpy as np
import pytest
import torch
from narrows.sw.errors import InputError
from narrows.sw.quantize.train import Samples, Trainer, float_score, score, suited, to_quantised
from narrows.sw.quantize.train.float_network import FloatNetwork
from narrows.sw.quantize.train.loss import inner_distance, task_loss
from narrows.sw.quantize.train.settings import TrainSettings
from trained_networks import disturbed, random_network


def run_of(epochs=4, **settings):
    network, samples = random_network(1, batch=8, epochs=epochs, **settings)
    return Trainer(network, Samples(network.start, samples, None))


def integers(trainer):
    return [
        [segment.weights for segment in layer.segments] + [layer.bias, layer.multiplicand, layer.shift]
        for layer in to_quantised(trainer.result()).layers
        if hasattr(layer, "segments")
    ]


def same(first, second):
    return all(
        np.array_equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_training_comes_nearer_to_the_float_model():
    trainer = run_of(epochs=12, rate=5e-2, averaging=0.0, learn_shift=False)
    disturbed(trainer.network, 1)
    before = score(trainer.network, trainer.samples)
    while not trainer.done:
        trainer.train_epoch()
    assert score(trainer.result(), trainer.samples) > before


def test_a_resumed_run_ends_with_the_same_integers(tmp_path):
    whole = run_of()
    while not whole.done:
        whole.train_epoch()
    stopped = run_of()
    for _ in range(3):  # beyond the middle, where zero levels stop moving
        stopped.train_epoch()
    stopped.save(tmp_path / "run.pt")
    resumed = run_of()
    resumed.load(tmp_path / "run.pt")
    resumed.train_epoch()
    assert resumed.done
    assert same(integers(resumed), integers(whole))


RECIPES = [
    {"optimiser": "momentum", "rate": 2e-2, "accumulate": 3, "inner": 0.5},
    {"damping": 0.1, "freezing": 0.01, "rate": 0.3},
]


@pytest.mark.parametrize("settings", RECIPES, ids=lambda settings: "+".join(settings))
def test_every_part_of_the_recipe_trains_and_resumes_to_the_same_integers(tmp_path, settings):
    whole = run_of(**settings)
    losses = [whole.train_epoch() for _ in range(4)]
    assert whole.done and np.isfinite(losses).all()
    stopped = run_of(**settings)
    for _ in range(2):
        stopped.train_epoch()
    stopped.save(tmp_path / "run.pt")
    resumed = run_of(**settings)
    resumed.load(tmp_path / "run.pt")
    for _ in range(2):
        resumed.train_epoch()
    assert same(integers(resumed), integers(whole))
    assert not same(integers(whole), integers(run_of(**settings)))


def test_accumulated_batches_make_one_step():
    trainer = run_of(epochs=1, accumulate=2, learn_shift=False)
    trainer.train_epoch()
    assert trainer.batches == 3
    assert trainer.schedule.last_epoch == trainer.steps == 2, "the last step has what is left"


def test_damping_pulls_weights_towards_their_levels():
    def distance(damping):
        trainer = run_of(epochs=8, damping=damping, rate=5e-3, averaging=0.0)
        while not trainer.done:
            trainer.train_epoch()
        return trainer.network.run(trainer.samples.offsets.float()).unrest.item()

    assert distance(0.0) == 0.0, "what nobody asks for is not computed"
    assert 0.0 < distance(10.0) < distance(1e-9)


def test_the_inner_distance_is_nothing_for_the_same_tensors_and_one_for_means():
    goal = torch.randn(8, 3, 4, 4)
    means = goal.mean((0, 2, 3), keepdim=True).expand_as(goal)
    assert inner_distance({"a": goal}, {"a": goal}).item() == 0
    assert inner_distance({"a": means}, {"a": goal}).item() == pytest.approx(1.0, rel=1e-5)
    assert inner_distance({"a": means, "b": goal}, {"a": goal, "b": goal}).item() == pytest.approx(0.5, rel=1e-5)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    run_of().save(tmp_path / "run.pt")
    with pytest.raises(InputError, match=r"is of a run with other crop, rate: resume with the same, or start anew"):
        run_of(rate=0.1, crop=1).load(tmp_path / "run.pt")


@pytest.mark.parametrize("part", [slice(0), slice(100), slice(-40), slice(1, None)])
def test_a_damaged_checkpoint_is_refused(part, tmp_path):
    run_of().save(tmp_path / "run.pt")
    (tmp_path / "run.pt").write_bytes((tmp_path / "run.pt").read_bytes()[part])
    with pytest.raises(InputError, match=r"is no checkpoint of a training, or damaged \(\w+\): start anew, without it"):
        run_of().load(tmp_path / "run.pt")


def test_patience_ends_a_run_and_keeps_its_best(monkeypatch):
    scores = iter([0.5, 0.7, 0.6, 0.6])
    monkeypatch.setattr("narrows.sw.quantize.train.trainer.score", lambda *_: next(scores))
    trainer = run_of(epochs=20, patience=2, rate=0.1)
    kept = None
    while not trainer.done:
        trainer.train_epoch()
        if trainer.judge(trainer.samples) == 0.7:
            kept = integers(trainer)
    assert (trainer.epoch, trainer.best) == (4, 0.7)
    assert kept is not None
    assert same(integers(trainer), kept)


def test_a_run_that_betters_nothing_ends_with_its_start(monkeypatch):
    scores = iter([0.5, 0.4, 0.3])
    monkeypatch.setattr("narrows.sw.quantize.train.trainer.score", lambda *_: next(scores))
    trainer = run_of(epochs=2, rate=0.1)
    trainer.judge(trainer.samples)
    start = integers(trainer)
    while not trainer.done:
        trainer.train_epoch()
        trainer.judge(trainer.samples)
    assert same(integers(trainer), start)


def test_zero_levels_are_learned_in_the_first_half_only():
    trainer = run_of(epochs=4, shift_rate=0.5)
    found = []
    for _ in range(4):
        trainer.train_epoch()
        found.append([tensor.get_parameter("shift").item() for tensor in trainer.network.tensors])
    assert found[0] != found[1]
    assert found[2] == found[3]
    assert all(value == int(value) for value in found[3])


def test_without_learned_shifts_zero_levels_stay():
    trainer = run_of(learn_shift=False, shift_rate=0.5)
    while not trainer.done:
        trainer.train_epoch()
    assert [tensor.get_parameter("shift").item() for tensor in trainer.network.tensors] == [
        tensor.start.zero for tensor in trainer.network.tensors
    ]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_in_either_precision_is_judged_exactly(precision):
    trainer = run_of(precision=precision, epochs=1)
    assert np.isfinite(trainer.train_epoch())
    assert trainer.judge(trainer.samples) <= 0


class TestSamples:
    def test_every_sample_is_drawn_once_but_the_last_few(self):
        network, x = random_network(1)
        samples = Samples(network.start, x, np.arange(24) % 4)
        drawn = [labels for _, labels in samples.drawn(10, crop=0, mirror=False)]
        assert [len(labels) for labels in drawn] == [10, 10]

    def test_shifted_images_are_windows_of_padded_ones(self):
        network, x = random_network(1)
        samples = Samples(network.start, x, None)
        torch.manual_seed(0)
        order = torch.randperm(24)
        torch.manual_seed(0)
        ((moved, _),) = samples.drawn(24, crop=2, mirror=True)
        for image, index in zip(moved, order, strict=True):
            padded = torch.nn.functional.pad(samples.offsets[index], (2, 2, 2, 2))
            windows = [
                window
                for form in (padded, padded.flip(2))
                for window in form.unfold(1, 8, 1).unfold(2, 8, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
            ]
            assert any(torch.equal(image, window) for window in windows)

    @pytest.mark.parametrize("crop", [1, 2])
    def test_images_move_by_up_to_the_crop_in_every_direction(self, crop):
        network, x = random_network(1)
        samples = Samples(network.start, np.repeat(x, 10, axis=0), None)
        samples.offsets[:] = 0
        samples.offsets[:, :, 3, 4] = 5
        torch.manual_seed(0)
        ((moved, _),) = samples.drawn(240, crop=crop, mirror=False)
        _, _, rows, columns = moved.nonzero(as_tuple=True)
        reach = range(-crop, crop + 1)
        assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(3 + y, 4 + x) for y in reach for x in reach}

    @pytest.mark.parametrize("labels", [np.full(24, 4), np.full(24, -1), np.full(24, 0.5)])
    def test_labels_that_no_score_stands_for_are_refused(self, labels):
        network, x = random_network(1)
        with pytest.raises(InputError, match="labels y must be integers from 0 to 3, one for each sample"):
            Samples(network.start, x, labels)


class TestLoss:
    SCORES = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    WANTED = torch.tensor([[1.5, 0.5, -1.0], [0.0, 2.0, 0.0]])

    def test_labels_and_scores_are_weighed(self):
        labels = torch.tensor([0, 2])
        hard = task_loss(self.SCORES, self.WANTED, labels, TrainSettings(distillation=0.0))
        soft = task_loss(self.SCORES, self.WANTED, labels, TrainSettings(distillation=1.0))
        mixed = task_loss(self.SCORES, self.WANTED, labels, TrainSettings(distillation=0.3))
        assert hard.item() == pytest.approx(torch.nn.functional.cross_entropy(self.SCORES, labels).item())
        assert mixed.item() == pytest.approx(0.7 * hard.item() + 0.3 * soft.item())

    def test_distillation_is_nothing_for_the_same_scores_and_the_divergence_otherwise(self):
        labels, settings = torch.tensor([0, 2]), TrainSettings(distillation=1.0, temperature=2.0)
        assert task_loss(self.WANTED, self.WANTED, labels, settings).item() == pytest.approx(0, abs=1e-6)
        p, q = (torch.softmax(scores / 2, 1) for scores in (self.WANTED, self.SCORES))
        expected = 4 * (p * (p / q).log()).sum(1).mean()
        assert task_loss(self.SCORES, self.WANTED, labels, settings).item() == pytest.approx(expected.item(), rel=1e-5)

    def test_without_labels_it_is_the_distance_in_the_scores_own_variance(self):
        expected = (self.SCORES - self.WANTED).square().mean() / self.WANTED.var()
        assert task_loss(self.SCORES, self.WANTED, None, TrainSettings()).item() == pytest.approx(expected.item())


def test_the_float_models_score_is_its_share_of_labels():
    network, x = random_network(1)
    answers = FloatNetwork(network.graph)(Samples(network.start, x, None).offsets.float() * _scale(network)).argmax(1)
    labels = answers.numpy().copy()
    labels[:6] = (labels[:6] + 1) % 4
    assert float_score(network, Samples(network.start, x, labels)) == 18 / 24


def _scale(network):
    return network.start.tensors[network.graph.input.tensor].scale


@pytest.mark.parametrize(
    ("samples", "epochs", "batch", "rate"),
    [(10, 10, 16, 1e-2), (456, 10, 22, 1e-2), (2000, 10, 100, 1e-2), (50000, 6, 128, 8 / 2340), (50000, 60, 128, 1e-3)],
)
def test_few_samples_take_small_batches_and_large_steps(samples, epochs, batch, rate):
    assert suited(samples, epochs) == (batch, pytest.approx(rate))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("accumulator", "tight", "accumulator must be one of free, a2q, a2q+, fitted, not tight"),
        ("rescaling", "wide", "rescaling must be one of free, narrow, absorbed, not wide"),
        ("optimiser", "lion", "optimiser must be one of adam, momentum, not lion"),
        ("freezing", -1.0, "freezing must be 0 or more, not -1.0"),
        ("batch", 0, "batch must be 1 or more, not 0"),
        ("distillation", 1.5, "distillation must be 0 to 1, not 1.5"),
        ("averaging", 1.0, "averaging must be at least 0 and below 1, not 1.0"),
        ("acc_bits", 40, "acc_bits must be 6 to 32, not 40"),
    ],
)
def test_settings_out_of_range_are_refused(field, value, message):
    with pytest.raises(InputError, match=message.replace("+", r"\+")):
        TrainSettings(**{field: value})
