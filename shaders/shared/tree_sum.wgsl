// The sum of one value per invocation, in a fixed tree: the same bits on every run.
//
//   tree_sum(local, value, lanes)   the sum over the group of `lanes` neighbours that the invocation belongs to
//
// `lanes` is a power of two and divides WORKGROUP; with WORKGROUP it is the sum over the whole workgroup. Every invocation
// of the workgroup must call it, once per dispatch, and each receives its group's sum.
// The importer defines WORKGROUP and Summand, the type of the values: f32 or vec4f.

var<workgroup> tree: array<Summand, WORKGROUP>;

fn tree_sum(local: u32, value: Summand, lanes: u32) -> Summand {
    tree[local] = value;
    workgroupBarrier();
    let lane = local % lanes;
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            tree[local] += tree[local + half];
        }
        workgroupBarrier();
    }
    return tree[local - lane];
}
