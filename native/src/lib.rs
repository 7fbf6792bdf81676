//! The bindings of the native engine for JavaScript. A call of a kernel is decoded (calls.rs), checked against the memory and queued,
//! and returns; questions return a promise. Shapes and options are checked by src/compute/kernels.ts, whose table both sides share
//! (table.rs); src/compute/engines/native.ts is the only caller.

mod bf16;
mod calls;
mod element;
mod kept;
mod kernels;
mod matrix;
mod memory;
mod mpi;
mod philox;
mod queue;
mod simd;
mod sparse;
mod table;

use calls::Call;
use element::{ELEMENTS, Number};
use kernels::{elementwise, neighbours, top_k};
use matrix::Matrix;
use memory::{Block, Memory};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use queue::Queue;
use sparse::{Piece, Sparse};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use table::KERNELS;

/// The contracts of the kernels, in the order of their numbers: native.ts rejects an addon that does not agree.
#[napi]
pub fn contracts() -> Vec<String> {
    KERNELS.iter().map(|kernel| kernel.contract.replace(" )", ")")).collect()
}

#[napi]
pub fn instruction_set() -> &'static str {
    simd::instruction_set()
}

/// The instructions for products in bfloat16.
#[napi]
pub fn bf16_instructions() -> &'static str {
    bf16::Microkernel::here().name()
}

/// An MPI library (mpi.rs).
#[napi(object, object_from_js = false)]
pub struct MpiLibrary {
    pub library: String,
    pub version: String,
    pub abi: String,
}

/// Loads the first of `candidates` that is an MPI library, without starting it.
#[napi]
pub fn mpi_open(candidates: Vec<String>) -> Result<MpiLibrary> {
    let mpi::Found { library, version, abi } = mpi::open(&candidates).map_err(Error::from_reason)?;
    Ok(MpiLibrary { library, version, abi: abi.into() })
}

/// Starts MPI: [number of this member, members].
#[napi]
pub fn mpi_start() -> Result<Vec<u32>> {
    let (rank, size) = mpi::start().map_err(Error::from_reason)?;
    Ok(vec![rank as u32, size as u32])
}

#[napi]
pub fn mpi_end() -> Result<()> {
    mpi::end().map_err(Error::from_reason)
}

/// Ends all members with this exit code.
#[napi]
pub fn mpi_abort(code: i32) -> Result<()> {
    mpi::abort(code).map_err(Error::from_reason)
}

/// The bytes of every member, for all of them or for one; off the event loop.
#[napi(ts_return_type = "Promise<Uint8Array[]>")]
pub fn mpi_gather(bytes: &[u8], root: Option<u32>) -> AsyncTask<Gather> {
    AsyncTask::new(Gather { own: bytes.to_vec(), root: root.map(|root| root as usize) })
}

pub struct Gather {
    own: Vec<u8>,
    root: Option<usize>,
}

impl Task for Gather {
    type Output = Vec<Vec<u8>>;
    type JsValue = Vec<Uint8Array>;

    fn compute(&mut self) -> Result<Self::Output> {
        mpi::gather(&self.own, self.root).map_err(Error::from_reason)
    }

    fn resolve(&mut self, _env: Env, all: Self::Output) -> Result<Self::JsValue> {
        Ok(all.into_iter().map(Uint8Array::new).collect())
    }
}

/// The work that a call of a kernel queues.
pub enum Work {
    Kernel(Box<dyn FnOnce() + Send>),
    Question(Box<dyn FnOnce() -> Answer + Send>),
}

/// The result of a question, which native.ts interprets.
#[napi(object, object_from_js = false)]
pub struct Answer {
    pub numbers: Vec<f64>,
    pub integers: Vec<Uint32Array>,
    pub floats: Float32Array,
}

impl Answer {
    pub fn number(number: f64) -> Self {
        Self { numbers: vec![number], integers: vec![], floats: Float32Array::new(vec![]) }
    }

    /// Rows of a sparse matrix computed by a solver; `unfinished` of them have not reached its tolerance.
    pub fn rows(rows: neighbours::Rows, unfinished: usize) -> Self {
        Self {
            numbers: vec![unfinished as f64],
            integers: vec![Uint32Array::new(rows.offsets), Uint32Array::new(rows.indices)],
            floats: Float32Array::new(rows.values),
        }
    }
}

impl From<top_k::TopK> for Answer {
    fn from(found: top_k::TopK) -> Self {
        Self {
            numbers: vec![found.rows as f64, found.k as f64],
            integers: vec![Uint32Array::new(found.items)],
            floats: Float32Array::new(found.scores),
        }
    }
}

