// The sum over the ROW_LANES neighbouring invocations that share a row. With one invocation per row, which is what software
// adapters get, it costs nothing. The importer defines WORKGROUP and ROW_LANES; every invocation of the workgroup must call
// it, and each receives its row's sum.

#import shared/tree_sum

alias Summand = f32;

fn row_sum(local: u32, value: f32) -> f32 {
    if (ROW_LANES == 1u) {
        return value;
    }
    return tree_sum(local, value, ROW_LANES);
}
