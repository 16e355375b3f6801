"""Schedules, weights, the bound, and samplers that recover x0."""

import numpy as np
import pytest
import torch

from gensight.diffusion import sampling, schedules, targets, variational, weighting
from gensight.errors import ConfigError

SCHEDULES = [("linear", False), ("cosine", False), ("linear", True), ("cosine", True)]


@pytest.mark.parametrize(("kind", "zero"), SCHEDULES)
def test_schedules_fall_from_one_to_noise(kind, zero):
    alpha_bar = schedules.alphas_cumprod(kind, 1000, zero)
    assert (alpha_bar.diff() < 0).all()
    assert alpha_bar[0] > 0.99
    assert alpha_bar[-1] < 1e-4
    if kind == "linear" and not zero:
        betas = np.linspace(1e-4, 0.02, 1000)
        np.testing.assert_allclose(alpha_bar.numpy(), np.cumprod(1 - betas), rtol=1e-4)
        assert float(alpha_bar[-1]) == pytest.approx(4.04e-5, rel=0.01)
        np.testing.assert_allclose(schedules.betas(alpha_bar).numpy(), betas, rtol=2e-2)
    if zero:
        assert float(alpha_bar[-1]) < 1e-7


def test_too_few_levels_are_refused():
    with pytest.raises(ConfigError, match="at least 20"):
        schedules.alphas_cumprod("linear", 10)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("name", ["snr", "inverse-snr", "truncated-snr", "min-snr", "max-snr"])
def test_a_weighting_means_the_same_for_every_target(prediction, name):
    """The weighted error of what is predicted is the weighted error of the x0 that it stands for."""
    alpha_bar = schedules.alphas_cumprod("linear", 1000).double()
    generator = torch.Generator().manual_seed(0)
    x0, noise, wrong = (torch.randn(6, 1, 4, 4, generator=generator).double() for _ in range(3))
    t = torch.tensor([5, 100, 300, 500, 700, 900])
    x_t = targets.add_noise(x0, noise, t, alpha_bar)
    goal = targets.target(x0, noise, t, alpha_bar, prediction)
    output = goal + 0.1 * wrong
    error = ((output - goal) ** 2).flatten(1).mean(1)
    x0_error = ((targets.clean_estimate(output, x_t, t, alpha_bar, prediction) - x0) ** 2).flatten(1).mean(1)
    ours = weighting.loss_weights(name, t, alpha_bar, prediction) * error
    torch.testing.assert_close(ours, weighting.loss_weights(name, t, alpha_bar, "sample") * x0_error, rtol=1e-3, atol=0)


def test_min_snr_agrees_with_the_known_function_and_constant_is_one():
    alpha_bar, t = schedules.alphas_cumprod("cosine"), torch.arange(0, 1000, 50)
    snr = alpha_bar[t] / (1 - alpha_bar[t])
    for prediction in ("epsilon", "v_prediction", "sample"):
        divisor = {"epsilon": snr, "v_prediction": snr + 1, "sample": torch.ones_like(snr)}[prediction]
        known = snr.clamp(max=5.0) / divisor  # Hang et al., ICCV 2023
        torch.testing.assert_close(weighting.loss_weights("min-snr", t, alpha_bar, prediction), known)
        assert (weighting.loss_weights("constant", t, alpha_bar, prediction) == 1).all()


def test_what_is_infinite_is_refused():
    with pytest.raises(ConfigError, match="target=epsilon"):
        weighting.refuse_infinite("constant", "epsilon", True)
    with pytest.raises(ConfigError, match="inverse-snr"):
        weighting.refuse_infinite("inverse-snr", "sample", True)
    weighting.refuse_infinite("inverse-snr", "epsilon", False)


def test_kl_and_likelihood_have_their_closed_forms():
    mean_1, log_1, mean_2, log_2 = (torch.tensor(v) for v in (0.3, -1.0, -0.2, 0.5))
    known = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean_1, (0.5 * log_1).exp()), torch.distributions.Normal(mean_2, (0.5 * log_2).exp())
    )
    torch.testing.assert_close(variational.gaussian_kl(mean_1, log_1, mean_2, log_2), known)
    bins = torch.linspace(-0.1, 0.1, 256)
    probabilities = variational.discretised_log_likelihood(bins, torch.tensor(0.02), torch.tensor(-6.0), 0.1).exp()
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-3)


