//! The kernels, one file per family; each is the twin of a kernel in src/compute/engines/reference. Shapes are checked before a
//! kernel is queued.

pub mod adadelta;
pub mod adam;
pub mod allowed;
pub mod als;
pub mod best_in_blocks;
pub mod best_products;
pub mod composite_kl;
pub mod density;
pub mod elastic_net;
pub mod elementwise;
pub mod focal_loss;
pub mod gates;
pub mod gaussian;
pub mod gram;
pub mod inverse;
pub mod largest_entries;
pub mod layer_norm;
pub mod linear_cosine;
pub mod matmul;
pub mod neighbours;
pub mod non_negative;
pub mod output;
pub mod quantise;
pub mod reductions;
pub mod rounded;
pub mod rounded_output;
pub mod sampled_targets;
pub mod sparse_cholesky;
pub mod sparse_row_sum;
pub mod sparse_sum;
pub mod tangent_kernel;
pub mod top_k;
pub mod triangular_inverse;
