// The linear index of an invocation in a grid that was folded into y because a dimension has at most
// 65,535 workgroups. `workgroup` is the number of invocations of a workgroup, all in x.
fn linear_index(global: vec3u, groups: vec3u, workgroup: u32) -> u32 {
    return global.x + global.y * groups.x * workgroup;
}
