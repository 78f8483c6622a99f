// Planes of the latent space: where codes lie in them, and which code lies at a place.

const SWEEPS = 300; // of the power method; codes of two equal variances have no order that could converge

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
export function principal(codes, latent, before) {
  const mean = meanOf(codes, latent);
  const covariance = Array.from({ length: latent }, () => new Float64Array(latent));
  for (const code of codes) {
    for (let i = 0; i < latent; i++) {
      for (let j = 0; j < latent; j++) covariance[i][j] += ((code[i] - mean[i]) * (code[j] - mean[j])) / codes.length;
    }
  }
  const times = (v) => Float64Array.from(covariance, (row) => dot(row, v));
  const unit = (v) => {
    const length = Math.hypot(...v);
    return length > 0 ? v.map((a) => a / length) : v;
  };
  const start = (k) => Float64Array.from({ length: latent }, (_, i) => (i % 2 === k ? 1 : 0.5) / (1 + i));
  let [u, v] = before ? [before.u, before.v] : [unit(start(0)), unit(start(1))];
  for (let sweep = 0; sweep < (before ? 3 : SWEEPS); sweep++) {
    u = unit(times(u));
    v = times(v);
    v = unit(plus(v, -dot(v, u), u));
  }
  if (!before) [u, v] = [u, v].map((a) => (a.reduce((most, b) => (Math.abs(b) > Math.abs(most) ? b : most), 0) < 0 ? a.map((b) => -b) : a));
  const whole = covariance.reduce((sum, row, i) => sum + row[i], 0) || 1;
  const names = [u, v].map((axis, i) => `principal component ${i + 1}, ${((100 * dot(axis, times(axis))) / whole).toFixed(1)} % of the variance`);
  return new Plane(mean, u, v, names);
}

// The plane of two dimensions, through 0.
export function pair(latent, i, j) {
  const axis = (k) => Float64Array.from({ length: latent }, (_, at) => (at === k ? 1 : 0));
  return new Plane(new Float64Array(latent), axis(i), axis(j), [`z${i}`, `z${j}`]);
}

export class Plane {
  constructor(origin, u, v, names) {
    Object.assign(this, { origin, u, v, names });
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
