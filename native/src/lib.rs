//! The native engine's bindings: what JavaScript calls. Every call of a kernel checks its views against the memory,
//! queues the kernel and returns; questions return a promise. Shapes and options were checked in
//! src/compute/engines/native.ts, which is the only caller.

mod kernels;
mod matrix;
mod memory;
mod philox;
mod queue;
mod simd;
mod solvers;
mod sparse;

use kernels::{
    adadelta, adam, als, bernoulli, coarse, composite_kl, density, elementwise, gates, gaussian, layer_norm, matmul,
    multinomial, non_negative, reductions, sparse_row_sum, sparse_sum, top_k,
};
use matrix::Matrix;
use memory::Memory;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use queue::Queue;
use sparse::Sparse;
use std::collections::HashMap;
use std::sync::Arc;

/// Raised with every change of what JavaScript calls: native.ts refuses an addon of another number.
#[napi]
pub const CONTRACT: u32 = 13;

#[napi]
pub fn instruction_set() -> &'static str {
    simd::instruction_set()
}

#[napi(object, object_to_js = false)]
pub struct Storage {
    pub block: u32,
}

#[napi(object, object_to_js = false)]
pub struct Tensor {
    pub storage: Storage,
    pub offset: f64,
    pub rows: f64,
    pub columns: f64,
    pub row_stride: f64,
}

/// The largest number of rows or columns: kernels and sparse batches name them by 32 bits.
const MOST_ROWS: f64 = u32::MAX as f64;
/// The largest integer below which JavaScript has all of them.
const MOST_NUMBERS: f64 = 9_007_199_254_740_991.0;

/// A size as JavaScript gives it. Taken as an integer of 32 bits it would wrap around: 2^32 + 3 rows would be 3.
fn size(what: &str, given: f64, most: f64) -> Result<usize> {
    if given >= 0.0 && given <= most && given.fract() == 0.0 {
        return Ok(given as usize);
    }
    Err(Error::from_reason(format!("{what}: {given} is not an integer from 0 to {most}")))
}

#[napi(object, object_to_js = false)]
pub struct RandomKey {
    pub seed: i64,
    pub step: u32,
    pub stream: u32,
}

impl From<RandomKey> for philox::Key {
    fn from(key: RandomKey) -> Self {
        Self { seed: key.seed as u64, step: key.step, stream: key.stream }
    }
}

#[napi(object, object_to_js = false)]
pub struct Dropout {
    pub rate: f64,
    pub key: RandomKey,
}

impl From<Dropout> for philox::Dropout {
    fn from(dropout: Dropout) -> Self {
        let threshold = (dropout.rate * 4_294_967_296.0) as u32;
        Self { threshold, scale: 1.0 / (1.0 - dropout.rate), key: dropout.key.into() }
    }
}

#[napi(object, object_to_js = false)]
pub struct MatmulOptions {
    pub transpose_a: Option<bool>,
    pub transpose_b: Option<bool>,
    pub accumulate: Option<bool>,
}

#[napi(object, object_to_js = false)]
pub struct SparseRowSumOptions {
    pub row_scale: Option<String>,
    pub dropout: Option<Dropout>,
}

impl From<SparseRowSumOptions> for sparse_row_sum::Options {
    fn from(options: SparseRowSumOptions) -> Self {
        let unit_rows = options.row_scale.as_deref() == Some("l2");
        Self { unit_rows, dropout: options.dropout.map(Into::into) }
    }
}

#[napi(object, object_to_js = false)]
pub struct AdamStep {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub update: f64,
    pub decay: f64,
    pub weight_decay: Option<f64>,
}

impl From<AdamStep> for adam::Step {
    fn from(step: AdamStep) -> Self {
        Self {
            learning_rate: step.learning_rate,
            beta1: step.beta1,
            beta2: step.beta2,
            epsilon: step.epsilon,
            update: step.update,
            decay: step.decay,
            weight_decay: step.weight_decay.unwrap_or(0.0),
            scale: 1.0,
        }
    }
}

#[napi(object, object_to_js = false)]
pub struct CompositeMixture {
    pub standard: f64,
    pub former: f64,
    pub broad: f64,
    pub broad_log_variance: f64,
}

impl From<CompositeMixture> for composite_kl::Mixture {
    fn from(mixture: CompositeMixture) -> Self {
        Self {
            log_weights: [mixture.standard, mixture.former, mixture.broad].map(|weight| weight.ln() as f32),
            broad_log_variance: mixture.broad_log_variance as f32,
        }
    }
}

#[napi(object, object_to_js = false)]
pub struct EntryWeight {
    pub constant: f64,
    pub slope: f64,
}

