"""Checks of the files, and of the recipe against things that it does not use."""

import math
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import distributions

from draws import KNOWN_ANSWERS, philox
from model import (
    CASES,
    LEARNING_RATE,
    LOG_VAR_LIMIT,
    STEPS,
    Case,
    Params,
    bound_of,
    draw_step,
    follow,
    forward,
    loss_of,
    make_inputs,
    mixture_parts,
    run_on,
    train,
)

Files = dict[str, tuple[dict[str, np.ndarray], dict[str, str]]]


def relative_error(value, expected) -> float:
    """||value - expected|| / ||expected||, the root of the normalised mean square error."""
    value, expected = np.asarray(value, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    return float(np.linalg.norm(value - expected) / max(np.linalg.norm(expected), 1e-300))


def require(what: str, error: float, bound: float) -> None:
    print(f"  {what}: {error:.1e} (at most {bound:.0e})")
    if not error <= bound:  # also when it is NaN
        sys.exit(f"make_golden.py --check failed: {what}")


def check_philox() -> None:
    print("Philox against Random123's known answers")
    for counter, key, answer in KNOWN_ANSWERS:
        words = philox(np.array([counter]), np.array([key]))[0]
        require(f"key {key[0]:08x} {key[1]:08x}", float(np.sum(words != np.array(answer, np.uint32))), 0.0)


def types_of(tensors: dict[str, np.ndarray]) -> dict:
    return {name: (value.dtype, value.shape) for name, value in tensors.items()}


def check_files(folder: Path, files: Files) -> None:
    """Integers and drawn bits must be equal. Floats may differ in the last place: another CPU sums in another
    order, and a value on the edge then rounds to the next float32."""
    for name, (tensors, meta) in files.items():
        print(name)
        with safe_open(folder / name, framework="numpy") as file:
            on_disk = {key: file.get_tensor(key) for key in file.keys()}
            found_meta = file.metadata() or {}
        if found_meta != meta or types_of(on_disk) != types_of(tensors):
            sys.exit(f"{name}: metadata, names, types or shapes differ; run make_golden.py without --check")
        exact = [key for key, v in tensors.items() if v.dtype != np.float32 or key in ("uniforms", "step1.x")]
        require("integers that differ", float(sum(np.sum(on_disk[k] != tensors[k]) for k in exact)), 0.0)
        require(
            "largest relative error of a float tensor",
            max(relative_error(on_disk[key], value) for key, value in tensors.items()),
            1e-6,
        )


def logistic_again(mean: torch.Tensor, log_scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """log P by sigmoid(a) - sigmoid(b) = sinh((a - b) / 2) / (2 cosh(a / 2) cosh(b / 2)), and tails by torch's own."""
    level, scale = (255 * x).round(), torch.exp(log_scale)
    a, b = ((level / 255 - mean + half) / scale for half in (1 / 510, -1 / 510))
    inner = torch.sinh((a - b) / 2).log() - math.log(2) - torch.cosh(a / 2).log() - torch.cosh(b / 2).log()
    ends = torch.nn.functional.logsigmoid(torch.where(level == 0, a, -b))
    return torch.where((level == 0) | (level == 255), ends, inner)


def log_p_again(case: Case, params: Params, decoded: Params, x: torch.Tensor) -> torch.Tensor:
    """log p(x|z) of each row by torch.distributions."""
    if case.likelihood == "bernoulli":
        p = distributions.Bernoulli(logits=decoded["decoder.out"])
    elif case.likelihood == "continuous-bernoulli":
        p = distributions.ContinuousBernoulli(logits=decoded["decoder.out"])
    elif case.likelihood == "categorical":
        p = distributions.Categorical(logits=decoded["decoder.out"].unflatten(1, (case.input, case.levels)))
        x = torch.floor((255 * x).round() * case.levels / 256)
    elif case.likelihood == "logistic":
        return logistic_again(decoded["decoder.mu"], decoded["decoder.log_scale"], x).sum(dim=1)
    elif case.likelihood == "logistic-mixture":
        # In probabilities, pixel by pixel.
        log_weight, mean, log_scale = mixture_parts(case, decoded["decoder.out"], x)
        pixel = logistic_again(mean, log_scale, x.unflatten(1, (mean.shape[1], 1, case.channels))).sum(dim=3)
        return (torch.exp(log_weight) * torch.exp(pixel)).sum(dim=2).log().sum(dim=1)
    elif case.likelihood == "gaussian":
        p = distributions.Normal(decoded["decoder.out"], 1.0)
    else:
        mean = decoded["decoder.mu" if case.variance == "pixel" else "decoder.out"]
        log_var = decoded["decoder.log_var"] if case.variance == "pixel" else params["decoder.log_var"]
        deviation = torch.exp(log_var.clip(-LOG_VAR_LIMIT, LOG_VAR_LIMIT) / 2)
        if case.variance == "optimal" and case.kind != "iwae":
            deviation = (x - mean).pow(2).mean().sqrt()
        p = distributions.Normal(mean, deviation)
    return p.log_prob(x).sum(dim=1)


def check_terms(case: Case) -> None:
    """Row terms and bound against torch.distributions."""
    inputs = make_inputs(case)
    params = {name: torch.from_numpy(value).double() for name, value in inputs.params.items()}
    batch = draw_step(case, inputs, 1)
    terms = forward(case, params, batch)

    x = batch.x.repeat_interleave(case.samples, dim=0)
    recon = log_p_again(case, params, terms.decoded, x).view(terms.recon.shape)
    require("log p(x|z)", relative_error(terms.recon, recon), 1e-12)
    if case.kind == "ae":
        return

    q = distributions.Normal(terms.mu, torch.exp(terms.log_var / 2))
    prior = distributions.Normal(torch.zeros_like(terms.mu), torch.ones_like(terms.mu))
    require("KL", relative_error(terms.kl, distributions.kl_divergence(q, prior)), 1e-12)
    z = terms.z.view(case.batch, case.samples, case.latent)
    log_ratio = (prior.log_prob(z.transpose(0, 1)) - q.log_prob(z.transpose(0, 1))).sum(dim=2).T
    require("log p(z) - log q(z|x)", relative_error(terms.log_ratio, log_ratio), 1e-12)
    if case.kind == "iwae":
        mean_w = torch.exp(recon + case.beta * log_ratio).mean(dim=1)
        require("bound", relative_error(bound_of(case, terms), torch.log(mean_w)), 1e-12)


def check_adam(case: Case) -> None:
    """Updates against the paper's algorithm 1 spelled out, with decoupled decay and the gradient's norm clipped."""
    inputs = make_inputs(case)
    params = {name: torch.from_numpy(value).double().requires_grad_() for name, value in inputs.params.items()}
    m = {name: torch.zeros_like(p) for name, p in params.items()}
    v = {name: torch.zeros_like(p) for name, p in params.items()}
    for t in range(1, STEPS + 1):
        batch = draw_step(case, inputs, t)
        terms = forward(case, params, batch)
        trained_names = [name for name in params if not case.is_measured(name)]
        grads = torch.autograd.grad(loss_of(case, terms), [params[name] for name in trained_names])
        norm = math.sqrt(sum(float((g**2).sum()) for g in grads))
        scale = min(case.clip_norm / (norm + 1e-6), 1.0) if case.clip_norm else 1.0
        with torch.no_grad():
            for name, grad in zip(trained_names, grads):
                p, g = params[name], scale * grad
                m[name] = 0.9 * m[name] + 0.1 * g
                v[name] = 0.999 * v[name] + 0.001 * g * g
                m_hat, v_hat = m[name] / (1 - 0.9**t), v[name] / (1 - 0.999**t)
                p -= LEARNING_RATE * (m_hat / (torch.sqrt(v_hat) + case.epsilon) + case.weight_decay * p)
        follow(params, terms)
        if case.estimated:
            run_on(case, params, batch, terms, t)
    trained = train(case)
    require(
        f"Adam, weights after {STEPS} steps",
        max(relative_error(trained[f"step{STEPS}.param.{name}"], p.detach()) for name, p in params.items()),
        1e-7,
    )


def check_both_sides(case: Case, golden: dict[str, np.ndarray]) -> None:
    """That the case meets both sides of its clamp or floor, where a test of one side would pass for the other."""
    sides = []
    if case.free_bits:
        sides.append(("dimensions at the floor", golden["step1.floor_kl"] == np.float32(case.free_bits)))
    if case.clip_norm:
        sides.append(("steps that are clipped", golden["norms"] > case.clip_norm))
    if case.far.startswith("decoder.log_var"):
        sides.append(("log-variances outside the clamp", np.abs(golden[f"param.{case.far}"]) > LOG_VAR_LIMIT))
        sides.append(("gradients that are zero", golden[f"step1.grad.{case.far}"] == 0))
    for what, which in sides:
        print(f"  {what}: {which.sum()} of {which.size}")
        if not 0 < which.sum() < which.size:
            sys.exit(f"make_golden.py --check failed: {case.name}: {what}: all or none")


def check_gradients(case: Case) -> None:
    """Every gradient against central differences of the loss. (Not for relu: it has kinks.)"""
    print(f"{case.name}: gradients against central differences")
    inputs = make_inputs(case)
    batch = draw_step(case, inputs, 1)
    params = {name: torch.from_numpy(value).double() for name, value in inputs.params.items()}
    golden = train(case)
    h = 1e-5

    def loss_with(flat: torch.Tensor, i: int, value: float) -> float:
        flat[i] = value
        return loss_of(case, forward(case, params, batch)).item()

    for name, p in params.items():
        if case.is_measured(name):
            continue
        flat = p.view(-1)
        slope = np.empty(len(flat))
        for i in range(len(flat)):
            at = flat[i].item()
            slope[i] = (loss_with(flat, i, at + h) - loss_with(flat, i, at - h)) / (2 * h)
            flat[i] = at
        require(name, relative_error(golden[f"step1.grad.{name}"].reshape(-1), slope), 1e-6)


def movement(run: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What training changed, by parameter: the weights themselves hardly move in ten steps."""
    final = f"step{STEPS}.param."
    return {
        f"movement.{key.removeprefix(final)}": value.astype(np.float64) - run[key.removeprefix(f"step{STEPS}.")]
        for key, value in run.items()
        if key.startswith(final)
    }


def report_float32() -> None:
    """What float32 arithmetic alone loses: no GPU can be asked for less than this."""
    print("PyTorch in float32 against the golden values: largest relative error of a tensor")
    for case in CASES:
        golden, single = train(case), train(case, torch.float32)
        golden |= movement(golden)
        single |= movement(single)
        errors = []
        for prefix in ("step1.recon", "step1.kl", "losses", "step1.grad.", "movement."):
            worst = max(relative_error(single[key], golden[key]) for key in golden if key.startswith(prefix))
            errors.append(f"{prefix} {worst:.1e}")
        print(f"  {case.name}: {', '.join(errors)}")


def check_all(folder: Path, files: Files) -> None:
    check_philox()
    check_files(folder, files)
    for case in CASES:
        print(f"{case.name}: the recipe against other formulas")
        check_terms(case)
        check_adam(case)
        check_both_sides(case, files[f"train-{case.name}.safetensors"][0])
        if case.activation != "relu":
            check_gradients(case)
    report_float32()
