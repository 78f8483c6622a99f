// Which columns of a matrix carry data: its rows are padded to whole vec4.

// The four columns of a vector of a row.
fn columns_of(vector: u32) -> vec4u {
    return 4u * vector + vec4u(0u, 1u, 2u, 3u);
}

// Whether each of them is below `columns`, the number that carry data.
fn is_column(vector: u32, columns: u32) -> vec4<bool> {
    return columns_of(vector) < vec4u(columns);
}

// The same as factors: 1 for data, 0 for padding.
fn column_mask(vector: u32, columns: u32) -> vec4f {
    return select(vec4f(0.0), vec4f(1.0), is_column(vector, columns));
}
