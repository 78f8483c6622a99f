//! Builds a plan: layers append their forward pass and record their backward pass; [`Tape::backward`] runs the records
//! in reverse.

use super::parameters::{Parameters, Place};
use crate::kernels::activation::{self, Activation};
use crate::kernels::condition::Labels;
use crate::kernels::matmul::{self, Epilogue, Layout};
use crate::kernels::{add, row_vector};
use crate::plan::{BufferId, Element, Plan, Role, Target, Tensor};

/// Name of the shared buffer of all parameters.
pub const PARAMETERS: &str = "parameters";
/// Name of the shared buffer of all gradients.
pub const GRADIENTS: &str = "gradients";

/// A matrix [rows, channels] on a [`Tape`], with the gradient that may flow back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

/// How the gradient of a value becomes that of its layer's output.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// Unchanged.
    Plain,
    /// Times the derivative of an activation, from what its forward pass stored.
    Activated(Activation, Tensor),
    /// The gradient of this value, which is narrower; the columns after it need none.
    Widened(Value),
}

#[derive(Debug)]
struct Node {
    name: String,
    tensor: Tensor,
    origin: Origin,
    /// Whether trained parameters lie before it: data and labels need no gradient.
    trained: bool,
    /// How many consumers read it. Each may add a gradient.
    consumers: usize,
    gradient: Option<Tensor>,
    /// Whether the gradient already includes the activation's derivative.
    derived: bool,
}

/// Where a consumer's product stores the gradient of a value.
pub struct Sink {
    /// The gradient. It may have fewer columns than the value: those after it need none.
    pub tensor: Tensor,
    /// Store, add to other consumers' gradients, or multiply by the derivative of an activation.
    pub epilogue: Epilogue,
}

/// The backward pass of a layer.
type Record = Box<dyn FnOnce(&mut Tape)>;

/// A plan under construction.
pub struct Tape<'a> {
    /// The plan so far.
    pub plan: Plan,
    /// The device that kernels choose their variants for.
    pub target: Target,
    /// B: rows of a batch. With K samples per datum, a value has B K rows.
    pub batch: usize,
    /// The labels of the batch, if the model is conditional.
    pub labels: Option<Labels>,
    /// Processes with parts of a batch that batch norm measures together; one where it measures each part by itself.
    pub norm_ranks: usize,
    parameters: &'a Parameters,
    arena: BufferId,
    nodes: Vec<Node>,
    /// The records, if there will be a backward pass.
    records: Option<Vec<Record>>,
    /// What is left to do when the parameters have moved.
    last: Vec<Record>,
}