def test_the_posterior_has_the_moments_of_the_process():
    """q(x_{t-1}) = integral of q(x_{t-1} | x_t, x0) q(x_t | x0): mean sqrt(ab_{t-1}) x0 and variance 1 - ab_{t-1}."""
    alpha_bar = schedules.alphas_cumprod("linear").double()
    for level in (1, 10, 500, 999):
        t, x0 = torch.tensor([level]), torch.full((1, 1), 0.7).double()
        centre, one, none = (
            variational.posterior_mean(x0, x, t, alpha_bar)
            for x in (alpha_bar[level].sqrt() * x0, torch.ones_like(x0), torch.zeros_like(x0))
        )
        slope = one - none
        low, high = variational.log_variance_range(t, alpha_bar, x0)
        assert float(centre) == pytest.approx(float(alpha_bar[level - 1].sqrt() * 0.7))
        variance = low.exp() + slope**2 * (1 - alpha_bar[level])
        assert float(variance) == pytest.approx(float(1 - alpha_bar[level - 1]))
        assert low <= high
        assert variational.learned_log_variance(torch.full((1, 1), -1.0).double(), t, alpha_bar) == low


def test_the_bound_is_zero_for_the_truth():
    alpha_bar, t = schedules.alphas_cumprod("linear"), torch.tensor([1, 500, 999])
    x0 = torch.rand(3, 1, 4, 4) * 0.2 - 0.1
    x_t = targets.add_noise(x0, torch.randn_like(x0), t, alpha_bar)
    low, _ = variational.log_variance_range(t, alpha_bar, x0)
    terms = variational.bound_terms(x0, x_t, x0, low.expand_as(x0), t, alpha_bar, 0.1)
    torch.testing.assert_close(terms, torch.zeros(3), atol=1e-6, rtol=0)
    assert (variational.bound_terms(x0, x_t, x0 + 0.05, low.expand_as(x0), t, alpha_bar, 0.1) > 0).all()


@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
@pytest.mark.parametrize(("kind", "zero"), SCHEDULES)
@pytest.mark.parametrize("num_steps", [1, 2, 5, 20, 100])
def test_an_oracle_recovers_x0_at_every_number_of_steps(sampler, kind, zero, num_steps):
    alpha_bar = schedules.alphas_cumprod(kind, 100, zero)
    x0 = torch.rand(2, 1, 8, 8) * 0.2 - 0.1
    seen: list[int] = []

    def oracle(x_t, t):
        seen.append(int(t[0]))
        return x0

    found = sampling.sample(oracle, torch.randn(2, 1, 8, 8), alpha_bar, num_steps, sampler, 0.1, keys=[1, 2])
    torch.testing.assert_close(found, x0, atol=2e-3, rtol=0)
    assert len(seen) == num_steps
    assert seen[0] == 99
    assert seen == sorted(set(seen), reverse=True)


@pytest.mark.parametrize("sampler", sampling.SAMPLERS)
def test_the_best_denoiser_of_a_gaussian_gives_its_moments(sampler):
    """x0 ~ N(m, s^2): E[x0 | x_t] is known, and samples drawn with it have this mean and deviation."""
    alpha_bar, mean, deviation = schedules.alphas_cumprod("linear", 200), 0.3, 0.5

    def best(x_t, t):
        a = alpha_bar[t].view(-1, 1)
        return mean + deviation**2 * a.sqrt() / (a * deviation**2 + 1 - a) * (x_t - a.sqrt() * mean)

    noise = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    keys = range(4000) if "ancestral" in sampler else ()
    found = sampling.sample(best, noise, alpha_bar, 100, sampler, 10.0, keys)
    assert float(found.mean()) == pytest.approx(mean, abs=0.03)
    assert float(found.std()) == pytest.approx(deviation, rel=0.08)


def test_noise_belongs_to_items():
    alpha_bar, noise = schedules.alphas_cumprod("linear", 50), torch.randn(3, 1, 2, 2)
    run = lambda rows, keys: sampling.sample(lambda x, t: 0.5 * x, noise[rows], alpha_bar, 5, "ancestral", 1, keys)  # noqa: E731
    torch.testing.assert_close(run([0, 1, 2], [7, 8, 9])[1:], run([1, 2], [8, 9]))


def test_scaling_and_normalisation():
    torch.manual_seed(0)  # of 100 values the spread is told to a fourteenth: unseeded, one run in 200 failed
    values = torch.rand(3, 1, 5, 5)
    scaled = sampling.scale_input(values, 0.1)
    assert scaled.abs().max() <= 0.1
    torch.testing.assert_close(sampling.unscale_output(scaled, 0.1), values)
    torch.testing.assert_close(sampling.normalise(3 * scaled).flatten(1).std(1), torch.ones(3))
    noise = sampling.with_offset(torch.randn(50, 2, 32, 32), torch.randn(50, 2, 1, 1), 0.5)
    assert float(noise.mean((2, 3)).std()) == pytest.approx(0.5, rel=0.2)


def test_too_many_steps_are_refused():
    with pytest.raises(ConfigError, match="30 sampling steps of 20 noise levels"):
        sampling.sample(lambda x, t: x, torch.zeros(1, 1, 2, 2), schedules.alphas_cumprod("linear", 20), 30)