type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

pub fn refused(why: &str) -> Error {
    Error::from_reason(why)
}

/// The largest number of rows or columns: kernels and sparse batches use 32-bit indices.
const MOST_ROWS: f64 = u32::MAX as f64;
/// The largest safe integer of JavaScript.
const MOST_NUMBERS: f64 = 9_007_199_254_740_991.0;

/// Converts a size from JavaScript. As a 32-bit integer it would wrap around: 2^32 + 3 rows would become 3.
fn size(what: &str, given: f64, most: f64) -> Result<usize> {
    if given >= 0.0 && given <= most && given.fract() == 0.0 {
        return Ok(given as usize);
    }
    Err(Error::from_reason(format!("{what}: {given} is not an integer from 0 to {most}")))
}

#[napi]
pub struct NativeEngine {
    queue: Queue,
    memory: Arc<Memory>,
    sparse: HashMap<u32, Arc<Sparse>>,
    sparse_bytes: usize,
    next_sparse: u32,
    /// Milliseconds of each kernel queued since `start_clock`.
    clock: Option<Arc<Mutex<Vec<f64>>>>,
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
            clock: None,
        })
    }

    // Kernels.

    #[napi]
    pub fn run(&self, kernel: u32, call: &[f64]) -> Result<()> {
        self.run_with(kernel, call, vec![])
    }

    #[napi]
    pub fn run_with(&self, kernel: u32, call: &[f64], lists: Vec<Uint32Array>) -> Result<()> {
        let kernel = known(kernel)?;
        match (kernel.work)(&mut Call::new(self, call, &lists))? {
            Work::Kernel(work) => self.queue.kernel(kernel.name, self.timed(work)),
            Work::Question(_) => return Err(refused("a question was not asked")),
        }
        Ok(())
    }

    #[napi(ts_return_type = "Promise<Answer>")]
    pub fn ask<'env>(
        &self,
        env: &'env Env,
        kernel: u32,
        call: &[f64],
        lists: Vec<Uint32Array>,
    ) -> Result<Object<'env>> {
        let kernel = known(kernel)?;
        match (kernel.work)(&mut Call::new(self, call, &lists))? {
            Work::Question(work) => self.question(env, kernel.name, work, |answer| answer),
            Work::Kernel(_) => Err(refused("a kernel was asked")),
        }
    }

    /// Times every kernel queued from now on, for `clocked`. Questions are not timed.
    #[napi]
    pub fn start_clock(&mut self) {
        self.clock = Some(Arc::default());
    }

    /// A promise for the milliseconds of the kernels queued since `start_clock` or the last call, in their order.
    #[napi(ts_return_type = "Promise<Float64Array>")]
    pub fn clocked<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let clock = self.clock.clone().ok_or_else(|| refused("the clock was not started"))?;
        self.question(env, "clocked", move || std::mem::take(&mut *held(&clock)), Float64Array::new)
    }

    // Memory.

    /// The number of a block of `length` elements, contents undefined.
    #[napi]
    pub fn allocate(&self, length: f64, element: u32) -> Result<u32> {
        let length = size("allocate", length, MOST_NUMBERS)?;
        let element = ELEMENTS.get(element as usize).ok_or_else(|| refused("there is no such element type"))?;
        self.memory.allocate(length, *element).map_err(Error::from_reason)
    }

    #[napi]
    pub fn release(&self, block: u32) -> Result<()> {
        if let Some(block) = self.memory.release(block).map_err(Error::from_reason)? {
            // Freed when earlier kernels are done with it.
            self.queue.always(move || memory::unmap(block));
        }
        Ok(())
    }

    #[napi]
    pub fn memory(&self) -> f64 {
        (self.memory.bytes() + self.sparse_bytes) as f64
    }

    #[napi]
    pub fn write(&self, out: &[f64], data: &[f32]) -> Result<()> {
        let out = Call::new(self, out, &[]).float32_or_bfloat16_or_int8()?;
        let data = memory::copied(data).map_err(Error::from_reason)?;
        self.queue.kernel("write", move || elementwise::write(out, &data));
        Ok(())
    }

    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn sparse(
        &mut self,
        rows: f64,
        columns: f64,
        offsets: &[u32],
        indices: &[u32],
        values: Option<&[f32]>,
        first: f64,
        positions: Option<&[u32]>,
        squares: Option<&[f64]>,
    ) -> Result<u32> {
        let (rows, columns) = (size("sparse", rows, MOST_ROWS)?, size("sparse", columns, MOST_ROWS)?);
        let first = size("sparse", first, MOST_NUMBERS)?;
        let copies = || {
            let positions = positions.map(memory::copied).transpose()?;
            let squares = squares.map(memory::copied).transpose()?;
            let values = values.map(memory::copied).transpose()?;
            let piece = Piece { first, positions, squares };
            Sparse::new(rows, columns, memory::copied(offsets)?, memory::copied(indices)?, values, piece)
        };
        let batch = copies().map_err(Error::from_reason)?;
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
        let batch = self.sparse.remove(&number).ok_or_else(|| refused("no such sparse batch"))?;
        self.sparse_bytes -= batch.bytes();
        Ok(())
    }

    /// A promise for the contents (Float32Array).
    #[napi(ts_return_type = "Promise<Float32Array>")]
    pub fn read<'env>(&self, env: &'env Env, tensor: &[f64]) -> Result<Object<'env>> {
        let matrix = Call::new(self, tensor, &[]).float32_or_bfloat16_or_int8()?;
        self.question(env, "read", move || elementwise::read(matrix), Float32Array::new)
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn finished<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.question(env, "finished", || (), |()| ())
    }

    /// Queues an exchange with other members: `messages` has six numbers for each, the member and a tensor of contiguous rows; the
    /// first `sends` of them are sent, the others received.
    #[napi]
    pub fn exchange(&self, messages: &[f64], sends: u32) -> Result<()> {
        let mut all = messages
            .chunks_exact(6)
            .map(|message| {
                let tensor = Call::new(self, &message[1..], &[]).matrix()?;
                if tensor.rows > 1 && tensor.stride != tensor.columns {
                    return Err(refused("only contiguous rows can be exchanged"));
                }
                let bytes = 4 * tensor.rows * tensor.columns;
                Ok(mpi::Message { member: message[0] as usize, data: tensor.data.cast(), bytes })
            })
            .collect::<Result<Vec<_>>>()?;
        let receives = all.split_off((sends as usize).min(all.len()));
        self.queue.kernel("exchange", move || {
            if let Err(message) = mpi::exchange(&all, &receives) {
                panic!("{message}");
            }
        });
        Ok(())
    }

    /// Frees everything once the queue is done, even after a failure. Nothing may be called afterwards.
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

    /// Queues a kernel that panics, for tests.
    #[napi]
    pub fn fail(&self, message: String) {
        self.queue.kernel("fail", move || panic!("{message}"));
    }
}

