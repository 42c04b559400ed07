"""What networks see of a state: chart-free, normalised features."""

import torch
from torch import Tensor, nn

from deqmpc_core.tasks import Task
from deqmpc_core.types import Spheres

NEAREST = 4  # spheres that a network sees
_REACH = 2.0  # m; a sphere farther off looks as far as this


class Features(nn.Module):
    """x (B, n), spheres -> normalised features (B, f): angles as sine and cosine, the attitude as
    its rotation matrix, so that no branch or shadow set shows, the rest relative to the goal; then the
    nearest spheres.

    mean and std (f,) are figures over all states seen so far, and travel with the weights.
    """

    mean: Tensor
    std: Tensor
    count: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        width = self.raw(task.goal[None]).shape[1]
        self.register_buffer("mean", torch.zeros(width, dtype=torch.float64))
        self.register_buffer("std", torch.ones(width, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @property
    def width(self) -> int:
        """f."""
        return self.mean.shape[0]

    def raw(self, x: Tensor, spheres: Spheres | None = None) -> Tensor:
        """Features (B, f) as they are, in x's dtype; without spheres the task's own."""
        system, goal = self.task.system, self.task.goal.to(x)
        attitude = range(system.mrp, system.mrp + 3) if system.mrp is not None else ()
        plain = [i for i in range(self.task.n) if i not in system.angles and i not in attitude]
        parts = [x[:, plain] - goal[plain]]
        for i in system.angles:
            parts += [torch.sin(x[:, i : i + 1]), torch.cos(x[:, i : i + 1])]
        if system.mrp is not None:
            parts.append(rotation(x[:, system.mrp : system.mrp + 3]))
        spheres = spheres or self.task.spheres
        if spheres is not None and system.position is not None:
            parts.append(nearest(x[:, system.position : system.position + 3], spheres))
        return torch.cat(parts, 1)

    @torch.no_grad()
    def observe(self, raw: Tensor) -> None:
        """Take raw features (N, f) into the mean and spread."""
        new, total = raw.shape[0], self.count + raw.shape[0]
        shift = raw.mean(0) - self.mean
        square = self.std.square() * self.count + raw.var(0, unbiased=False) * new
        square = square + shift.square() * self.count * new / total
        self.mean += shift * new / total
        self.std.copy_((square / total).sqrt().clamp_min(1e-3))
        self.count.copy_(total)

    def forward(self, x: Tensor, spheres: Spheres | None = None) -> Tensor:
        """Normalised features (B, f), within 5 spreads of the mean."""
        return ((self.raw(x, spheres) - self.mean) / self.std).clamp(-5.0, 5.0)


def rotation(p: Tensor) -> Tensor:
    """Body-to-world rotation matrix of an MRP p (B, 3), flat (B, 9): I + (8 [p]^2 + 4 (1 - p.p) [p]) / (1 +
    p.p)^2, the same for p and its shadow."""
    square = p.square().sum(1)[:, None, None]
    zero = torch.zeros_like(p[:, 0])
    x, y, z = p.unbind(1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    matrix = (8.0 * cross @ cross + 4.0 * (1.0 - square) * cross) / (1.0 + square).square()
    return (matrix + torch.eye(3, dtype=p.dtype, device=p.device)).flatten(1)


def nearest(place: Tensor, spheres: Spheres) -> Tensor:
    """Of the NEAREST spheres the direction and the distance to the surface, for place (B, 3): (B, 4 NEAREST),
    nearest first; moving spheres where they are at the first knot. Where there are fewer, the rest is out of
    reach in no direction."""
    center = spheres.center[:, 0] if spheres.center.ndim == 4 else spheres.center
    way = center.to(place) - place[:, None]
    length = way.norm(dim=-1).clamp_min(1e-6)
    gap = (length - torch.as_tensor(spheres.radius).to(place)).clamp_max(_REACH)
    chosen = torch.cat([way / length[..., None], gap[..., None]], -1)
    if (missing := NEAREST - chosen.shape[1]) > 0:
        nothing = chosen.new_tensor([0.0, 0.0, 0.0, _REACH]).expand(chosen.shape[0], missing, 4)
        chosen = torch.cat([chosen, nothing], 1)
    order = chosen[..., 3].detach().topk(NEAREST, dim=1, largest=False).indices
    return torch.take_along_dim(chosen, order[..., None], 1).flatten(1)
