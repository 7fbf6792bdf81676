//! The kernels that JavaScript can call, by name and arguments as in src/compute/kernels.ts, which both sides compare
//! before the first call. Each family (kernels/) has its own list: an entry names the arguments and their kinds (calls.rs), and the
//! function that computes the kernel.

use crate::Work;
use crate::calls::Call;
use crate::kernels::*;
use napi::bindgen_prelude::Result;
use std::sync::LazyLock;

/// A kernel: its contract, and the function that creates the work of a call.
#[derive(Clone, Copy)]
pub struct Kernel {
    pub contract: &'static str,
    pub name: &'static str,
    pub work: fn(&mut Call) -> Result<Work>,
}

/// All kernels; the number of a kernel is its index.
pub static KERNELS: LazyLock<Vec<Kernel>> = LazyLock::new(|| {
    [
        adadelta::KERNELS,
        adam::KERNELS,
        als::KERNELS,
        best_in_blocks::KERNELS,
        best_products::KERNELS,
        composite_kl::KERNELS,
        density::KERNELS,
        elastic_net::KERNELS,
        elementwise::KERNELS,
        focal_loss::KERNELS,
        gates::KERNELS,
        gaussian::KERNELS,
        gram::KERNELS,
        inverse::KERNELS,
        layer_norm::KERNELS,
        linear_cosine::KERNELS,
        matmul::KERNELS,
        neighbours::KERNELS,
        non_negative::KERNELS,
        output::KERNELS,
        quantise::KERNELS,
        reductions::KERNELS,
        sampled_targets::KERNELS,
        sparse_cholesky::KERNELS,
        sparse_row_sum::KERNELS,
        sparse_sum::KERNELS,
        tangent_kernel::KERNELS,
        top_k::KERNELS,
        triangular_inverse::KERNELS,
    ]
    .concat()
});

/// The part of a contract that describes the result of a call.
macro_rules! answer {
    (Kernel) => {
        ""
    };
    (Question) => {
        ": answer"
    };
}
pub(crate) use answer;

/// Lists the kernels of a family.
macro_rules! kernels {
    ($($how:ident $name:ident($($argument:ident: $kind:ident)*) $body:expr;)*) => {
        pub const KERNELS: &[$crate::table::Kernel] = &[$($crate::table::Kernel {
            contract: concat!(
                stringify!($name), "(", $(stringify!($argument), ":", stringify!($kind), " ",)* ")",
                $crate::table::answer!($how)
            ),
            name: stringify!($name),
            work: |call| {
                $(let $argument = call.$kind()?;)*
                Ok($crate::Work::$how(Box::new(move || $body)))
            },
        }),*];
    };
}
pub(crate) use kernels;
