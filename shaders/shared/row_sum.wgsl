// ROW_LANES neighbouring invocations share a row: which one, and the sum over them. With one invocation per row, which is what software
// adapters get, it costs nothing. The importer defines WORKGROUP and ROW_LANES; every invocation of the workgroup must call
// it, and each receives its row's sum.

#import shared/index
#import shared/tree_sum

alias Summand = f32;

// The row of an invocation.
fn row_of(global: vec3u, groups: vec3u) -> u32 {
    return linear_index(global, groups, WORKGROUP) / ROW_LANES;
}

fn row_sum(local: u32, value: f32) -> f32 {
    if (ROW_LANES == 1u) {
        return value;
    }
    return tree_sum(local, value, ROW_LANES);
}
