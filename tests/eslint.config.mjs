// The rules for the script of `vae-gpu explore`: `make lint-page`. Without imports, so that ESLint alone is enough.
const BROWSER = `atob clearInterval clearTimeout CompressionStream createImageBitmap DecompressionStream document getComputedStyle
GPUBufferUsage GPUMapMode GPUShaderStage Blob Image ImageData isSecureContext OffscreenCanvas ResizeObserver Response URL URLSearchParams history location
matchMedia navigator performance setInterval setTimeout vae window`;
const known = (rules) => Object.fromEntries(rules.split(" ").map((rule) => [rule, "error"]));

export default [
  {
    languageOptions: { globals: Object.fromEntries(BROWSER.split(/\s+/).map((name) => [name, "readonly"])) },
    rules: known(
      "no-undef no-unused-vars no-redeclare prefer-const eqeqeq no-var no-dupe-keys no-unreachable no-fallthrough " +
        "no-const-assign no-self-assign no-import-assign no-implied-eval no-eval constructor-super",
    ),
  },
];
