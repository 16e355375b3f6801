import pytest
import torch

from gensight.heads.ridge import PENALTIES, Linear, Moments, cross_validated, ridge_path


def rows(count=60, inputs=5, targets=2, noise=0.1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, inputs, generator=generator) * torch.tensor([1.0, 3, 0.1, 1, 2]) + 1
    weight = torch.randn(inputs, targets, generator=torch.Generator().manual_seed(99))
    y = x @ weight + 0.5 + noise * torch.randn(count, targets, generator=generator)
    return x, y, torch.rand(count, generator=generator) + 0.1


def sums(x, y, w):
    """Of rows that all lie in one cell."""
    return Moments.of(x[:, None], y[:, None], w[:, None])


@pytest.mark.parametrize("penalty", [1e-6, 0.1, 3.0])
def test_equals_the_solution_by_rows(penalty):
    x, y, w = (one.double() for one in rows())
    mean, centre = (w @ x) / w.sum(), (w @ y) / w.sum()
    deviation = ((w @ (x - mean).square()) / w.sum()).sqrt()
    z = (x - mean) / deviation
    left = (z * w[:, None]).T @ z / w.sum() + penalty * torch.eye(5, dtype=torch.float64)
    expected = torch.linalg.solve(left, (z * w[:, None]).T @ (y - centre) / w.sum()) / deviation[:, None]
    (found,) = ridge_path(sums(*rows()), [penalty])
    torch.testing.assert_close(found.weight, expected)
    torch.testing.assert_close(found.constant[0], centre - mean @ expected)


def test_portions_add_up_and_can_be_left_out():
    x, y, w = rows()
    whole = sums(x, y, w)
    parts = [sums(x[part], y[part], w[part]) for part in (slice(0, 20), slice(20, 45), slice(45, 60))]
    torch.testing.assert_close(vars(parts[0] + parts[1] + parts[2]), vars(whole))
    torch.testing.assert_close(vars(whole - parts[2]), vars(parts[0] + parts[1]))


def test_squared_error_from_sums():
    x, y, w = rows()
    linear = ridge_path(sums(x, y, w), [0.1])[0]
    other = rows(seed=1)
    residual = other[1].double() - other[0].double() @ linear.weight - linear.constant
    expected = (other[2].double()[:, None] * residual.square()).sum()
    assert linear.squared_error(sums(*other)) == pytest.approx(float(expected))


def test_the_scale_of_inputs_does_not_matter():
    x, y, w = rows()
    factors = torch.tensor([1.0, 100, 0.01, 7, 3])
    first, second = (ridge_path(sums(one, y, w), [0.1])[0] for one in (x, x * factors))
    torch.testing.assert_close(first.weight, second.weight * factors[:, None], rtol=1e-4, atol=1e-6)


def test_inputs_that_never_change_are_ignored():
    x, y, w = rows()
    x[:, 3] = 4.0
    linear = ridge_path(sums(x, y, w), [1e-6])[0]
    assert torch.equal(linear.weight[3], torch.zeros(2, dtype=torch.float64))
    assert linear.weight.isfinite().all()


def test_no_rows():
    linear = ridge_path(sums(torch.zeros(3, 5), torch.ones(3, 2), torch.zeros(3)), [0.1])[0]
    assert not linear.weight.any()
    assert not linear.constant.any()


def test_each_fold_is_answered_by_the_others():
    x, y, w = rows()
    places = [slice(0, 20), slice(20, 40), slice(40, 60)]
    folds = [sums(x[part], y[part], w[part]) for part in places]
    answers = cross_validated(folds)
    changed = [*folds[:2], sums(x[:20] * 5, y[:20] - 3, w[:20])]
    again = cross_validated(changed)
    torch.testing.assert_close(vars(answers[2][0]), vars(again[2][0]))
    assert answers[2][1] == again[2][1]
    assert not torch.allclose(answers[0][0].weight, again[0][0].weight)


def test_noise_is_penalised_and_signal_is_not():
    generator = torch.Generator().manual_seed(0)

    def folds(noise):
        parts = []
        for _ in range(4):
            x = torch.randn(12, 8, generator=generator)
            y = x[:, :1] * (noise == 0) + noise * torch.randn(12, 1, generator=generator)
            parts.append(sums(x, y, torch.ones(12)))
        return parts

    assert all(penalty <= 1e-3 for _, penalty in cross_validated(folds(0)))
    assert all(penalty >= 1.0 for _, penalty in cross_validated(folds(3)))
    assert PENALTIES[-1] == 10


def test_two_folds_are_too_few():
    with pytest.raises(ValueError, match="at least three"):
        cross_validated([sums(*rows())] * 2)


def test_linear_is_what_it_says():
    linear = Linear(torch.eye(2, dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64))
    x = torch.tensor([[1.0, 2.0]])
    assert linear.squared_error(sums(x, x + 1, torch.ones(1))) == pytest.approx(0)


def test_each_cell_has_its_own_constant():
    """The same as a regression with one more input for each cell."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 3, 4, generator=generator).double(), torch.randn(40, 3, 2, generator=generator).double()
    w = torch.rand(40, 3, generator=generator).double()
    y = y + 10 * torch.arange(3)[None, :, None] + x[..., :2]
    x = x + 5 * torch.arange(3)[None, :, None]
    found = ridge_path(Moments.of(x, y, w), [1e-12])[0]
    cells = torch.eye(3).double().expand(40, 3, 3)
    design, root = torch.cat([x, cells], -1).flatten(0, 1), w.flatten().sqrt()[:, None]
    expected = torch.linalg.lstsq(design * root, y.flatten(0, 1) * root).solution
    torch.testing.assert_close(found.weight, expected[:4], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.constant, expected[4:], rtol=1e-6, atol=1e-6)
    residual = y - x @ found.weight - found.constant
    assert found.squared_error(Moments.of(x, y, w)) == pytest.approx(float((w[..., None] * residual**2).sum()))


def test_a_cell_without_rows_gets_the_constant_of_all():
    x, y, w = torch.randn(9, 2, 3), torch.ones(9, 2, 1), torch.ones(9, 2)
    w[:, 1] = 0
    found = ridge_path(Moments.of(x, y, w), [0.1])[0]
    torch.testing.assert_close(found.constant[1], found.constant[0])
