// The entry points of a likelihood, for R = B K rows of items: four values or one, as the importer chooses.
//
//   forward   log_p[r] = sum of log p of the row's items
//   backward  the gradient of the loss by the decoder's output
//   fused     both in one pass
//   mean      E[x|z]
//   values    log p of each value
//
// The importer defines Params with `rows`, the bindings (among them log_p [R]), and for an item of a row:
//
//   items()                        items of a row
//   item_log_p(row, item)          its share of log p
//   item_fused(row, item)          the same, and stores its gradient
//   item_backward(row, item)       stores its gradient
//   item_mean(row, item)           stores its mean
//   item_values(row, item)         stores the log p of its values
//
// ROW_LANES neighbouring invocations share a row; each takes every ROW_LANES-th item.

#import shared/row_sum

const WORKGROUP: u32 = 64u;
const ROW_LANES: u32 = 32u;

fn store_log_p(row: u32, local: u32, share: f32) {
    let sum = row_sum(local, share);
    if (local % ROW_LANES == 0u && row < params.rows) {
        log_p[row] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    var share = 0.0;
    if (row < params.rows) {
        for (var item = local % ROW_LANES; item < items(); item += ROW_LANES) {
            share += item_log_p(row, item);
        }
    }
    store_log_p(row, local, share);
}

@compute @workgroup_size(WORKGROUP)
fn fused(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    var share = 0.0;
    if (row < params.rows) {
        for (var item = local % ROW_LANES; item < items(); item += ROW_LANES) {
            share += item_fused(row, item);
        }
    }
    store_log_p(row, local, share);
}

@compute @workgroup_size(WORKGROUP)
fn backward(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    if (row < params.rows) {
        for (var item = local % ROW_LANES; item < items(); item += ROW_LANES) {
            item_backward(row, item);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn mean(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    if (row < params.rows) {
        for (var item = local % ROW_LANES; item < items(); item += ROW_LANES) {
            item_mean(row, item);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn values(
    @builtin(global_invocation_id) global: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = row_of(global, groups);
    if (row < params.rows) {
        for (var item = local % ROW_LANES; item < items(); item += ROW_LANES) {
            item_values(row, item);
        }
    }
}
