import numpy as np
import pytest
import torch
from narrows.hw.spec.certificate import final_sum_bounds
from narrows.hw.spec.formats import DyBit, Int
from narrows.sw.quantize.train.norms import Room, Spans, centred, fitted, norm, normalised, project
from narrows.sw.quantize.train.rounding import nearest, toward_zero

SPANS = [(-4, 16), (0, 64), (-16, 16), (0, 255), (-7, 7)]


def spans_of(sizes, spans):
    low, high = (np.repeat([span[side] for span in spans], sizes) for side in (0, 1))
    return Spans(torch.tensor(low).double(), torch.tensor(high).double())


def room_of(bits, rows):
    limit = torch.full((rows,), float((1 << bits - 1) - 1)).double()
    return Room(limit, limit + 1)


def bounds(levels, sizes, spans):
    parts = torch.split(levels, list(sizes), dim=1)
    return final_sum_bounds([(part.numpy().astype(np.int64), span) for part, span in zip(parts, spans, strict=True)])


def drawn(seed, fmt):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, rng.integers(1, 3))
    spans = [SPANS[i] for i in rng.integers(0, len(SPANS), len(sizes))]
    rows = torch.tensor(rng.standard_t(3, (16, sizes.sum())) * fmt.top * rng.uniform(0.1, 1))
    groups = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return rng, rows, groups, sizes, spans


