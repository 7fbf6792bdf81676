//! The solvers' bindings: what closed forms need beside an engine's kernels (src/compute/solvers/).

use crate::kernels::{gram, sweep, tangent_kernel};
use crate::{NativeEngine, Tensor};
use napi::bindgen_prelude::*;
use napi_derive::napi;

#[napi(object, object_to_js = false)]
pub struct TangentNetwork {
    pub scale: f64,
    pub bias: f64,
    pub depth: u32,
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
}
