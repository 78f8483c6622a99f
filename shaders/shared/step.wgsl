// The scalars of one step. They are bound with a dynamic offset, so that many steps go into one submission.
struct Step {
    seed_lo: u32,
    seed_hi: u32,
    step: u32,
    stream: u32,
    first_row: u32,
    valid_rows: u32,
    history_row: u32,
    learning_rate: f32,
    correction1: f32,
    correction2: f32,
    kl_weight: f32,
    round: u32,
    first_place: u32, // of this part's first row in the batch, if the batch is divided
    rows_beside: u32, // rows of the batch in its other parts
    reserved_x: u32,
    reserved_y: u32,
}
@group(1) @binding(0) var<uniform> step: Step;
