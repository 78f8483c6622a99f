// 1 where column 4 vector + i is one of `columns`, 0 in the padding behind them.
fn column_mask(vector: u32, columns: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), 4u * vector + vec4u(0u, 1u, 2u, 3u) < vec4u(columns));
}
