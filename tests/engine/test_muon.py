import torch
from torch import nn

from gensight.engine.muon import Muon, orthogonalised


def test_orthogonalised_matrices_have_singular_values_near_one():
    generator = torch.Generator().manual_seed(0)
    for shape in ((8, 20), (20, 8), (12, 12)):
        matrix = torch.randn(shape, generator=generator)
        values = torch.linalg.svdvals(orthogonalised(matrix))
        assert values.max() < 1.3
        assert values.median() > 0.6
        product = orthogonalised(matrix).flatten() @ matrix.flatten()
        assert product > 0.8 * torch.linalg.svdvals(matrix).sum()  # the same singular vectors


def test_bfloat16_is_orthogonal_enough():
    matrix = torch.randn(40, 90, generator=torch.Generator().manual_seed(0))
    rough = orthogonalised(matrix, torch.bfloat16)
    assert rough.dtype == torch.float32
    values = torch.linalg.svdvals(rough)
    assert values.max() < 1.3
    assert values.median() > 0.6


def trained(steps: int, interrupted_at: int | None = None) -> tuple[list[float], dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    network = nn.ModuleDict({"conv_in": nn.Conv2d(3, 8, 3, padding=1), "middle": nn.Conv2d(8, 3, 3, padding=1)})
    optimizer = Muon(network.named_parameters(), lr=0.05, adam_lr=1e-2)
    images, losses = torch.rand(4, 3, 8, 8), []
    for step in range(steps):
        if step == interrupted_at:
            state = optimizer.state_dict()
            optimizer = Muon(network.named_parameters(), lr=0.05, adam_lr=1e-2)
            optimizer.load_state_dict(state)
        loss = (network["middle"](network["conv_in"](images)) - images.flip(-1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, network.state_dict()


def test_it_lowers_a_loss_and_resumes_to_the_same_weights():
    losses, weights = trained(30)
    assert losses[-1] < 0.5 * losses[0]
    _, again = trained(30, interrupted_at=11)
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_outer_layers_and_vectors_are_left_to_adam():
    network = nn.ModuleDict({"conv_in": nn.Conv2d(3, 8, 3), "middle": nn.Conv2d(8, 3, 3)})
    muon, adam = Muon(network.named_parameters()).param_groups
    assert [id(p) for p in muon["params"]] == [id(network["middle"].weight)]
    assert len(adam["params"]) == 3
