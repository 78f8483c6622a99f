// Planes of the latent space: where codes lie in them, and which code lies at a place. A t-SNE map is none: it has places for
// the data alone, and no code for any other place.

const SWEEPS = 300; // of the power method; codes of two equal variances have no order that could converge
const STILL = 1e-10; // what a sweep changes when it has converged
const SAME = 1e-3; // what of a code its address does not keep
const NONE = "no other dimension";

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const plus = (a, scale, b) => a.map((v, i) => v + scale * b[i]);

// The mean of codes.
export function meanOf(codes, latent) {
  const mean = new Float64Array(latent);
  codes.forEach((code) => code.forEach((v, i) => (mean[i] += v / codes.length)));
  return mean;
}

// The plane through the mean along the two directions of largest variance, and their shares of it. From `before`, the
// plane of an earlier step of training, it turns no further than the codes did.
export function principal(all, latent, before) {
  const codes = all.filter((code) => code.every(Number.isFinite));
  const mean = meanOf(codes, latent);
  const centred = codes.map((code) => plus(Float64Array.from(code), -1, mean));
  // The covariance times v.
  const times = (v) => {
    const sum = new Float64Array(latent);
    for (const code of centred) {
      const share = dot(code, v) / centred.length;
      for (let i = 0; i < latent; i++) sum[i] += share * code[i];
    }
    return sum;
  };
  // Of length 1, or `otherwise` where nothing but rounding is left.
  const unit = (v, otherwise, whole = 0) => {
    const length = Math.sqrt(dot(v, v));
    return length > 1e-9 * whole ? v.map((a) => a / length) : otherwise;
  };
  const without = (v, u) => plus(v, -dot(v, u), u);
  const start = (k) => Float64Array.from({ length: latent }, (_, i) => (i % 2 === k ? 1 : 0.5) / (1 + i));
  let u = before?.u ?? unit(start(0));
  let v = before?.v ?? (latent > 1 ? unit(without(start(1), u)) : new Float64Array(1));
  for (let sweep = 0; sweep < (before ? 3 : SWEEPS); sweep++) {
    const [old, next] = [[u, v], times(v)];
    u = unit(times(u), u);
    if (latent > 1) v = unit(without(next, u), without(v, u), Math.sqrt(dot(next, next)));
    if (1 - Math.abs(dot(u, old[0])) + 1 - Math.abs(dot(v, old[1])) < STILL) break;
  }
  if (!before) [u, v] = [u, v].map((a) => (a.reduce((most, b) => (Math.abs(b) > Math.abs(most) ? b : most), 0) < 0 ? a.map((b) => -b) : a));
  const whole = centred.reduce((sum, code) => sum + dot(code, code) / centred.length, 0) || 1;
  const share = (axis) => `${((100 * dot(axis, times(axis))) / whole).toFixed(1)} % of the variance`;
  const names = [u, v].map((axis, i) => (i < latent ? `principal component ${i + 1}, ${share(axis)}` : NONE));
  return new Plane(mean, u, v, names);
}

// The plane of two dimensions, through 0; a line where they are one.
export function pair(latent, i, j) {
  const axis = (k) => Float64Array.from({ length: latent }, (_, at) => Number(at === k));
  return new Plane(new Float64Array(latent), axis(i), axis(i === j ? null : j), [`z${i}`, i === j ? NONE : `z${j}`]);
}

// Places of codes, one for each, that no formula makes.
export class Places {
  constructor(codes, places, text) {
    Object.assign(this, { codes, places, text });
  }

  // Where a code lies, if it is one of these.
  place(code) {
    const far = this.codes.map((other) => Math.max(...other.map((v, i) => Math.abs(v - code[i]))));
    return this.places[far.indexOf(far.reduce((least, v) => (v < least ? v : least), SAME))];
  }
}

export class Plane {
  constructor(origin, u, v, [right, up]) {
    Object.assign(this, { origin, u, v, text: `\u2192 ${right}   \u2191 ${up}` });
  }

  // Where a code lies.
  place(code) {
    const from = plus(Float64Array.from(code), -1, this.origin);
    return [dot(from, this.u), dot(from, this.v)];
  }

  // The code at a place that differs from `code` within the plane only.
  at([a, b], code) {
    const [x, y] = this.place(code);
    return Float32Array.from(plus(plus(Float64Array.from(code), a - x, this.u), b - y, this.v));
  }
}

// The code a part `t` of the way from one to the other, in a straight line or along the great circle.
export function between(from, to, t, spherical) {
  let [a, b] = [1 - t, t];
  if (spherical) {
    const angle = Math.acos(Math.min(Math.max(dot(from, to) / Math.sqrt(dot(from, from) * dot(to, to)), -1), 1));
    if (Math.sin(angle) > 1e-6) [a, b] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  }
  return Float32Array.from(from, (v, i) => a * v + b * to[i]);
}