impl From<EntryWeight> for als::EntryWeight {
    fn from(weight: EntryWeight) -> Self {
        Self { constant: weight.constant as f32, slope: weight.slope as f32 }
    }
}

#[napi(object, object_to_js = false)]
pub struct AlsHalfSweep {
    pub fixed: Tensor,
    pub gram: Tensor,
    pub gram_weight: f64,
    pub outer: EntryWeight,
    pub target: EntryWeight,
    pub prior: Option<Tensor>,
    pub steps: Option<u32>,
    pub objective: Option<Tensor>,
    pub covariances: Option<Tensor>,
    pub posterior: Option<Tensor>,
}

#[napi(object, object_to_js = false)]
pub struct NonNegativeSweeps {
    pub gram: Tensor,
    pub products: Tensor,
    pub l1: f64,
    pub l2: f64,
    pub sweeps: u32,
    pub tolerance: f64,
    pub violation: Option<Tensor>,
}

#[napi(object, object_from_js = false)]
pub struct TopK {
    pub rows: u32,
    pub k: u32,
    pub items: Uint32Array,
    pub scores: Float32Array,
}

impl From<top_k::TopK> for TopK {
    fn from(found: top_k::TopK) -> Self {
        Self {
            rows: found.rows as u32,
            k: found.k as u32,
            items: Uint32Array::new(found.items),
            scores: Float32Array::new(found.scores),
        }
    }
}

type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

#[napi]
pub struct NativeEngine {
    queue: Queue,
    memory: Arc<Memory>,
    sparse: HashMap<u32, Arc<Sparse>>,
    sparse_bytes: usize,
    next_sparse: u32,
}

#[napi]
impl NativeEngine {
    #[napi(constructor)]
    pub fn new(threads: u32) -> Result<Self> {
        let memory = Arc::<Memory>::default();
        Ok(Self {
            queue: Queue::start(threads as usize, memory.clone()).map_err(Error::from_reason)?,
            memory,
            sparse: HashMap::new(),
            sparse_bytes: 0,
            next_sparse: 0,
        })
    }

    // Memory.

    /// The number of a block of `length` elements, contents undefined.
    #[napi]
    pub fn allocate(&self, length: f64) -> Result<u32> {
        let length = size("allocate", length, MOST_NUMBERS)?;
        self.memory.allocate(length).map_err(Error::from_reason)
    }

    #[napi]
    pub fn release(&self, block: u32) -> Result<()> {
        if let Some(block) = self.memory.release(block).map_err(Error::from_reason)? {
            // Freed when the kernels before are done with it.
            self.queue.always(move || memory::unmap(block));
        }
        Ok(())
    }

    #[napi]
    pub fn memory(&self) -> f64 {
        (self.memory.bytes() + self.sparse_bytes) as f64
    }

    #[napi]
    pub fn write(&self, out: Tensor, data: &[f32]) -> Result<()> {
        let (out, data) = (self.matrix(out)?, memory::copied(data).map_err(Error::from_reason)?);
        self.kernel("write", move || elementwise::write(out, &data))
    }

    #[napi]
    pub fn sparse(
        &mut self,
        rows: f64,
        columns: f64,
        offsets: &[u32],
        indices: &[u32],
        values: Option<&[f32]>,
    ) -> Result<u32> {
        let (rows, columns) = (size("sparse", rows, MOST_ROWS)?, size("sparse", columns, MOST_ROWS)?);
        let copies = || Ok((memory::copied(offsets)?, memory::copied(indices)?, values.map(memory::copied).transpose()?));
        let batch = copies()
            .and_then(|(offsets, indices, values)| Sparse::new(rows, columns, offsets, indices, values))
            .map_err(Error::from_reason)?;
        let number = self.next_sparse;
        self.next_sparse += 1;
        self.sparse_bytes += batch.bytes();
        self.sparse.insert(number, Arc::new(batch));
        Ok(number)
    }

    /// The columns of a batch with an entry, ascending.
    #[napi]
    pub fn touched(&self, number: u32) -> Result<Uint32Array> {
        Ok(Uint32Array::new(self.batch(number)?.touched().to_vec()))
    }

    #[napi]
    pub fn release_sparse(&mut self, number: u32) -> Result<()> {
        let batch = self.sparse.remove(&number).ok_or_else(|| Error::from_reason("no such sparse batch"))?;
        self.sparse_bytes -= batch.bytes();
        Ok(())
    }

    // Questions.