impl<'a> Tape<'a> {
    /// An empty plan for batches of `batch` rows, without a backward pass.
    pub fn new(name: &str, parameters: &'a Parameters, target: Target, batch: usize) -> Tape<'a> {
        let mut plan = Plan::new(name);
        let arena = plan.buffer(PARAMETERS, parameters.words(), Element::F32, Role::Shared);
        let (nodes, records, last) = (Vec::new(), None, Vec::new());
        Tape { plan, target, batch, labels: None, norm_ranks: 1, parameters, arena, nodes, records, last }
    }

    /// An empty plan with a backward pass.
    pub fn training(name: &str, parameters: &'a Parameters, target: Target, batch: usize) -> Tape<'a> {
        Tape { records: Some(Vec::new()), ..Tape::new(name, parameters, target, batch) }
    }

    /// Appends c = epilogue(A B). In training, long sums of small products are divided for a card's cores; in evaluation only
    /// those that are too long for a software adapter are, so that a row's result does not depend on how many rows there are.
    pub fn matmul(
        &mut self,
        label: &str,
        layout: Layout,
        operands: (Tensor, Tensor, Tensor),
        epilogue: Epilogue,
    ) {
        let spread = self.trains();
        matmul::matmul(&mut self.plan, &self.target, spread, label, layout, operands, epilogue);
    }

    /// A flat shared buffer of the arena's size: parameters, gradients, moments.
    pub fn arena(&mut self, name: &str) -> Tensor {
        let words = self.parameters.words();
        let buffer =
            self.plan.find(name).unwrap_or_else(|| self.plan.buffer(name, words, Element::F32, Role::Shared));
        Tensor { buffer, offset: 0, rows: 1, cols: words, stride: words }
    }

    /// The part of such a buffer that gradients move.
    pub fn trained(&mut self, name: &str) -> Tensor {
        let words = self.parameters.trained_words();
        Tensor { cols: words, stride: words, ..self.arena(name) }
    }

    /// A matrix of parameters.
    pub fn weight(&self, place: Place) -> Tensor {
        self.parameters.tensor(place, self.arena)
    }

    /// Its gradient.
    pub fn d_weight(&mut self, place: Place) -> Tensor {
        let gradients = self.arena(GRADIENTS).buffer;
        self.parameters.tensor(place, gradients)
    }

    /// A tensor that the host or another kernel writes; it needs no gradient.
    pub fn data(&mut self, name: &str, tensor: Tensor) -> Value {
        self.node(name, tensor, Origin::Plain, false)
    }

    /// The output of a layer that has parameters, or is on top of one.
    pub fn value(&mut self, name: &str, tensor: Tensor) -> Value {
        self.node(name, tensor, Origin::Plain, true)
    }

    /// activation(..), whose derivative follows from `kept`; see [`Activation::derivative`].
    pub fn activated(&mut self, name: &str, tensor: Tensor, function: Activation, kept: Tensor) -> Value {
        let origin =
            if function == Activation::Identity { Origin::Plain } else { Origin::Activated(function, kept) };
        self.node(name, tensor, origin, true)
    }

    /// `inner` with more columns after it, which need no gradient.
    pub fn widened(&mut self, name: &str, tensor: Tensor, inner: Value) -> Value {
        let trained = self.nodes[inner.0].trained;
        let value = self.node(name, tensor, Origin::Widened(inner), trained);
        self.record(move |tape| {
            if let Some(d) = tape.nodes[value.0].gradient {
                let cols = tape.peek(inner).cols;
                tape.give(inner, Tensor { cols, ..d }, false);
            }
        });
        value
    }

    /// A row of `len` numbers, one per row of a batch, that an objective may weigh.
    pub fn row_terms(&mut self, name: &str, len: usize) -> Value {
        let tensor = row_vector(&mut self.plan, name, len);
        self.value(name, tensor)
    }

    fn node(&mut self, name: &str, tensor: Tensor, origin: Origin, trained: bool) -> Value {
        let name = name.to_owned();
        let (consumers, gradient, derived) = (0, None, false);
        self.nodes.push(Node { name, tensor, origin, trained, consumers, gradient, derived });
        Value(self.nodes.len() - 1)
    }

    /// The matrix, for a consumer that adds a gradient in the backward pass.
    pub fn read(&mut self, value: Value) -> Tensor {
        self.nodes[value.0].consumers += 1;
        self.peek(value)
    }

    /// The matrix, for a consumer that adds no gradient.
    pub fn peek(&self, value: Value) -> Tensor {
        self.nodes[value.0].tensor
    }

    /// Its name, which is also its buffer's.
    pub fn name(&self, value: Value) -> &str {
        &self.nodes[value.0].name
    }

    /// Records what a layer does in the backward pass.
    pub fn record(&mut self, record: impl FnOnce(&mut Tape) + 'static) {
        if let Some(records) = &mut self.records {
            records.push(Box::new(record));
        }
    }

    /// Whether the plan trains, so that a layer normalises by what it measures.
    pub fn trains(&self) -> bool {
        self.records.is_some()
    }

    /// Records what a layer does last, when the parameters have moved: images of them need no further copy then.
    pub fn record_last(&mut self, record: impl FnOnce(&mut Tape) + 'static) {
        self.last.push(Box::new(record));
    }

    /// Runs the records, last to first.
    pub fn backward(&mut self) {
        while let Some(record) = self.records.as_mut().and_then(Vec::pop) {
            record(self);
        }
    }

    /// Runs what is left to do when the parameters have moved.
    pub fn finish(&mut self) {
        for record in std::mem::take(&mut self.last) {
            record(self);
        }
    }

    /// Sets the gradient of a value from outside: an objective starts the backward pass here.
    pub fn seed(&mut self, value: Value, gradient: Tensor) {
        let node = &mut self.nodes[value.0];
        assert!(node.gradient.is_none(), "{} has a gradient already", node.name);
        node.gradient = Some(gradient);
    }

    /// The gradient of a value after all its consumers; for an activated value, the gradient of the sum before the
    /// activation. None if no consumer added one.
    pub fn gradient(&mut self, value: Value) -> Option<Tensor> {
        let Node { gradient, origin, derived, ref name, .. } = self.nodes[value.0];
        let d = gradient?;
        if let (Origin::Activated(function, kept), false) = (origin, derived) {
            activation::backward(&mut self.plan, &format!("{name} d_sum"), function, kept, d);
            self.nodes[value.0].derived = true;
        }
        Some(d)
    }

    /// Where a consumer's product stores the gradient of a value; None if it needs none.
    pub fn sink(&mut self, value: Value) -> Option<Sink> {
        let Node { tensor, origin, trained, consumers, gradient, .. } = self.nodes[value.0];
        if !trained {
            return None;
        }
        match (origin, gradient) {
            (Origin::Widened(inner), None) if consumers == 1 => self.sink(inner),
            (Origin::Activated(function, kept), None) if consumers == 1 => {
                self.nodes[value.0].derived = true;
                let tensor = self.make_gradient(value, tensor.cols);
                Some(Sink { tensor, epilogue: Epilogue::Backward(function, kept) })
            }
            (_, None) => {
                let tensor = self.make_gradient(value, tensor.cols);
                Some(Sink { tensor, epilogue: Epilogue::Store })
            }
            (_, Some(tensor)) => Some(Sink { tensor, epilogue: Epilogue::Accumulate }),
        }
    }

    /// Whether a value needs a gradient.
    pub fn wants(&self, value: Value) -> bool {
        self.nodes[value.0].trained
    }

    /// A new gradient, for a kernel that stores and cannot add; None if the value needs none.
    ///
    /// # Panics
    /// If another consumer has already stored one.
    pub fn store_sink(&mut self, value: Value) -> Option<Tensor> {
        let Node { tensor, trained, gradient, ref name, .. } = self.nodes[value.0];
        assert!(gradient.is_none(), "{name} has a gradient already");
        trained.then(|| self.make_gradient(value, tensor.cols))
    }

    /// Adds an existing gradient. The first is kept as it is if it is the value's `own`, else copied; later ones are
    /// added.
    pub fn give(&mut self, value: Value, gradient: Tensor, own: bool) {
        let node = &self.nodes[value.0];
        if !node.trained {
            return;
        }
        let label = format!("d_{}", node.name);
        match node.gradient {
            None if own => self.nodes[value.0].gradient = Some(gradient),
            None => {
                let cols = node.tensor.cols;
                let to = self.make_gradient(value, cols);
                add::copy(&mut self.plan, &label, gradient, to);
            }
            Some(to) => add::accumulate(&mut self.plan, &label, gradient, to),
        }
    }

    fn make_gradient(&mut self, value: Value, cols: usize) -> Tensor {
        let Node { ref name, tensor, .. } = self.nodes[value.0];
        let name = format!("d_{name}");
        let made = if cols == tensor.cols {
            self.plan.like(name, tensor)
        } else {
            self.plan.tensor(name, tensor.rows, cols)
        };
        self.nodes[value.0].gradient = Some(made);
        made
    }
}
