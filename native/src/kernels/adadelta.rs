//! AdaDelta (Zeiler 2012, algorithm 1) in one pass over a parameter.

use crate::matrix::{Matrix, flatten, for_each_piece};
use crate::simd::vectorised;
use crate::table::kernels;

kernels! {
    Kernel adadelta(value: matrix squares: matrix deltas: matrix gradient: matrix rho: number epsilon: number decay: number)
        adadelta(value, squares, deltas, gradient, Step { rho, epsilon, decay });
}

#[derive(Clone, Copy)]
pub struct Step {
    pub rho: f64,
    pub epsilon: f64,
    pub decay: f64,
}

pub fn adadelta(value: Matrix, squares: Matrix, deltas: Matrix, gradient: Matrix, step: Step) {
    let [value, squares, deltas, gradient] = flatten([value, squares, deltas, gradient]);
    let (rho, fresh) = (step.rho as f32, (1.0 - step.rho) as f32);
    let (epsilon, decay) = (step.epsilon as f32, step.decay as f32);
    for_each_piece(value.rows, value.columns, |r, c, n| {
        let (value, squares, deltas) = (value.get_mut(r, c, n), squares.get_mut(r, c, n), deltas.get_mut(r, c, n));
        let gradient = gradient.get(r, c, n);
        vectorised(
            #[inline(always)]
            || {
                for (((value, square), delta), &g) in value.iter_mut().zip(squares).zip(deltas).zip(gradient) {
                    let g = decay.mul_add(*value, g);
                    *square = rho.mul_add(*square, fresh * (g * g));
                    let change = ((*delta + epsilon) / (*square + epsilon)).sqrt() * g;
                    *delta = rho.mul_add(*delta, fresh * (change * change));
                    *value -= change;
                }
            },
        )
    });
}
