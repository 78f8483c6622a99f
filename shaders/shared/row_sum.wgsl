// Sum over the ROW_LANES neighbouring invocations that share a row, in a fixed tree, so that the result is the
// same on every run. With one invocation a row, the choice on software adapters where barriers are dear,
// nothing remains of it. The importer defines WORKGROUP and ROW_LANES; every invocation of the workgroup must
// call it, and all of a row's receive the sum.
var<workgroup> row_partial: array<f32, WORKGROUP>;

fn row_sum(local: u32, value: f32) -> f32 {
    if (ROW_LANES == 1u) {
        return value;
    }
    row_partial[local] = value;
    workgroupBarrier();
    let lane = local % ROW_LANES;
    for (var half = ROW_LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            row_partial[local] += row_partial[local + half];
        }
        workgroupBarrier();
    }
    return row_partial[local - lane];
}
