"""The peer: the original's steps in PyTorch, written from their description. Driven by bench/run.ts over stdin and stdout.

Each line in is {"case": name, "threads": n, "runs": n, ...sizes}; each line out {"milliseconds": [...]}. The first run of a
case is a warm-up and is not reported.
"""
import json
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

S, H, L, P, E = 333, (160, 80), 14, 4, 180
STOICHIOMETRY = torch.rand(S, 9)


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(S, H[0], bias=False), nn.Linear(H[0], H[1], bias=False), nn.Linear(H[1], L)
        self.b1, self.b2, self.b3 = nn.BatchNorm1d(H[0]), nn.BatchNorm1d(H[1]), nn.BatchNorm1d(L)
        self.d1, self.d2 = nn.BatchNorm1d(H[1]), nn.BatchNorm1d(H[0])
        self.c1, self.c2, self.c3 = (nn.Parameter(torch.zeros(n)) for n in (H[1], H[0], S))

    def encode(self, x):
        h = F.dropout(F.gelu(self.b2(self.fc2(F.gelu(self.b1(self.fc1(x)))))), 0.3, self.training)
        return F.gelu(self.b3(self.fc3(h)))

    def decode(self, z):
        d = F.gelu(self.d1(z @ self.fc3.weight + self.c1))
        d = F.dropout(F.gelu(self.d2(d @ self.fc2.weight + self.c2)), 0.3, self.training)
        return torch.sigmoid(d @ self.fc1.weight + self.c3)


class Emulator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(P + L, E), nn.ReLU(), nn.Dropout(0), nn.Linear(E, E), nn.ReLU(), nn.Dropout(0), nn.Linear(E, L)
        )

    def forward(self, physical, z):
        out = []
        for t in range(physical.shape[1]):
            z = z + self.net(torch.cat([physical[:, t], z], 1))
            out.append(z)
        return torch.stack(out, 1)


def loss(o, x, weight):
    e = torch.exp(20 * math.log(10) * (o - x).abs()) - 1
    linear = [torch.exp(math.log(10) * (s * 20 - 20)) @ STOICHIOMETRY for s in (x, o)]
    conservation = (torch.log10(linear[0]) - torch.log10(linear[1])).abs().sum() / len(x)
    return 1e-3 * (e.sum() / len(x) + 2 * e.max(1)[0].mean() + weight * conservation)


def optimizer_step(model, optimizer, value, clip):
    optimizer.zero_grad()
    value.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return value.item()


def make(case, batch, steps):
    """One repetition of the case as a function without arguments."""
    if case == "sgemm":
        a, b = torch.rand(batch, batch), torch.rand(batch, batch)
        return lambda: torch.mm(a, b)
    autoencoder, emulator = Autoencoder(), Emulator()
    if case == "train autoencoder":
        x = torch.rand(batch, S)
        optimizer = torch.optim.AdamW(autoencoder.parameters(), lr=1e-5, betas=(0.99, 0.999), weight_decay=1e-4)

        def run():
            z = autoencoder.encode(x)
            o = autoencoder.decode(z + 0.1 * torch.randn_like(z))
            optimizer_step(autoencoder, optimizer, loss(o, x, 100), 2.0)

        return run
    autoencoder.eval()
    for parameter in autoencoder.parameters():
        parameter.requires_grad_(False)
    physical, z0 = torch.rand(batch, max(steps, 1), P), torch.rand(batch, L)
    if case == "train emulator":
        targets = torch.rand(batch * steps, S)
        optimizer = torch.optim.AdamW(emulator.parameters(), lr=1e-5, betas=(0.9, 0.995), weight_decay=1e-3)

        def run():
            z = emulator(physical, z0).reshape(batch * steps, L) * 2 - 0.17
            optimizer_step(emulator, optimizer, loss(autoencoder.decode(z), targets, 500), 1.0)

        return run
    x = torch.rand(batch, S)
    actions = {
        "encode": lambda: autoencoder.encode(x),
        "decode": lambda: autoencoder.decode(z0),
        "rollout": lambda: emulator(physical, z0),
        "rollout and decode": lambda: autoencoder.decode(emulator(physical, z0).reshape(-1, L)),
        "encode, step and decode": lambda: autoencoder.decode(emulator(physical, autoencoder.encode(x))[:, 0]),
    }
    return torch.no_grad()(actions[case])


for line in sys.stdin:
    request = json.loads(line)
    torch.manual_seed(0)
    torch.set_num_threads(request["threads"])
    clock = time.process_time if sys.argv[1:] == ["cpu"] else time.perf_counter
    run = make(request["case"], request["batch"], request["steps"])
    times = []
    for k in range(request["runs"] + 1):
        started = clock()
        run()
        times.append(1000 * (clock() - started))
    print(json.dumps({"milliseconds": times[1:]}), flush=True)
