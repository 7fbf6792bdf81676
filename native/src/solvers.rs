//! The solvers' bindings: what closed forms and item-item models need beside an engine's kernels (src/compute/solvers/).

use crate::kernels::{elastic_net, gram, neighbours, sweep, tangent_kernel};
use crate::{NativeEngine, Tensor};
use napi::bindgen_prelude::*;
use napi_derive::napi;

#[napi(object, object_to_js = false)]
pub struct TangentNetwork {
    pub scale: f64,
    pub bias: f64,
    pub depth: u32,
}

#[napi(object, object_to_js = false)]
pub struct Similarity {
    pub union: bool,
    pub shrink: f64,
    pub k: u32,
}

#[napi(object, object_to_js = false)]
pub struct ElasticNet {
    pub l1: f64,
    pub l2: f64,
    pub tolerance: f64,
    pub max_sweeps: u32,
    pub k: u32,
}

impl From<ElasticNet> for elastic_net::ElasticNet {
    fn from(net: ElasticNet) -> Self {
        Self {
            l1: net.l1,
            l2: net.l2,
            tolerance: net.tolerance,
            max_sweeps: net.max_sweeps as usize,
            k: net.k as usize,
        }
    }
}

/// Rows of a sparse matrix that a solver made; `unfinished` of them are not within its tolerance.
#[napi(object, object_from_js = false)]
pub struct SparseRows {
    pub offsets: Uint32Array,
    pub indices: Uint32Array,
    pub values: Float32Array,
    pub unfinished: u32,
}

fn sparse_rows((rows, unfinished): (neighbours::Rows, usize)) -> SparseRows {
    SparseRows {
        offsets: Uint32Array::new(rows.offsets),
        indices: Uint32Array::new(rows.indices),
        values: Float32Array::new(rows.values),
        unfinished: unfinished as u32,
    }
}

#[napi]
impl NativeEngine {
    #[napi]
    pub fn gram(&self, out: Tensor, x: u32, weights: Option<Tensor>) -> Result<()> {
        let (out, x) = (self.matrix(out)?, self.batch(x)?);
        let weights = weights.map(|weights| self.matrix(weights)).transpose()?;
        self.kernel("gram", move || gram::gram(out, &x, weights))
    }

    #[napi]
    pub fn sparse_product(&self, out: Tensor, a: u32, b: u32) -> Result<()> {
        let (out, a, b) = (self.matrix(out)?, self.batch(a)?, self.batch(b)?);
        self.kernel("sparseProduct", move || gram::sparse_product(out, &a, &b))
    }

    /// A promise of the first pivot that is not positive, or -1.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn sweep<'env>(&self, env: &'env Env, a: Tensor, first: u32, count: u32) -> Result<Object<'env>> {
        let a = self.matrix(a)?;
        let sweep = move || sweep::sweep(a, first as usize, count as usize);
        self.ask(env, "sweep", sweep, |pivot| pivot.map_or(-1, |pivot| pivot as i64))
    }

    #[napi]
    pub fn expand_lower(&self, a: Tensor, rows: Tensor, columns: Tensor) -> Result<()> {
        let (a, rows, columns) = (self.matrix(a)?, self.matrix(rows)?, self.matrix(columns)?);
        self.kernel("expandLower", move || sweep::expand_lower(a, rows, columns))
    }

    #[napi]
    pub fn tangent_kernel(&self, a: Tensor, rows: Tensor, columns: Tensor, network: TangentNetwork) -> Result<()> {
        let (a, rows, columns) = (self.matrix(a)?, self.matrix(rows)?, self.matrix(columns)?);
        let TangentNetwork { scale, bias, depth } = network;
        let network = tangent_kernel::Network { scale, bias, depth: depth as usize };
        self.kernel("tangentKernel", move || tangent_kernel::tangent_kernel(a, rows, columns, network))
    }

    #[napi(ts_return_type = "Promise<SparseRows>")]
    #[allow(clippy::too_many_arguments)]
    pub fn neighbours<'env>(
        &self,
        env: &'env Env,
        x: u32,
        left: &[f32],
        right: &[f32],
        similarity: Similarity,
        from: u32,
        to: u32,
    ) -> Result<Object<'env>> {
        let x = self.batch(x)?;
        let Similarity { union, shrink, k } = similarity;
        let (left, right) = (left.to_vec(), right.to_vec());
        let similarity = neighbours::Similarity { left, right, union, shrink: shrink as f32, k: k as usize };
        self.ask(
            env,
            "neighbours",
            move || (neighbours::neighbours(&x, &similarity, from as usize, to as usize), 0),
            sparse_rows,
        )
    }

    #[napi(ts_return_type = "Promise<SparseRows>")]
    pub fn elastic_net<'env>(
        &self,
        env: &'env Env,
        gram: Tensor,
        options: ElasticNet,
        from: u32,
        to: u32,
    ) -> Result<Object<'env>> {
        let gram = self.matrix(gram)?;
        self.ask(
            env,
            "elasticNet",
            move || elastic_net::elastic_net(gram, options.into(), from as usize, to as usize),
            sparse_rows,
        )
    }
}