@pytest.mark.parametrize("fmt", [DyBit(4), Int(4), DyBit(2), Int(8)], ids=str)
@pytest.mark.parametrize("seed", range(40))
class TestNothingOverflows:
    @pytest.mark.parametrize("zero_centred", [False, True])
    def test_with_norms(self, fmt, seed, zero_centred):
        rng, rows, groups, sizes, spans = drawn(seed, fmt)
        bits = int(rng.integers(8, 18))
        lengths = torch.tensor(2.0 ** rng.uniform(bits - 3, bits + 3, len(rows)))
        levels, excess = normalised(
            rows, lengths, groups, spans_of(sizes, spans), room_of(bits, len(rows)), fmt, zero_centred=zero_centred
        )
        low, high = bounds(levels, sizes, spans)
        assert low.min() >= -(1 << bits - 1) and high.max() < 1 << bits - 1
        limit = (1 << bits - 1) - 1
        torch.testing.assert_close(excess, (lengths - limit).clamp(min=0))

    def test_with_fitted_weights_which_are_the_nearest_where_there_is_room(self, fmt, seed):
        rng, rows, _, sizes, spans = drawn(seed, fmt)
        bits = int(rng.integers(8, 18))
        room = Room(*(part * rng.uniform(0.3, 1) // 1 for part in (room_of(bits, 16).high, room_of(bits, 16).low)))
        levels = fitted(rows, spans_of(sizes, spans), room, fmt)
        low, high = bounds(levels, sizes, spans)
        assert (-low <= room.low.numpy()).all() and (high <= room.high.numpy()).all()
        free = nearest(rows, fmt)
        low, high = bounds(free, sizes, spans)
        roomy = (-low <= room.low.numpy()) & (high <= room.high.numpy())
        assert torch.equal(levels[roomy], free[roomy])


def test_fitted_weights_give_way_no_more_than_needed():
    rows, spans = torch.tensor([[1.6, 1.9, 2.7]]).double(), spans_of([3], [(0, 10)])
    levels = fitted(rows, spans, Room(torch.tensor([60.0]).double(), torch.tensor([60.0]).double()), Int(4))
    assert levels.tolist() == [[1.0, 2.0, 3.0]]  # of 2, 2, 3: the one that loses least


@pytest.mark.parametrize(
    ("span", "sign", "room"),
    [((0, 10), 1, (1000, 60)), ((0, 10), -1, (60, 1000)), ((-10, 0), 1, (60, 1000)), ((-10, 0), -1, (1000, 60))],
)
def test_fitted_weights_give_way_on_the_side_that_is_too_long(span, sign, room):
    rows = sign * torch.tensor([[1.6, -1.6, -1.9, -2.7]]).double()
    levels = fitted(rows, spans_of([4], [span]), Room(*(torch.tensor([side]).double() for side in room)), Int(4))
    assert (sign * levels).tolist() == [[1.0, -1.0, -2.0, -3.0]]  # the first one alone would not help


def test_fitted_weights_pass_gradients_on():
    rows = torch.tensor([[1.6, 1.9, 2.7], [9.0, -8.0, 9.0]], dtype=torch.float64, requires_grad=True)
    limit = torch.tensor([60.0, 60.0]).double()
    fitted(rows, spans_of([3], [(0, 10)]), Room(limit, limit), Int(8)).sum().backward()
    assert rows.grad is not None and rows.grad[0].tolist() == [1, 1, 1] and (rows.grad[1].abs() > 0).any()


class TestDefinitions:
    @pytest.mark.parametrize(("span", "bits"), [((-4, 16), 14), ((0, 64), 14), ((-16, 16), 12)])
    def test_norms_are_those_of_the_papers(self, span, bits):
        rows = torch.tensor([[3.0, -2.0, 5.5]]).double()
        low, high = span
        of_a2q = norm(rows, spans_of([3], [span]), zero_centred=False) / ((1 << bits - 1) - 1)
        of_plus = norm(rows, spans_of([3], [span]), zero_centred=True) / ((1 << bits - 1) - 1)
        assert of_a2q.item() == pytest.approx(10.5 / (((1 << bits - 1) - 1) / max(-low, high)))
        assert of_plus.item() == pytest.approx(10.5 / (((1 << bits) - 2) / (high - low)))

    def test_a_norm_below_the_limit_is_the_learned_one(self):
        rows, spans = torch.tensor([[3.0, -1.0]]).double(), spans_of([2], [(0, 10)])
        levels, excess = normalised(
            rows, torch.tensor([80.0]), torch.tensor([0, 0]), spans, room_of(12, 1), Int(8), zero_centred=False
        )
        assert levels.tolist() == [[5.0, -1.0]] and excess.tolist() == [0.0]  # 6 and -2 less next to nothing

    def test_weights_are_centred_by_group(self):
        rows = torch.tensor([[1.0, 3.0, 10.0, 20.0, 30.0]])
        assert centred(rows, torch.tensor([0, 0, 1, 1, 1])).tolist() == [[-1.0, 1.0, -10.0, 0.0, 10.0]]

    @pytest.mark.parametrize("seed", range(20))
    def test_projection_is_the_nearest_point_of_the_ball(self, seed):
        rng = np.random.default_rng(seed)
        rows = torch.tensor(rng.normal(0, 3, (8, 12)))
        weights, radius = torch.tensor(rng.uniform(0.5, 3, 12)), torch.tensor(rng.uniform(1, 60, 8))
        result = project(rows, weights, radius)
        length = result.abs() @ weights
        assert (length <= radius * (1 + 1e-9)).all()
        inside = rows.abs() @ weights <= radius
        assert torch.equal(result[inside], rows[inside])
        torch.testing.assert_close(length[~inside], radius[~inside])
        for _ in range(200):  # nothing else of the ball is nearer: (x - p) . (y - p) <= 0
            other = torch.tensor(rng.normal(size=rows.shape))
            other *= (radius / (other.abs() @ weights))[:, None]
            assert (((rows - result) * (other - result)).sum(1) <= 1e-9).all()

    def test_a_plain_ball_gives_the_published_soft_threshold(self):
        rows, ones = torch.tensor([[3.0, -1.0, 0.5]]), torch.ones(3)
        assert project(rows, ones, torch.tensor([2.5])).tolist() == [[2.25, -0.25, 0.0]]

    def test_rounding_is_toward_zero(self):
        assert toward_zero(torch.tensor([5.9, -5.9, 15.9, -0.9]), DyBit(4)).tolist() == [4.0, -4.0, 8.0, 0.0]
