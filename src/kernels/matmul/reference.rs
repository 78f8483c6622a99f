//! The CPU reference of every variant.

use super::operation::{Epilogue, Layout, Params};
use crate::plan::{self, Call};

/// c[m, n] = epilogue(sum_k A(m, k) B(k, n)).
pub(super) fn reference(call: &dyn Call) {
    let p: Params = plan::params(call);
    let layout = Layout::from_u32(call.constant("LAYOUT"));
    let [a, b, extra, c] = call.slots();
    let epilogue = Epilogue::from_constants(|name| call.constant(name)).map(|()| extra);
    let (c_stride, bias_at) = (4 * p.c_stride as usize, 4 * p.bias_at as usize);
    let k = p.k as usize;
    let length = if matches!(epilogue, Epilogue::Divided) { 4 * p.part_quads as usize } else { k };
    for (part, first) in (0..k).step_by(length).enumerate() {
        for m in 0..p.m as usize {
            for n in 0..p.n as usize {
                let mut sum = 0.0;
                for k in first..k.min(first + length) {
                    sum += match layout {
                        Layout::NN => a.get(m, k) * b.get(k, n),
                        Layout::NT => a.get(m, k) * b.get(n, k),
                        Layout::TN => a.get(k, m) * b.get(k, n),
                    };
                }
                let value = epilogue.finish(sum, c, m, n);
                match epilogue {
                    // c and d_bias are bound together, as one row.
                    Epilogue::Gradient(_) => c.set(m * c_stride + n, value),
                    _ => c.put(part * p.m as usize + m, n, value),
                }
            }
        }
    }
    if let Epilogue::Gradient(_) = epilogue {
        for m in 0..p.m as usize {
            c.set(bias_at + m, (0..k).map(|k| a.get(k, m)).sum());
        }
    }
}
