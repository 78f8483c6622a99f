"""The models and their training, in PyTorch: Kingma & Welling 2013 with a mirrored MLP on each side, and its family.

Dimensions: B batch rows, K samples a row, D data, H hidden, Z latent, C classes, L levels, N images.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

import layers
from draws import binarize, draw_eps

STEPS = 10
LEARNING_RATE = 1e-3
LOG_VAR_LIMIT = 7.0
"""The learned log-variance is clamped to plus or minus this."""
SHARED_LOG_VAR_LIMIT = 12.0
"""The same where all values share one."""
LOG_SCALE_LIMIT = 8.0
"""The logistic's log-scale is clamped to plus or minus this."""
RUNNING = 0.01
"""How far the running mean of the best variances moves in a late step."""
MOMENTUM = 0.1
"""How far the running statistics of a normalisation move: PyTorch's default."""
FAR = 10.0
"""Range of the initial values that `Case.far` names: beyond the clamp, and where sigmoids are flat."""


def softplus(a: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(a)) that neither overflows nor turns linear early (torch's own does, above 20)."""
    return torch.logaddexp(a, torch.zeros_like(a))


ACTIVATIONS = {
    "relu": torch.relu, "tanh": torch.tanh, "softplus": softplus, "silu": torch.nn.functional.silu,
    "elu": torch.nn.functional.elu,
}


@dataclass(frozen=True)
class Case:
    name: str
    input: int  # D
    hidden: tuple[int, ...]  # H of each encoder layer; the decoder's are the same, mirrored
    latent: int  # Z
    activation: str
    batch: int  # B
    images: int  # N >= B
    seed: int  # of the GPU's generator
    host_seed: int  # of NumPy's: data, order, initial weights, labels
    kind: str = "vae"  # or iwae, ae
    samples: int = 1  # K
    likelihood: str = "bernoulli"
    # Of gaussian-learned: `global` is one number a pixel, `pixel` the decoder's, `shared` one number, `optimal` the same
    # in closed form.
    variance: str = "global"
    levels: int = 16  # L of categorical
    classes: int = 0  # C of a conditional model
    beta: float = 1.0  # weight of the KL
    free_bits: float = 0.0
    clip_norm: float = 0.0
    weight_decay: float = 0.0
    epsilon: float = 1e-8
    far: str = ""  # the parameter that begins uniform in +-reach
    reach: float = FAR
    components: int = 10  # K of logistic-mixture
    channels: int = 1  # of a pixel: those of logistic-mixture depend on those before
    picture: tuple[int, int, int] = (0, 0, 0)  # height, width, channels of a datum, where layers are named
    encoder: str = ""
    decoder: str = ""

    @property
    def estimated(self) -> str:
        """The parameter that no gradient moves."""
        return "decoder.log_var" if self.variance == "optimal" else ""

    def is_measured(self, name: str) -> bool:
        """Whether no gradient moves a parameter."""
        return name == self.estimated or ".running_" in name

    @property
    def binarize(self) -> str:
        return "dynamic" if self.likelihood == "bernoulli" else "none"

    def stack(self, part: str) -> list[layers.Layer]:
        """The layers of `encoder` or `decoder` before the last one."""
        text = self.encoder if part == "encoder" else self.decoder
        if not text:
            widths = self.hidden if part == "encoder" else reversed(self.hidden)
            return [layers.Layer("linear", width) for width in widths]
        named = layers.parse(text)
        return named if named[-1].channels or named[-1].kind == "norm" else named[:-1]

    @property
    def last(self) -> layers.Layer:
        """The layer that gives the likelihood's parts."""
        named = layers.parse(self.decoder)[-1] if self.decoder else layers.Layer("linear", 1)
        return layers.Layer("linear", 0) if named.channels else named

    def given(self, part: str) -> layers.Shape:
        """The shape that encoder or decoder reads: a picture has its label as channels."""
        if part == "decoder":
            return (self.latent + self.classes,)
        if not self.encoder:
            return (self.input + self.classes,)
        height, width, channels = self.picture
        return (channels + self.classes, height, width)


CASES = [
    Case("relu", 196, (32,), 5, "relu", batch=16, images=20, seed=1, host_seed=11),
    Case("tanh", 37, (19, 11), 3, "tanh", batch=7, images=10, seed=0x0123456789ABCDEF, host_seed=12),
    Case("softplus", 20, (8,), 2, "softplus", batch=5, images=5, seed=2**64 - 1, host_seed=13),
    Case("silu", 13, (9, 7), 5, "silu", batch=6, images=9, seed=42, host_seed=14),
    Case("samples", 21, (10,), 3, "tanh", 5, 8, seed=3, host_seed=15, samples=3, beta=0.5),
    Case("iwae", 37, (13, 9), 5, "tanh", 6, 9, seed=4, host_seed=16, kind="iwae", samples=5),
    Case("ae", 18, (11,), 3, "silu", 6, 7, seed=5, host_seed=17, kind="ae"),
    Case("conditional", 19, (10, 8), 3, "tanh", 9, 12, seed=6, host_seed=18, classes=4),
    Case("free-bits", 17, (9,), 6, "silu", 7, 9, seed=7, host_seed=19, free_bits=0.05, beta=0.8),
    Case(
        "clip", 15, (12,), 4, "tanh", 6, 8, seed=8, host_seed=20, clip_norm=2.2, weight_decay=3.0, epsilon=1e-4,
    ),
    Case("gaussian", 22, (9,), 3, "softplus", 6, 8, seed=9, host_seed=21, likelihood="gaussian"),
    Case(
        "gaussian-global", 23, (9,), 3, "tanh", 7, 8, seed=10, host_seed=22, likelihood="gaussian-learned",
        far="decoder.log_var",
    ),
    Case(
        "gaussian-pixel", 14, (10,), 2, "tanh", 6, 8, seed=11, host_seed=23, likelihood="gaussian-learned",
        variance="pixel", far="decoder.log_var.bias",
    ),
    Case(
        "gaussian-shared", 15, (9,), 3, "silu", 6, 8, seed=15, host_seed=27, likelihood="gaussian-learned",
        variance="shared", samples=2,
    ),
    Case(
        "gaussian-optimal", 18, (9,), 3, "tanh", 6, 8, seed=16, host_seed=28, likelihood="gaussian-learned",
        variance="optimal", samples=2,
    ),
    Case(
        "gaussian-optimal-iwae", 14, (9,), 3, "tanh", 6, 8, seed=17, host_seed=29, likelihood="gaussian-learned",
        variance="optimal", kind="iwae", samples=3,
    ),
    Case(
        "continuous-bernoulli", 35, (8,), 3, "silu", 6, 8, seed=12, host_seed=24,
        likelihood="continuous-bernoulli", far="decoder.out.bias",
    ),
    Case(
        "categorical", 10, (9,), 3, "softplus", 7, 8, seed=13, host_seed=25, likelihood="categorical", levels=8,
    ),
    Case(
        "logistic", 14, (9,), 3, "tanh", 6, 8, seed=18, host_seed=30, likelihood="logistic",
        far="decoder.log_scale.bias", reach=4.0,
    ),
    Case(
        "logistic-mixture", 9, (10,), 3, "silu", 6, 8, seed=19, host_seed=31, likelihood="logistic-mixture",
        components=3, channels=3, samples=2, far="decoder.out.bias", reach=2.0,
    ),
    Case(
        "together", 11, (8,), 3, "tanh", 5, 7, seed=14, host_seed=26, kind="iwae", samples=4, classes=3, beta=0.6,
        likelihood="gaussian-learned", variance="pixel", clip_norm=3.4, weight_decay=2.0,
    ),
    Case(
        "conv", 64, (), 3, "tanh", 5, 7, seed=15, host_seed=27, picture=(8, 8, 1),
        encoder="conv 5x4/2 pad 1, conv 7x3/2 pad 1, linear 9",
        decoder="linear 9, linear 2x2x7, deconv 5x3/2 pad 1 to 4x4, deconv 4/2 pad 1 to 8x8",
    ),
    Case(
        "conv-colour", 90, (), 4, "tanh", 4, 6, seed=16, host_seed=28, picture=(6, 5, 3), samples=2,
        # Means away from 0: a KL of hundredths of a nat would be rounding alone.
        far="encoder.mu.bias", reach=1.0, likelihood="gaussian-learned", variance="pixel",
        encoder="conv 3x5/1 pad 2, conv 64x2/3 pad 0", decoder="linear 2x2x64, deconv 5x2/3 pad 0 to 6x5, conv 1 pad 0",
    ),
    Case(
        "conv-conditional", 56, (), 3, "softplus", 6, 8, seed=17, host_seed=29, picture=(7, 4, 2), classes=3,
        likelihood="gaussian", encoder="conv 3x7/4 pad 3, linear 3x2x5, conv 4x3/1 pad 1",
        decoder="linear 2x1x7, deconv 6x6/3 pad 1 to 7x4, conv 3x1 pad 0, linear 7",
    ),
    Case(
        "batch-norm", 60, (), 3, "elu", 5, 7, seed=18, host_seed=30, picture=(5, 4, 3), samples=2, weight_decay=2.0,
        clip_norm=44.0, likelihood="gaussian", encoder="norm batch, conv 6x3/2 pad 1, linear 9",
        decoder="linear 9, linear 5x4x5, norm batch, conv 3 pad 1",
    ),
]  # fmt: skip

Params = dict[str, torch.Tensor]


@dataclass
class Batch:
    x: torch.Tensor  # [B, D]
    eps: torch.Tensor  # [B K, Z]
    one_hot: torch.Tensor  # [B, C]


@dataclass
class Terms:
    recon: torch.Tensor  # [B, K]: log p(x|z), in nats as all of these
    kl: torch.Tensor  # [B, Z]: of each dimension
    log_ratio: torch.Tensor  # [B, K]: log p(z) - log q(z|x)
    mu: torch.Tensor  # [B, Z]
    log_var: torch.Tensor  # [B, Z]
    z: torch.Tensor  # [B K, Z]
    decoded: Params  # the decoder's outputs [B K, ..] by name
    measured: Params  # mean and variance of a channel before its normalisation, by the running ones' names


def component_width(channels: int) -> int:
    """Numbers of a component: its logit, a mean and a log-scale a channel, and a slope for each pair of channels."""
    return 1 + 2 * channels + channels * (channels - 1) // 2


def logistic_log_p(mean: torch.Tensor, log_scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """log P of the byte of x under a logistic in 256 steps, whose first and last step have the tails."""
    level = (255 * x).round()
    scale = torch.exp(log_scale.clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT))
    upper, lower = ((level / 255 - mean + half) / scale for half in (1 / 510, -1 / 510))
    # Of two values of the sigmoid near 1 the complements keep their digits.
    flip = torch.where(upper + lower > 0, -1.0, 1.0)
    steps = (torch.sigmoid(flip * upper) - torch.sigmoid(flip * lower)).abs()
    inner = torch.log(torch.where((level > 0) & (level < 255), steps, 1.0))
    first, last = -softplus(-upper), -softplus(lower)
    return torch.where(level == 0, first, torch.where(level == 255, last, inner))


def mixture_parts(case: Case, out: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log weights [R, Q, K], and means and log-scales [R, Q, K, C], given the channels of x [R, D] that come before."""
    channels, pixels = case.channels, case.input // case.channels
    blocks = out.unflatten(1, (pixels, case.components, component_width(channels)))
    logit, mean, log_scale, slopes = blocks.split([1, channels, channels, channels * (channels - 1) // 2], dim=3)
    before = x.unflatten(1, (pixels, 1, channels)) - 0.5
    mean, at = list(mean.unbind(dim=3)), 0
    for c in range(channels):
        for j in range(c):
            mean[c] = mean[c] + torch.tanh(slopes[..., at]) * before[..., j]
            at += 1
    return torch.log_softmax(logit[..., 0], dim=2), torch.stack(mean, dim=3), log_scale


def output_heads(case: Case) -> dict[str, int]:
    """What the decoder's last layer gives: names and widths."""
    if case.likelihood == "gaussian-learned" and case.variance == "pixel":
        return {"decoder.mu": case.input, "decoder.log_var": case.input}
    if case.likelihood == "logistic":
        return {"decoder.mu": case.input, "decoder.log_scale": case.input}
    if case.likelihood == "logistic-mixture":
        pixels = case.input // case.channels
        return {"decoder.out": pixels * case.components * component_width(case.channels)}
    return {"decoder.out": case.input * (case.levels if case.likelihood == "categorical" else 1)}


def layer_shapes(case: Case) -> dict[str, tuple[layers.Shape, int]]:
    """Layers in the order of the forward pass: name to the shape of the weight, and the length of the bias."""
    shapes = {}

    def add(name: str, layer: layers.Layer, given: layers.Shape, outputs: int) -> layers.Shape:
        gives = layers.output_shape(layer, given, outputs)
        bias = math.prod(gives) if layer.kind == "linear" else gives[0]
        shapes[name] = (layers.weight_shape(layer, given, outputs), bias)
        return gives

    linear = layers.Layer("linear", 0)
    given = case.given("encoder")
    for i, layer in enumerate(case.stack("encoder")):
        given = add(f"encoder.{i}", layer, given, layer.channels)
    add("encoder.mu", linear, given, case.latent)
    if case.kind != "ae":
        add("encoder.log_var", linear, given, case.latent)
    given = case.given("decoder")
    for i, layer in enumerate(case.stack("decoder")):
        given = add(f"decoder.{i}", layer, given, layer.channels)
    for head, columns in output_heads(case).items():
        positions = 1 if case.last.kind == "linear" else case.picture[0] * case.picture[1]
        add(head, case.last, given, columns // positions)
    return shapes


@dataclass
class Inputs:
    data: np.ndarray  # bytes [N, D]
    order: np.ndarray  # the rows of the batch [B]
    labels: np.ndarray  # classes [N], all zero in a model that is told none
    params: dict[str, np.ndarray]  # initial weights, float32


def make_inputs(case: Case) -> Inputs:
    host = np.random.default_rng(case.host_seed)

    shape = (case.images, case.input)
    grey = host.integers(1, 255, shape)
    data = np.choose(host.choice(3, shape, p=(0.4, 0.3, 0.3)), (np.zeros(shape, int), np.full(shape, 255), grey))
    data[:, 0], data[:, -1] = 0, 255  # columns that never vary, as at the edge of a digit
    order = host.permutation(case.images)[: case.batch]

    norms = [
        f"{part}.{i}"
        for part in ("encoder", "decoder")
        for i, layer in enumerate(case.stack(part))
        if layer.kind == "norm"
    ]
    # torch.nn.Linear's default for weight and bias alike: uniform in +-1 / sqrt(fan_in).
    params = {}
    for layer, (shape, outputs) in layer_shapes(case).items():
        bound = 1 / np.sqrt(math.prod(shape[1:]))
        params[f"{layer}.weight"] = host.uniform(-bound, bound, shape).astype(np.float32)
        params[f"{layer}.bias"] = host.uniform(-bound, bound, outputs).astype(np.float32)
        if layer in norms:
            params[f"{layer}.running_mean"] = host.uniform(-1, 1, outputs).astype(np.float32)
            params[f"{layer}.running_var"] = host.uniform(0.5, 2, outputs).astype(np.float32)
    if case.likelihood == "gaussian-learned" and case.variance != "pixel":
        params["decoder.log_var"] = np.zeros(case.input if case.variance == "global" else 1, np.float32)
    if case.far:
        params[case.far] = host.uniform(-case.reach, case.reach, params[case.far].shape).astype(np.float32)
    labels = host.integers(0, max(case.classes, 1), case.images)
    return Inputs(data.astype(np.uint8), order.astype(np.int32), labels.astype(np.uint8), params)


def draw_step(case: Case, inputs: Inputs, step: int, dtype=torch.float64) -> Batch:
    """The batch of a step (1, 2, ...): both streams have the step's number in the counter."""
    rows = inputs.data[inputs.order]
    x = binarize(case.seed, step, rows) if case.binarize == "dynamic" else rows / 255
    eps = draw_eps(case.seed, step, case.batch * case.samples, case.latent)
    one_hot = np.eye(case.classes)[inputs.labels[inputs.order]] if case.classes else np.zeros((case.batch, 0))
    return Batch(*(torch.from_numpy(a).to(dtype) for a in (x, eps, one_hot)))


def log_p(case: Case, params: Params, decoded: Params, x: torch.Tensor) -> torch.Tensor:
    """log p(x|z) of each value [B K, D], or of each pixel."""
    if case.likelihood == "bernoulli":
        logits = decoded["decoder.out"]
        return x * logits - softplus(logits)
    if case.likelihood == "continuous-bernoulli":
        # The density is e^(l x) over its integral (e^l - 1) / l.
        logits = decoded["decoder.out"]
        a = logits.abs()
        return x * logits - (torch.relu(logits) + torch.log(-torch.expm1(-a) / a))
    if case.likelihood == "categorical":
        log_softmax = torch.log_softmax(decoded["decoder.out"].unflatten(1, (case.input, case.levels)), dim=2)
        level = (x * 255).round().long() * case.levels // 256
        return log_softmax.gather(2, level[:, :, None])[:, :, 0]
    if case.likelihood == "logistic":
        return logistic_log_p(decoded["decoder.mu"], decoded["decoder.log_scale"], x)
    if case.likelihood == "logistic-mixture":
        log_weight, mean, log_scale = mixture_parts(case, decoded["decoder.out"], x)
        by_channel = logistic_log_p(mean, log_scale, x.unflatten(1, (mean.shape[1], 1, case.channels)))
        return torch.logsumexp(log_weight + by_channel.sum(dim=3), dim=2)
    mean, log_var = decoded.get("decoder.out"), torch.zeros_like(x)
    if case.likelihood == "gaussian-learned":
        mean = decoded.get("decoder.mu", mean)
        log_var = decoded.get("decoder.log_var", params.get("decoder.log_var"))
        limit = LOG_VAR_LIMIT if case.variance in ("global", "pixel") else SHARED_LOG_VAR_LIMIT
        log_var = log_var.clamp(-limit, limit)
        if case.variance == "optimal":
            # Of an IWAE the weights of the samples follow from log p, so that it has the running mean, a constant.
            log_var = log_var.detach() if case.kind == "iwae" else ((x - mean) ** 2).mean().log()
    return -0.5 * ((x - mean) ** 2 * torch.exp(-log_var) + log_var + math.log(2 * math.pi))


def forward(case: Case, params: Params, batch: Batch) -> Terms:
    activation = ACTIVATIONS[case.activation]
    measured = {}

    def hidden(name: str, layer: layers.Layer, a: torch.Tensor) -> torch.Tensor:
        if layer.kind != "norm":
            return activation(apply(name, layer, a))
        channels = a.detach().transpose(0, 1).flatten(1)
        measured[f"{name}.running_mean"] = channels.mean(dim=1)
        measured[f"{name}.running_var"] = channels.var(dim=1)
        return apply(name, layer, a)

    def apply(name: str, layer: layers.Layer, a: torch.Tensor) -> torch.Tensor:
        return layers.apply(layer, a, params[f"{name}.weight"], params[f"{name}.bias"])

    def linear(name: str, a: torch.Tensor) -> torch.Tensor:
        return apply(name, layers.Layer("linear", 0), a)

    def each_sample(rows: torch.Tensor) -> torch.Tensor:
        return rows.repeat_interleave(case.samples, dim=0)

    h, label = batch.x, batch.one_hot
    if case.encoder:
        # Data has its channels last. Each position sees the label.
        height, width, channels = case.picture
        h = h.view(-1, height, width, channels).permute(0, 3, 1, 2)
        label = label[:, :, None, None].expand(-1, -1, height, width)
    h = torch.cat([h, label], dim=1)
    for i, layer in enumerate(case.stack("encoder")):
        h = hidden(f"encoder.{i}", layer, h)
    mu = linear("encoder.mu", h)
    if case.kind == "ae":
        log_var, z = torch.zeros_like(mu), mu
    else:
        log_var = linear("encoder.log_var", h)
        z = each_sample(mu) + torch.exp(each_sample(log_var) / 2) * batch.eps

    h = torch.cat([z, each_sample(batch.one_hot)], dim=1)
    for i, layer in enumerate(case.stack("decoder")):
        h = hidden(f"decoder.{i}", layer, h)
    decoded = {head: apply(head, case.last, h) for head in output_heads(case)}
    if case.last.kind != "linear":
        decoded = {head: picture.permute(0, 2, 3, 1).flatten(1) for head, picture in decoded.items()}

    recon = log_p(case, params, decoded, each_sample(batch.x)).sum(dim=1)
    kl = 0.5 * (mu**2 + torch.exp(log_var) - 1 - log_var)
    if case.kind == "ae":
        kl = torch.zeros_like(mu)
    log_ratio = 0.5 * (batch.eps**2 + each_sample(log_var) - z**2).sum(dim=1)
    by_row = (case.batch, case.samples)
    return Terms(recon.view(by_row), kl, log_ratio.view(by_row), mu, log_var, z, decoded, measured)


def bound_of(case: Case, terms: Terms) -> torch.Tensor:
    """The importance-weighted bound [B] of Burda et al. 2015, its normalised weights detached as in their eq. 14."""
    log_w = terms.recon + case.beta * terms.log_ratio
    weights = torch.softmax(log_w, dim=1).detach()
    gradient = (weights * log_w).sum(dim=1)
    value = torch.logsumexp(log_w, dim=1) - math.log(case.samples)
    return value.detach() + gradient - gradient.detach()


def loss_of(case: Case, terms: Terms) -> torch.Tensor:
    """What training minimises: averaged over rows, in nats."""
    if case.kind == "iwae":
        return -bound_of(case, terms).mean()
    kl = terms.kl.mean(dim=0)  # [Z]
    if case.free_bits:
        kl = torch.clamp(kl, min=case.free_bits)
    return -(terms.recon.mean() - case.beta * kl.sum())


def follow(params: Params, terms: Terms) -> None:
    """Moves the running means and variances of normalisations towards those of the batch."""
    with torch.no_grad():
        for name, value in terms.measured.items():
            params[name] += MOMENTUM * (value - params[name])


def run_on(case: Case, params: Params, batch: Batch, terms: Terms, step: int) -> None:
    """Moves the running mean of the variance, which no gradient moves, towards the best of the batch. In an IWAE the
    samples count by their importance."""
    x = batch.x.repeat_interleave(case.samples, dim=0)
    squares = ((x - terms.decoded["decoder.out"].detach()) ** 2).sum(dim=1).view(terms.recon.shape)
    weights = torch.full_like(squares, 1 / case.samples)
    if case.kind == "iwae":
        weights = torch.softmax((terms.recon + case.beta * terms.log_ratio).detach(), dim=1)
    best = (weights * squares).sum() / (case.input * weights.sum())
    with torch.no_grad():
        running = params["decoder.log_var"]
        running.copy_(torch.log(running.exp() + max(1 / step, RUNNING) * (best - running.exp())))


def stored(value: torch.Tensor) -> np.ndarray:
    return value.detach().numpy().astype(np.float32)


def first_step(case: Case, params: Params, batch: Batch, terms: Terms, loss: torch.Tensor) -> dict[str, np.ndarray]:
    """What is stored of the first step. Gradients are those before clipping."""
    values = {"x": batch.x, "recon": terms.recon.reshape(-1), "kl": terms.kl.sum(dim=1), "loss": loss.reshape(1)}
    if case.kind != "ae":
        values["eps"] = batch.eps
    if case.kind == "iwae":
        values["bound"] = bound_of(case, terms)
    if case.free_bits:
        values["floor_kl"] = torch.clamp(terms.kl.mean(dim=0), min=case.free_bits)
    # What is estimated has no gradient.
    values |= {f"grad.{name}": torch.zeros_like(p) if p.grad is None else p.grad for name, p in params.items()}
    return {f"step1.{name}": stored(value) for name, value in values.items()}


def train(case: Case, dtype=torch.float64) -> dict[str, np.ndarray]:
    """Ten Adam steps on the same rows, with fresh binarisation and fresh eps at each step."""
    inputs = make_inputs(case)
    # torch.tensor copies: Adam must not write through to the initial weights that are stored below.
    params = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in inputs.params.items()}
    settings = {"lr": LEARNING_RATE, "betas": (0.9, 0.999), "eps": case.epsilon}
    adam = torch.optim.AdamW(params.values(), weight_decay=case.weight_decay, **settings)

    out = {"data": inputs.data, "order": inputs.order}
    if case.classes:
        out["labels"] = inputs.labels
    out |= {f"param.{name}": value for name, value in inputs.params.items()}
    losses, norms = [], []
    for step in range(1, STEPS + 1):
        batch = draw_step(case, inputs, step, dtype)
        terms = forward(case, params, batch)
        loss = loss_of(case, terms)
        adam.zero_grad()
        loss.backward()
        losses.append(loss.item())
        if step == 1:
            out |= first_step(case, params, batch, terms, loss)
        if case.clip_norm:
            norms.append(torch.nn.utils.clip_grad_norm_(params.values(), case.clip_norm).item())
        adam.step()
        follow(params, terms)
        if case.estimated:
            run_on(case, params, batch, terms, step)
    out["losses"] = np.array(losses, dtype=np.float32)
    if case.clip_norm:
        out["norms"] = np.array(norms, dtype=np.float32)
    return out | {f"step{STEPS}.param.{name}": stored(p) for name, p in params.items()}


def metadata(case: Case) -> dict[str, str]:
    picture = ",".join(map(str, case.picture))
    named = {"encoder": case.encoder, "decoder": case.decoder, "picture": picture} if case.encoder else {}

    mixture = {"components": str(case.components), "channels": str(case.channels)}
    return named | (mixture if case.likelihood == "logistic-mixture" else {}) | {
        "activation": case.activation,
        "batch": str(case.batch),
        "beta": str(case.beta),
        "binarize": case.binarize,
        "classes": str(case.classes),
        "clip_norm": str(case.clip_norm),
        "epsilon": str(case.epsilon),
        "free_bits": str(case.free_bits),
        "hidden": ",".join(map(str, case.hidden)),
        "input": str(case.input),
        "kind": case.kind,
        "latent": str(case.latent),
        "levels": str(case.levels),
        "likelihood": case.likelihood,
        "lr": str(LEARNING_RATE),
        "samples": str(case.samples),
        "seed": str(case.seed),
        "steps": str(STEPS),
        "variance": case.variance,
        "weight_decay": str(case.weight_decay),
    }