    /// A promise of the contents (Float32Array).
    #[napi(ts_return_type = "Promise<Float32Array>")]
    pub fn read<'env>(&self, env: &'env Env, tensor: Tensor) -> Result<Object<'env>> {
        let matrix = self.matrix(tensor)?;
        self.ask(env, "read", move || matrix.to_vec(), Float32Array::new)
    }

    #[napi(ts_return_type = "Promise<TopK>")]
    pub fn top_k<'env>(&self, env: &'env Env, scores: Tensor, k: u32, without: Option<u32>) -> Result<Object<'env>> {
        let scores = self.matrix(scores)?;
        let without = without.map(|number| self.batch(number)).transpose()?;
        self.ask(env, "topK", move || top_k::top_k(scores, k as usize, without.as_deref()), TopK::from)
    }

    #[napi]
    pub fn coarse(&self, out: Tensor, weights: Tensor) -> Result<()> {
        let (out, weights) = (self.matrix(out)?, self.matrix(weights)?);
        self.kernel("coarse", move || coarse::coarse(out, weights))
    }

    #[napi(ts_return_type = "Promise<TopK>")]
    #[allow(clippy::too_many_arguments)]
    pub fn best_products<'env>(
        &self,
        env: &'env Env,
        a: Tensor,
        weights: Tensor,
        coarse: Tensor,
        bias: Tensor,
        k: u32,
        without: Option<u32>,
    ) -> Result<Object<'env>> {
        let (a, weights) = (self.matrix(a)?, self.matrix(weights)?);
        let (coarse, bias) = (self.matrix(coarse)?, self.matrix(bias)?);
        let without = without.map(|number| self.batch(number)).transpose()?;
        self.ask(
            env,
            "bestProducts",
            move || coarse::best_products(a, weights, coarse, bias, k as usize, without.as_deref()),
            TopK::from,
        )
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn finished<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.ask(env, "finished", || (), |()| ())
    }

    /// Frees everything once the queue is done, whatever failed before. Nothing may be called afterwards.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&mut self, env: &'env Env) -> Result<Object<'env>> {
        self.sparse.clear();
        self.sparse_bytes = 0;
        let (deferred, promise) = env.create_deferred::<(), Resolver<()>>()?;
        let memory = self.memory.clone();
        self.queue.always(move || {
            memory.clear();
            deferred.resolve(Box::new(|_| Ok(())));
        });
        self.queue.end();
        Ok(promise)
    }

    /// Queues a kernel that panics: for the tests of what a failure does.
    #[napi]
    pub fn fail(&self, message: String) -> Result<()> {
        self.kernel("fail", move || panic!("{message}"))
    }

    // Element-wise and reductions.

    #[napi]
    pub fn fill(&self, out: Tensor, value: f64) -> Result<()> {
        let out = self.matrix(out)?;
        self.kernel("fill", move || elementwise::fill(out, value as f32))
    }

    #[napi]
    pub fn copy(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("copy", move || elementwise::copy(out, a))
    }

    #[napi]
    pub fn add_scaled(&self, out: Tensor, a: Tensor, factor: f64) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("addScaled", move || elementwise::add_scaled(out, a, factor))
    }

    #[napi]
    pub fn add_row(&self, out: Tensor, row: Tensor) -> Result<()> {
        let (out, row) = (self.matrix(out)?, self.matrix(row)?);
        self.kernel("addRow", move || elementwise::add_row(out, row))
    }

    #[napi]
    pub fn sum_rows(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("sumRows", move || reductions::sum_rows(out, a))
    }

    #[napi]
    pub fn sum(&self, out: Tensor, a: Tensor, factor: f64) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("sum", move || reductions::sum(out, a, factor))
    }

    #[napi]
    pub fn sum_of_squares(&self, out: Tensor, a: Tensor, factor: f64) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("sumOfSquares", move || reductions::sum_of_squares(out, a, factor))
    }

    #[napi]
    pub fn tanh(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("tanh", move || elementwise::tanh(out, a))
    }

    #[napi]
    pub fn tanh_gradient(&self, out: Tensor, y: Tensor, g: Tensor, accumulate: bool) -> Result<()> {
        let (out, y, g) = (self.matrix(out)?, self.matrix(y)?, self.matrix(g)?);
        self.kernel("tanhGradient", move || elementwise::tanh_gradient(out, y, g, accumulate))
    }

    #[napi]
    pub fn relu(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("relu", move || elementwise::relu(out, a))
    }

    #[napi]
    pub fn relu_gradient(&self, out: Tensor, y: Tensor, g: Tensor) -> Result<()> {
        let (out, y, g) = (self.matrix(out)?, self.matrix(y)?, self.matrix(g)?);
        self.kernel("reluGradient", move || elementwise::relu_gradient(out, y, g))
    }

    #[napi]
    pub fn sigmoid(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("sigmoid", move || elementwise::sigmoid(out, a))
    }

    #[napi]
    pub fn sigmoid_gradient(&self, out: Tensor, y: Tensor, g: Tensor) -> Result<()> {
        let (out, y, g) = (self.matrix(out)?, self.matrix(y)?, self.matrix(g)?);
        self.kernel("sigmoidGradient", move || elementwise::sigmoid_gradient(out, y, g))
    }

    #[napi]
    pub fn swish(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("swish", move || elementwise::swish(out, a))
    }

    #[napi]
    pub fn swish_gradient(&self, out: Tensor, a: Tensor, g: Tensor) -> Result<()> {
        let (out, a, g) = (self.matrix(out)?, self.matrix(a)?, self.matrix(g)?);
        self.kernel("swishGradient", move || elementwise::swish_gradient(out, a, g))
    }

    #[napi]
    pub fn add_product(&self, out: Tensor, a: Tensor, b: Tensor) -> Result<()> {
        let (out, a, b) = (self.matrix(out)?, self.matrix(a)?, self.matrix(b)?);
        self.kernel("addProduct", move || elementwise::add_product(out, a, b))
    }

    #[napi]
    pub fn dropout(&self, out: Tensor, a: Tensor, dropout: Dropout) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("dropout", move || elementwise::dropout(out, a, dropout.into()))
    }

    #[napi]
    pub fn take_rows(&self, out: Tensor, a: Tensor, rows: &[u32]) -> Result<()> {
        let (out, a, rows) = (self.matrix(out)?, self.matrix(a)?, rows.to_vec());
        self.kernel("takeRows", move || elementwise::take_rows(out, a, &rows))
    }

    #[napi]
    pub fn take_columns(&self, out: Tensor, a: Tensor, columns: &[u32]) -> Result<()> {
        let (out, a, columns) = (self.matrix(out)?, self.matrix(a)?, columns.to_vec());
        self.kernel("takeColumns", move || elementwise::take_columns(out, a, &columns))
    }

    #[napi]
    pub fn gate(&self, out: Tensor, a: Tensor, b: Tensor) -> Result<()> {
        let (out, a, b) = (self.matrix(out)?, self.matrix(a)?, self.matrix(b)?);
        self.kernel("gate", move || gates::gate(out, a, b))
    }

    #[napi]
    pub fn gate_gradient(&self, a_gradient: Tensor, b_gradient: Tensor, a: Tensor, b: Tensor, g: Tensor) -> Result<()> {
        let a_gradient = self.matrix(a_gradient)?;
        let b_gradient = self.matrix(b_gradient)?;
        let a = self.matrix(a)?;
        let b = self.matrix(b)?;
        let g = self.matrix(g)?;
        self.kernel("gateGradient", move || gates::gate_gradient(a_gradient, b_gradient, a, b, g))
    }

    #[napi]
    pub fn clamp(&self, out: Tensor, a: Tensor, low: f64, high: f64) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("clamp", move || gates::clamp(out, a, low as f32, high as f32))
    }

    #[napi]
    pub fn clamp_gradient(&self, out: Tensor, a: Tensor, g: Tensor, low: f64, high: f64) -> Result<()> {
        let (out, a, g) = (self.matrix(out)?, self.matrix(a)?, self.matrix(g)?);
        self.kernel("clampGradient", move || gates::clamp_gradient(out, a, g, low as f32, high as f32))
    }

    #[napi]
    pub fn drop_clamped(&self, out: Tensor, a: Tensor, dropout: Dropout) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("dropClamped", move || gates::drop_clamped(out, a, dropout.into()))
    }

    #[napi]
    pub fn drop_clamped_gradient(
        &self,
        out: Tensor,
        a: Tensor,
        y: Tensor,
        g: Tensor,
        rate: f64,
        accumulate: bool,
    ) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        let (y, g) = (self.matrix(y)?, self.matrix(g)?);
        let scale = (1.0 / (1.0 - rate)) as f32;
        self.kernel("dropClampedGradient", move || gates::drop_clamped_gradient(out, a, y, g, scale, accumulate))
    }

    #[napi]
    pub fn unit_rows(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("unitRows", move || gates::unit_rows(out, a))
    }

    #[napi]
    pub fn unit_rows_gradient(&self, out: Tensor, a: Tensor, g: Tensor) -> Result<()> {
        let (out, a, g) = (self.matrix(out)?, self.matrix(a)?, self.matrix(g)?);
        self.kernel("unitRowsGradient", move || gates::unit_rows_gradient(out, a, g))
    }

    #[napi]
    pub fn add_rows(&self, out: Tensor, a: Tensor, rows: &[u32]) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        let rows = rows.to_vec();
        self.kernel("addRows", move || gates::add_rows(out, a, &rows))
    }

    #[napi]
    pub fn scale_rows(&self, out: Tensor, a: Tensor, factor: Tensor) -> Result<()> {
        let (out, a, factor) = (self.matrix(out)?, self.matrix(a)?, self.matrix(factor)?);
        self.kernel("scaleRows", move || gates::scale_rows(out, a, factor))
    }

    // Products.

    #[napi]
    pub fn matmul(&self, out: Tensor, a: Tensor, b: Tensor, options: MatmulOptions) -> Result<()> {
        let (out, a, b) = (self.matrix(out)?, self.matrix(a)?, self.matrix(b)?);
        let [transpose_a, transpose_b, accumulate] =
            [options.transpose_a, options.transpose_b, options.accumulate].map(|option| option.unwrap_or(false));
        self.kernel("matmul", move || matmul::matmul(out, a, b, transpose_a, transpose_b, accumulate))
    }

    #[napi]
    pub fn sparse_row_sum(&self, out: Tensor, input: u32, weights: Tensor, options: SparseRowSumOptions) -> Result<()> {
        let (out, input, weights) = (self.matrix(out)?, self.batch(input)?, self.matrix(weights)?);
        self.kernel("sparseRowSum", move || {
            sparse_row_sum::sparse_row_sum(out, &input, weights, options.into());
        })
    }

    #[napi]
    pub fn sparse_row_sum_gradient(
        &self,
        out: Tensor,
        input: u32,
        g: Tensor,
        options: SparseRowSumOptions,
    ) -> Result<()> {
        let (out, input, g) = (self.matrix(out)?, self.batch(input)?, self.matrix(g)?);
        self.kernel("sparseRowSumGradient", move || {
            sparse_row_sum::sparse_row_sum_gradient(out, &input, g, options.into());
        })
    }

    #[napi]
    pub fn sum_sparse_rows(&self, out: Tensor, input: u32, rows: u32) -> Result<()> {
        let (out, input, rows) = (self.matrix(out)?, self.batch(input)?, self.batch(rows)?);
        self.kernel("sumSparseRows", move || sparse_sum::sum_sparse_rows(out, &input, &rows))
    }

    // Layer normalisation.

    #[napi]
    pub fn layer_norm(
        &self,
        out: Tensor,
        a: Tensor,
        weight: Tensor,
        bias: Tensor,
        statistics: Tensor,
        epsilon: f64,
    ) -> Result<()> {
        let (out, a, statistics) = (self.matrix(out)?, self.matrix(a)?, self.matrix(statistics)?);
        let (weight, bias) = (self.matrix(weight)?, self.matrix(bias)?);
        self.kernel("layerNorm", move || layer_norm::layer_norm(out, a, weight, bias, statistics, epsilon))
    }

    #[napi]
    pub fn layer_norm_gradient(
        &self,
        out: Tensor,
        a: Tensor,
        weight: Tensor,
        statistics: Tensor,
        g: Tensor,
    ) -> Result<()> {
        let (out, a, weight) = (self.matrix(out)?, self.matrix(a)?, self.matrix(weight)?);
        let (statistics, g) = (self.matrix(statistics)?, self.matrix(g)?);
        self.kernel("layerNormGradient", move || layer_norm::layer_norm_gradient(out, a, weight, statistics, g))
    }

    #[napi]
    pub fn layer_norm_weight_gradient(&self, out: Tensor, a: Tensor, statistics: Tensor, g: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        let (statistics, g) = (self.matrix(statistics)?, self.matrix(g)?);
        self.kernel("layerNormWeightGradient", move || {
            layer_norm::layer_norm_weight_gradient(out, a, statistics, g);
        })
    }

    // The Gaussian posterior.

    #[napi]
    pub fn gaussian_sample(&self, out: Tensor, mean: Tensor, log_variance: Tensor, key: RandomKey) -> Result<()> {
        let (out, mean, log_variance) = (self.matrix(out)?, self.matrix(mean)?, self.matrix(log_variance)?);
        self.kernel("gaussianSample", move || gaussian::gaussian_sample(out, mean, log_variance, key.into()))
    }

    #[napi]
    pub fn gaussian_sample_gradient(
        &self,
        mean_gradient: Tensor,
        log_variance_gradient: Tensor,
        mean: Tensor,
        sample: Tensor,
        g: Tensor,
    ) -> Result<()> {
        let (dm, dl) = (self.matrix(mean_gradient)?, self.matrix(log_variance_gradient)?);
        let (mean, sample, g) = (self.matrix(mean)?, self.matrix(sample)?, self.matrix(g)?);
        self.kernel("gaussianSampleGradient", move || gaussian::gaussian_sample_gradient(dm, dl, mean, sample, g))
    }

    #[napi]
    pub fn gaussian_kl(&self, out: Tensor, mean: Tensor, log_variance: Tensor) -> Result<()> {
        let (out, mean, log_variance) = (self.matrix(out)?, self.matrix(mean)?, self.matrix(log_variance)?);
        self.kernel("gaussianKl", move || gaussian::gaussian_kl(out, mean, log_variance))
    }

    #[napi]
    pub fn gaussian_kl_gradient(
        &self,
        mean_gradient: Tensor,
        log_variance_gradient: Tensor,
        mean: Tensor,
        log_variance: Tensor,
        g: Tensor,
    ) -> Result<()> {
        let (dm, dl) = (self.matrix(mean_gradient)?, self.matrix(log_variance_gradient)?);
        let (mean, log_variance, g) = (self.matrix(mean)?, self.matrix(log_variance)?, self.matrix(g)?);
        self.kernel("gaussianKlGradient", move || gaussian::gaussian_kl_gradient(dm, dl, mean, log_variance, g))
    }

    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn composite_kl(
        &self,
        out: Tensor,
        z: Tensor,
        mean: Tensor,
        log_variance: Tensor,
        former_mean: Tensor,
        former_log_variance: Tensor,
        mixture: CompositeMixture,
    ) -> Result<()> {
        let (out, at) = (
            self.matrix(out)?,
            composite_kl::Inputs {
                z: self.matrix(z)?,
                mean: self.matrix(mean)?,
                log_variance: self.matrix(log_variance)?,
                former_mean: self.matrix(former_mean)?,
                former_log_variance: self.matrix(former_log_variance)?,
            },
        );
        self.kernel("compositeKl", move || composite_kl::composite_kl(out, at, mixture.into()))
    }

    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn composite_kl_gradient(
        &self,
        z_gradient: Tensor,
        mean_gradient: Tensor,
        log_variance_gradient: Tensor,
        z: Tensor,
        mean: Tensor,
        log_variance: Tensor,
        former_mean: Tensor,
        former_log_variance: Tensor,
        mixture: CompositeMixture,
        g: Tensor,
    ) -> Result<()> {
        let (dz, dm, dl) = (self.matrix(z_gradient)?, self.matrix(mean_gradient)?, self.matrix(log_variance_gradient)?);
        let (at, g) = (
            composite_kl::Inputs {
                z: self.matrix(z)?,
                mean: self.matrix(mean)?,
                log_variance: self.matrix(log_variance)?,
                former_mean: self.matrix(former_mean)?,
                former_log_variance: self.matrix(former_log_variance)?,
            },
            self.matrix(g)?,
        );
        self.kernel("compositeKlGradient", move || {
            composite_kl::composite_kl_gradient(dz, dm, dl, at, mixture.into(), g);
        })
    }

    // Log densities of Gaussians.

    #[napi]
    pub fn gaussian_log_density(&self, out: Tensor, x: Tensor, mean: Tensor, log_variance: Tensor) -> Result<()> {
        let out = self.matrix(out)?;
        let x = self.matrix(x)?;
        let mean = self.matrix(mean)?;
        let log_variance = self.matrix(log_variance)?;
        self.kernel("gaussianLogDensity", move || density::gaussian_log_density(out, x, mean, log_variance))
    }

    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn gaussian_log_density_gradient(
        &self,
        x_gradient: Tensor,
        mean_gradient: Tensor,
        log_variance_gradient: Tensor,
        x: Tensor,
        mean: Tensor,
        log_variance: Tensor,
        g: Tensor,
    ) -> Result<()> {
        let x_gradient = self.matrix(x_gradient)?;
        let mean_gradient = self.matrix(mean_gradient)?;
        let log_variance_gradient = self.matrix(log_variance_gradient)?;
        let x = self.matrix(x)?;
        let mean = self.matrix(mean)?;
        let log_variance = self.matrix(log_variance)?;
        let g = self.matrix(g)?;
        let gradients = [x_gradient, mean_gradient, log_variance_gradient];
        self.kernel("gaussianLogDensityGradient", move || {
            density::gaussian_log_density_gradient(gradients, x, mean, log_variance, g);
        })
    }

    #[napi]
    pub fn density_factors(&self, out: Tensor, mean: Tensor, log_variance: Tensor) -> Result<()> {
        let (out, mean, log_variance) = (self.matrix(out)?, self.matrix(mean)?, self.matrix(log_variance)?);
        self.kernel("densityFactors", move || density::density_factors(out, mean, log_variance))
    }

    #[napi]
    pub fn density_factors_gradient(
        &self,
        mean_gradient: Tensor,
        log_variance_gradient: Tensor,
        mean: Tensor,
        log_variance: Tensor,
        g: Tensor,
    ) -> Result<()> {
        let mean_gradient = self.matrix(mean_gradient)?;
        let log_variance_gradient = self.matrix(log_variance_gradient)?;
        let mean = self.matrix(mean)?;
        let log_variance = self.matrix(log_variance)?;
        let g = self.matrix(g)?;
        self.kernel("densityFactorsGradient", move || {
            density::density_factors_gradient(mean_gradient, log_variance_gradient, mean, log_variance, g);
        })
    }

    #[napi]
    pub fn density_powers(&self, out: Tensor, x: Tensor) -> Result<()> {
        let (out, x) = (self.matrix(out)?, self.matrix(x)?);
        self.kernel("densityPowers", move || density::density_powers(out, x))
    }

    #[napi]
    pub fn density_powers_gradient(&self, out: Tensor, x: Tensor, g: Tensor) -> Result<()> {
        let (out, x, g) = (self.matrix(out)?, self.matrix(x)?, self.matrix(g)?);
        self.kernel("densityPowersGradient", move || density::density_powers_gradient(out, x, g))
    }

    #[napi]
    pub fn log_mean_exp(&self, out: Tensor, a: Tensor) -> Result<()> {
        let (out, a) = (self.matrix(out)?, self.matrix(a)?);
        self.kernel("logMeanExp", move || density::log_mean_exp(out, a))
    }

    // The multinomial output.

    #[napi]
    pub fn multinomial_loss(
        &self,
        loss: Tensor,
        logits: Tensor,
        bias: Tensor,
        target: u32,
        statistics: Tensor,
    ) -> Result<()> {
        let (loss, logits, bias) = (self.matrix(loss)?, self.matrix(logits)?, self.matrix(bias)?);
        let (target, statistics) = (self.batch(target)?, self.matrix(statistics)?);
        self.kernel("multinomialLoss", move || {
            multinomial::multinomial_loss(loss, logits, bias, &target, statistics);
        })
    }

    #[napi]
    pub fn multinomial_loss_gradient(&self, logits: Tensor, target: u32, statistics: Tensor, g: Tensor) -> Result<()> {
        let (logits, target) = (self.matrix(logits)?, self.batch(target)?);
        let (statistics, g) = (self.matrix(statistics)?, self.matrix(g)?);
        self.kernel("multinomialLossGradient", move || {
            multinomial::multinomial_loss_gradient(logits, &target, statistics, g);
        })
    }

    // The Bernoulli output.

    #[napi]
    pub fn bernoulli_loss(&self, loss: Tensor, logits: Tensor, bias: Tensor, target: u32) -> Result<()> {
        let (loss, logits, bias) = (self.matrix(loss)?, self.matrix(logits)?, self.matrix(bias)?);
        let target = self.batch(target)?;
        self.kernel("bernoulliLoss", move || bernoulli::bernoulli_loss(loss, logits, bias, &target))
    }

    #[napi]
    pub fn bernoulli_loss_gradient(&self, logits: Tensor, target: u32, g: Tensor) -> Result<()> {
        let (logits, target, g) = (self.matrix(logits)?, self.batch(target)?, self.matrix(g)?);
        self.kernel("bernoulliLossGradient", move || bernoulli::bernoulli_loss_gradient(logits, &target, g))
    }

    // Optimisers.

    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn adadelta(
        &self,
        value: Tensor,
        squares: Tensor,
        deltas: Tensor,
        gradient: Tensor,
        rho: f64,
        epsilon: f64,
        decay: f64,
    ) -> Result<()> {
        let (value, squares, deltas) = (self.matrix(value)?, self.matrix(squares)?, self.matrix(deltas)?);
        let gradient = self.matrix(gradient)?;
        let step = adadelta::Step { rho, epsilon, decay };
        self.kernel("adadelta", move || adadelta::adadelta(value, squares, deltas, gradient, step))
    }

    /// `touched`: the rows that the gradient has; none = it is dense. `squares`: the sum of its squares [1, 1], by which
    /// it is normalised.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn adam(
        &self,
        value: Tensor,
        m: Tensor,
        v: Tensor,
        gradient: Tensor,
        touched: Option<&[u32]>,
        step: AdamStep,
        squares: Option<Tensor>,
        norm_epsilon: f64,
    ) -> Result<()> {
        let (value, m, v) = (self.matrix(value)?, self.matrix(m)?, self.matrix(v)?);
        let gradient = self.matrix(gradient)?;
        let touched = touched.map(<[u32]>::to_vec);
        let squares = squares.map(|tensor| self.matrix(tensor)).transpose()?;
        let mut step = adam::Step::from(step);
        self.kernel("adam", move || {
            if let Some(squares) = squares {
                step.scale = 1.0 / ((squares.row(0)[0] as f64).sqrt() + norm_epsilon);
            }
            match touched {
                None => adam::adam_dense(value, m, v, gradient, step),
                Some(touched) => adam::adam_rows(value, m, v, gradient, &touched, step),
            }
        })
    }

    // Solvers.

    /// `ridge`: one number, or one per row; `rows`: those to solve, none = all.
    #[napi]
    pub fn als_half_sweep(
        &self,
        factors: Tensor,
        interactions: u32,
        sweep: AlsHalfSweep,
        ridge: &[f32],
        rows: Option<&[u32]>,
    ) -> Result<()> {
        let (factors, interactions) = (self.matrix(factors)?, self.batch(interactions)?);
        let sweep = als::Sweep {
            fixed: self.matrix(sweep.fixed)?,
            gram: self.matrix(sweep.gram)?,
            gram_weight: sweep.gram_weight as f32,
            outer: sweep.outer.into(),
            target: sweep.target.into(),
            ridge: ridge.to_vec(),
            prior: sweep.prior.map(|tensor| self.matrix(tensor)).transpose()?,
            rows: rows.map(<[u32]>::to_vec),
            steps: sweep.steps,
            objective: sweep.objective.map(|tensor| self.matrix(tensor)).transpose()?,
            covariances: sweep.covariances.map(|tensor| self.matrix(tensor)).transpose()?,
            posterior: sweep.posterior.map(|tensor| self.matrix(tensor)).transpose()?,
        };
        self.kernel("alsHalfSweep", move || als::half_sweep(factors, &interactions, &sweep))
    }

    #[napi]
    pub fn non_negative_sweeps(&self, factors: Tensor, sweeps: NonNegativeSweeps) -> Result<()> {
        let factors = self.matrix(factors)?;
        let sweeps = non_negative::Sweeps {
            gram: self.matrix(sweeps.gram)?,
            products: self.matrix(sweeps.products)?,
            l1: sweeps.l1 as f32,
            l2: sweeps.l2 as f32,
            sweeps: sweeps.sweeps,
            tolerance: sweeps.tolerance as f32,
            violation: sweeps.violation.map(|tensor| self.matrix(tensor)).transpose()?,
        };
        self.kernel("nonNegativeSweeps", move || non_negative::non_negative_sweeps(factors, &sweeps))
    }
}

