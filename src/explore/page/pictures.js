// Pictures: x to pixels and back, resized as the program's own reader does it, and PNG files of one frame or many.

// Pixels of x: clamped, and grey in three channels.
export function pixels(x, { width, height, channels }) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(255 * x[channels * i + (channels === 3 ? c : 0)]);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

const scratch = document.createElement("canvas");

// Draws pixels into a rectangle of a canvas as large as they fit, with hard edges where they are enlarged.
export function paint(context, image, [x, y, width, height]) {
  show(scratch, image);
  const scale = Math.min(width / image.width, height / image.height);
  const [wide, high] = [scale * image.width, scale * image.height];
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(scratch, x + (width - wide) / 2, y + (height - high) / 2, wide, high);
}

// Fills a canvas with one picture, and takes its size.
export function show(canvas, image) {
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// From the least nats (black) over red and yellow to the most (white), by pixel.
export function heat(nats, { width, height, channels }) {
  const of = Array.from({ length: width * height }, (_, i) => nats.subarray(channels * i, channels * (i + 1)).reduce((a, b) => a + b));
  const [least, most] = of.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
  const x = of.flatMap((v) => [0, 1, 2].map((from) => Math.min(Math.max((3 * (v - least)) / (most - least || 1) - from, 0), 1)));
  return pixels(x, { width, height, channels: 3 });
}

const sinc = (t) => (t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t));
const LANCZOS = { support: 3, at: (t) => (Math.abs(t) < 3 ? sinc(t) * sinc(t / 3) : 0) };
const LINEAR = { support: 1, at: (t) => Math.max(1 - Math.abs(t), 0) };

// Resamples [count, lines, 3] values to `size` in place of `count` and turns them: [lines, size, 3].
function resample(from, count, size, filter) {
  const lines = from.length / count / 3;
  const to = new Float32Array(3 * lines * size);
  const scale = Math.max(count / size, 1);
  for (let out = 0; out < size; out++) {
    const centre = ((out + 0.5) * count) / size;
    const left = Math.min(Math.max(Math.floor(centre - filter.support * scale), 0), count - 1);
    const right = Math.min(Math.max(Math.ceil(centre + filter.support * scale), left + 1), count);
    const weights = Array.from({ length: right - left }, (_, i) => filter.at((left + i - (centre - 0.5)) / scale));
    const sum = weights.reduce((a, b) => a + b);
    for (let at = 0; at < 3 * lines; at++) {
      const value = weights.reduce((all, weight, i) => all + (weight / sum) * from[3 * lines * (left + i) + at], 0);
      to[3 * (Math.floor(at / 3) * size + out) + (at % 3)] = value;
    }
  }
  return to;
}

// x of pixels as the reader of pictures makes it: on black, the largest central part of the model's shape, by Lanczos to shrink
// and linearly to enlarge, in bytes.
export function toX({ data, width, height }, shape) {
  let values = new Float32Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) values[3 * i + c] = Math.floor((data[4 * i + c] * data[4 * i + 3] + 127) / 255);
  }
  let [w, h] = [width, height];
  if (w !== shape.width || h !== shape.height) {
    const filter = w >= shape.width && h >= shape.height ? LANCZOS : LINEAR;
    const ratio = Math.max(shape.width / w, shape.height / h);
    const [wide, high] = [w, h].map((side) => Math.max(Math.round(side * ratio), 1));
    values = resample(resample(values, h, high, filter), w, wide, filter).map((v) => Math.min(Math.max(Math.round(v), 0), 255));
    [w, h] = [wide, high];
  }
  const [left, top] = [(w - shape.width) >> 1, (h - shape.height) >> 1];
  const x = new Float32Array(shape.width * shape.height * shape.channels);
  for (let i = 0; i < shape.width * shape.height; i++) {
    const at = 3 * ((top + Math.floor(i / shape.width)) * w + left + (i % shape.width));
    const [r, g, b] = values.subarray(at, at + 3);
    if (shape.channels === 3) x.set([r / 255, g / 255, b / 255], 3 * i);
    else x[i] = Math.floor((2126 * r + 7152 * g + 722 * b) / 10000) / 255;
  }
  return x;
}

// The pixels of a file that the browser can read.
export async function pixelsOf(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

const words = (...numbers) => numbers.flatMap((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]);

function chunk(name, content) {
  const named = new Uint8Array(4 + content.length);
  named.set([...name].map((c) => c.charCodeAt(0)));
  named.set(content, 4);
  const crc = named.reduce((crc, byte) => CRC[(crc ^ byte) & 255] ^ (crc >>> 8), -1);
  return new Blob([Uint8Array.from(words(content.length)), named, Uint8Array.from(words(~crc))]);
}

// A PNG of these frames, an animation that loops if they are several (APNG).
export async function png(frames, framesPerSecond = 12) {
  const { width, height } = frames[0];
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), chunk("IHDR", [...words(width, height), 8, 6, 0, 0, 0])];
  if (frames.length > 1) parts.push(chunk("acTL", words(frames.length, 0)));
  let sequence = 0;
  for (const [number, { data }] of frames.entries()) {
    const rows = new Uint8Array(height * (4 * width + 1));
    for (let y = 0; y < height; y++) rows.set(data.subarray(4 * width * y, 4 * width * (y + 1)), y * (4 * width + 1) + 1);
    const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
    const packed = new Uint8Array(await new Response(stream).arrayBuffer());
    if (frames.length > 1) parts.push(chunk("fcTL", [...words(sequence++, width, height, 0, 0), 0, 1, 0, framesPerSecond, 0, 0]));
    parts.push(number === 0 ? chunk("IDAT", packed) : chunk("fdAT", [...words(sequence++), ...packed]));
  }
  parts.push(chunk("IEND", []));
  return new Blob(parts, { type: "image/png" });
}

// Offers a file to be saved.
export function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
