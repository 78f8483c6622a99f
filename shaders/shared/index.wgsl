// The linear index of an invocation. Large grids are folded into y, since a dimension is limited to 65,535 workgroups.
// `workgroup` is the number of invocations of a workgroup, all in x.
fn linear_index(global: vec3u, groups: vec3u, workgroup: u32) -> u32 {
    return global.x + global.y * groups.x * workgroup;
}