impl NativeEngine {
    /// The work, timed if the clock was started.
    fn timed(&self, work: Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce() + Send> {
        let Some(clock) = self.clock.clone() else { return work };
        Box::new(move || {
            let started = Instant::now();
            work();
            held(&clock).push(started.elapsed().as_secs_f64() * 1000.0);
        })
    }

    fn block(&self, number: f64) -> Result<Block> {
        self.memory.block(number as u32).ok_or_else(|| refused("the tensor was released"))
    }

    fn batch(&self, number: u32) -> Result<Arc<Sparse>> {
        self.sparse.get(&number).cloned().ok_or_else(|| refused("the sparse batch was released"))
    }

    /// A promise for the result of `work` on the queue, converted to a JavaScript value by `convert`.
    fn question<'env, T: Send + 'static, J: ToNapiValue + 'static>(
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

/// Only the queue's thread locks a clock, and it does not panic while it does.
fn held(clock: &Mutex<Vec<f64>>) -> MutexGuard<'_, Vec<f64>> {
    clock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn known(kernel: u32) -> Result<&'static table::Kernel> {
    KERNELS.get(kernel as usize).ok_or_else(|| refused("there is no such kernel"))
}

/// A view (block, offset, rows, columns, row stride) as a matrix; rejected if it exceeds its block.
fn view<T: Number>(block: Block, [_, offset, rows, columns, stride]: [f64; 5]) -> Result<Matrix<T>> {
    if block.element != T::ELEMENT {
        return Err(refused("the tensor has another element type"));
    }
    let data = block.data.cast::<T>();
    let (rows, columns) = (size("rows", rows, MOST_ROWS)?, size("columns", columns, MOST_ROWS)?);
    let (offset, stride) = (size("offset", offset, MOST_NUMBERS)?, size("row stride", stride, MOST_NUMBERS)?);
    if rows == 0 || columns == 0 {
        return Ok(Matrix { data, rows, columns, stride });
    }
    let end = (rows - 1).saturating_mul(stride).saturating_add(columns);
    if (rows > 1 && stride < columns) || offset.saturating_add(end) > block.length {
        return Err(refused("the view leaves its tensor"));
    }
    Ok(Matrix { data: unsafe { data.add(offset) }, rows, columns, stride })
}
