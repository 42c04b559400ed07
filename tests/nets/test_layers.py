"""The fast layers against torch's own."""

import pytest
import torch
from torch.nn import functional

from deqmpc_core.errors import ConfigError
from deqmpc_core.nets.layers import TemporalConv, TemporalGroupNorm


@pytest.mark.parametrize(("inputs", "outputs"), [(6, 16), (16, 6), (5, 5)])
def test_convolution_equals_conv1d_with_all_gradients(inputs: int, outputs: int) -> None:
    torch.manual_seed(0)
    layer = TemporalConv(inputs, outputs).double()
    x = torch.randn(3, 5, inputs, dtype=torch.float64, requires_grad=True)
    ours = layer(x)
    theirs = functional.conv1d(x.mT, layer.kernel(), layer.bias, padding=1).mT
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    seed = torch.randn_like(ours)
    wanted = (x, layer.weight, layer.bias)
    got, expected = (torch.autograd.grad(y, wanted, seed, retain_graph=True) for y in (ours, theirs))
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), ours, rtol=1e-12, atol=1e-12)


def test_group_norm_equals_torch() -> None:
    torch.manual_seed(0)
    layer = TemporalGroupNorm(8, 4).double()
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    expected = functional.group_norm(x.mT, 4, layer.weight, layer.bias).mT
    torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)


def test_a_width_that_group_norm_cannot_split_is_named() -> None:
    with pytest.raises(ConfigError, match="multiple of 4.*got 30"):
        TemporalGroupNorm(30)