impl NativeEngine {
    /// The view as kernels see it; refused where it leaves its block.
    fn matrix(&self, tensor: Tensor) -> Result<Matrix> {
        let block =
            self.memory.block(tensor.storage.block).ok_or_else(|| Error::from_reason("the tensor was released"))?;
        let (rows, columns) = (size("rows", tensor.rows, MOST_ROWS)?, size("columns", tensor.columns, MOST_ROWS)?);
        let offset = size("offset", tensor.offset, MOST_NUMBERS)?;
        let stride = size("row stride", tensor.row_stride, MOST_NUMBERS)?;
        if rows == 0 || columns == 0 {
            return Ok(Matrix { data: block.data, rows, columns, stride });
        }
        let end = (rows - 1).saturating_mul(stride).saturating_add(columns);
        if (rows > 1 && stride < columns) || offset.saturating_add(end) > block.length {
            return Err(Error::from_reason("the view leaves its tensor"));
        }
        Ok(Matrix { data: unsafe { block.data.add(offset) }, rows, columns, stride })
    }

    fn batch(&self, number: u32) -> Result<Arc<Sparse>> {
        self.sparse.get(&number).cloned().ok_or_else(|| Error::from_reason("the sparse batch was released"))
    }

    fn kernel(&self, name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        self.queue.kernel(name, work);
        Ok(())
    }

    /// A promise of what `work` computes on the queue, as `convert` makes it a JavaScript value.
    fn ask<'env, T: Send + 'static, J: ToNapiValue + 'static>(
        &self,
        env: &'env Env,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
        convert: impl FnOnce(T) -> J + Send + 'static,
    ) -> Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred::<J, Resolver<J>>()?;
        self.queue.ask(name, work, move |result| match result {
            Ok(computed) => deferred.resolve(Box::new(move |_| Ok(convert(computed)))),
            Err(message) => deferred.reject(Error::from_reason(message)),
        });
        Ok(promise)
    }
}
