import pytest
import torch
from diffusers import DDPMScheduler

from gensight.diffusion.targets import add_noise, clean_estimate, target
from gensight.diffusion.weighting import loss_weights

SCHEDULER = DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
ALPHAS = SCHEDULER.alphas_cumprod


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(3, 2, 4, 5, generator=generator), torch.randn(3, 2, 4, 5, generator=generator)
    return x0, noise, torch.tensor([0, 500, 999])


def test_noising_and_velocity_equal_diffusers(drawn):
    x0, noise, timesteps = drawn
    torch.testing.assert_close(add_noise(*drawn, ALPHAS), SCHEDULER.add_noise(*drawn))
    velocity = target(x0, noise, timesteps, ALPHAS, "v_prediction")
    torch.testing.assert_close(velocity, SCHEDULER.get_velocity(x0, noise, timesteps))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_the_right_answer_recovers_the_clean_image(prediction, drawn):
    x0, noise, timesteps = drawn
    x_t = add_noise(x0, noise, timesteps, ALPHAS)
    answer = target(x0, noise, timesteps, ALPHAS, prediction)
    torch.testing.assert_close(clean_estimate(answer, x_t, timesteps, ALPHAS, prediction), x0, atol=1e-4, rtol=1e-4)


def test_min_snr_weighs_the_error_of_x0_alike_for_every_prediction(drawn):
    x0, noise, timesteps = drawn
    x_t = add_noise(x0, noise, timesteps, ALPHAS)
    weighted = []
    for prediction in ("epsilon", "v_prediction", "sample"):
        answer = target(x0, noise, timesteps, ALPHAS, prediction)
        # The same error of x0, said in each prediction's terms.
        wrong = x0 + 0.1
        sigma = (1 - ALPHAS[timesteps]).sqrt().view(-1, 1, 1, 1)
        alpha = ALPHAS[timesteps].sqrt().view(-1, 1, 1, 1)
        wrong_noise = (x_t - alpha * wrong) / sigma
        output = target(wrong, wrong_noise, timesteps, ALPHAS, prediction)
        weights = loss_weights("min-snr", timesteps, ALPHAS, prediction)
        weighted.append(weights * (output - answer).square().mean(dim=(1, 2, 3)))
    torch.testing.assert_close(weighted[0], weighted[2], atol=1e-5, rtol=1e-3)
    torch.testing.assert_close(weighted[1], weighted[2], atol=1e-5, rtol=1e-3)
