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
    for m in 0..p.m as usize {
        for n in 0..p.n as usize {
            let mut sum = 0.0;
            for k in 0..p.k as usize {
                sum += match layout {
                    Layout::NN => a.get(m, k) * b.get(k, n),
                    Layout::NT => a.get(m, k) * b.get(n, k),
                    Layout::TN => a.get(k, m) * b.get(k, n),
                };
            }
            match epilogue {
                Epilogue::Store => c.put(m, n, sum),
                Epilogue::Forward(f, bias) => c.put(m, n, f.apply(sum + bias.at(n))),
                Epilogue::Backward(f, kept) => c.put(m, n, sum * f.derivative(kept.get(m, n))),
                Epilogue::Accumulate => c.put(m, n, c.get(m, n) + sum),
                // c and d_bias are bound together, as one row.
                Epilogue::Gradient(_) => c.set(m * c_stride + n, sum),
            }
        }
        if let Epilogue::Gradient(_) = epilogue {
            c.set(bias_at + m, (0..p.k as usize).map(|k| a.get(k, m)).sum());
        }
    }
}
