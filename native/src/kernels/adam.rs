//! Adam (Kingma and Ba 2015, algorithm 1) in one pass over a parameter. Dense semantics: a row without a gradient is still
//! updated by its momentum. `sparse_adam` does not change such rows. NAdam (Dozat 2016) is Adam with Nesterov's momentum.

use crate::matrix::{Matrix, flatten, for_each_piece};
use crate::simd::vectorised;
use crate::table::kernels;

kernels! {
    Kernel adam(value: matrix m: matrix v: matrix tensor: matrix touched: maybe_list
        learning_rate: number beta1: number beta2: number epsilon: number update: number decay: number
        weight_decay: maybe_number squares: maybe_matrix norm_epsilon: maybe_number) {
            let scale = squares.map_or(1.0, |squares| {
                1.0 / ((squares.row(0)[0] as f64).sqrt() + norm_epsilon.unwrap_or(0.0))
            });
            let weight_decay = weight_decay.unwrap_or(0.0);
            let step = Step { learning_rate, beta1, beta2, epsilon, update, decay, weight_decay, scale };
            match touched {
                None => adam_dense(value, m, v, tensor, step),
                Some(touched) => adam_rows(value, m, v, tensor, &touched, step),
            }
        };
    Kernel sparseAdam(value: matrix m: matrix v: matrix gradient: matrix touched: list
        learning_rate: number beta1: number beta2: number epsilon: number update: number) {
            let step = Step { decay: 0.0, weight_decay: 0.0, scale: 1.0, learning_rate, beta1, beta2, epsilon, update };
            sparse_adam(value, m, v, gradient, &touched, step)
        };
    Kernel nadam(value: matrix m: matrix v: matrix tensor: matrix touched: maybe_list
        gradient_rate: number momentum_rate: number beta1: number beta2: number epsilon: number update: number) {
            let step = Nesterov { gradient_rate, momentum_rate, beta1, beta2, epsilon, update };
            nadam(value, m, v, tensor, touched.as_deref(), step)
        };
}

#[derive(Clone, Copy)]
pub struct Step {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub update: f64,
    pub decay: f64,
    /// Decoupled weight decay (AdamW): the value is first reduced by the share learning_rate * weight_decay.
    pub weight_decay: f64,
    /// Factor of the gradient.
    pub scale: f64,
}

/// The update of one element, in float32.
#[derive(Clone, Copy)]
struct Constants {
    beta1: f32,
    beta2: f32,
    fresh1: f32,
    fresh2: f32,
    rate: f32,
    second_scale: f32,
    epsilon: f32,
    decay: f32,
    kept: f32,
    scale: f32,
}

impl Constants {
    fn of(step: Step) -> Self {
        Self {
            beta1: step.beta1 as f32,
            beta2: step.beta2 as f32,
            fresh1: (1.0 - step.beta1) as f32,
            fresh2: (1.0 - step.beta2) as f32,
            rate: (step.learning_rate / (1.0 - step.beta1.powf(step.update))) as f32,
            second_scale: (1.0 / (1.0 - step.beta2.powf(step.update))) as f32,
            epsilon: step.epsilon as f32,
            decay: step.decay as f32,
            kept: (1.0 - step.learning_rate * step.weight_decay) as f32,
            scale: step.scale as f32,
        }
    }

    #[inline(always)]
    fn apply(&self, value: &mut f32, m: &mut f32, v: &mut f32, gradient: f32) {
        let g = self.decay.mul_add(*value, self.scale * gradient);
        *m = self.beta1.mul_add(*m, self.fresh1 * g);
        *v = self.beta2.mul_add(*v, self.fresh2 * (g * g));
        *value = self.kept * *value - self.rate * *m / ((*v * self.second_scale).sqrt() + self.epsilon);
    }

    /// Updates elements that all have a gradient. Only inside `vectorised`.
    #[inline(always)]
    fn apply_all(&self, value: &mut [f32], m: &mut [f32], v: &mut [f32], gradient: &[f32]) {
        for (((value, m), v), &g) in value.iter_mut().zip(m).zip(v).zip(gradient) {
            self.apply(value, m, v, g);
        }
    }
}

pub fn adam_dense(value: Matrix, m: Matrix, v: Matrix, gradient: Matrix, step: Step) {
    let [value, m, v, gradient] = flatten([value, m, v, gradient]);
    let constants = Constants::of(step);
    for_each_piece(value.rows, value.columns, |r, c, n| {
        let (value, m, v) = (value.get_mut(r, c, n), m.get_mut(r, c, n), v.get_mut(r, c, n));
        let gradient = gradient.get(r, c, n);
        vectorised(
            #[inline(always)]
            || constants.apply_all(value, m, v, gradient),
        )
    });
}

/// `gradient` has the rows `touched` (ascending); the gradient of every other row is zero.
pub fn adam_rows(value: Matrix, m: Matrix, v: Matrix, gradient: Matrix, touched: &[u32], step: Step) {
    let constants = Constants::of(step);
    for_each_piece(value.rows, value.columns, |r, c, n| {
        let (value, m, v) = (value.get_mut(r, c, n), m.get_mut(r, c, n), v.get_mut(r, c, n));
        match touched.binary_search(&(r as u32)) {
            Ok(at) => {
                let gradient = gradient.get(at, c, n);
                vectorised(
                    #[inline(always)]
                    || constants.apply_all(value, m, v, gradient),
                )
            }
            Err(_) => vectorised(
                #[inline(always)]
                || {
                    for ((value, m), v) in value.iter_mut().zip(m).zip(v) {
                        constants.apply(value, m, v, 0.0);
                    }
                },
            ),
        }
    });
}

/// Updates only the rows `touched` (ascending), whose gradients are in `gradient`.
pub fn sparse_adam(value: Matrix, m: Matrix, v: Matrix, gradient: Matrix, touched: &[u32], step: Step) {
    let constants = Constants::of(step);
    for_each_piece(touched.len(), value.columns, |t, c, n| {
        let r = touched[t] as usize;
        let (value, m, v) = (value.get_mut(r, c, n), m.get_mut(r, c, n), v.get_mut(r, c, n));
        let gradient = gradient.get(t, c, n);
        vectorised(
            #[inline(always)]
            || constants.apply_all(value, m, v, gradient),
        )
    });
}

/// NAdam with its schedule applied: value -= (gradient_rate g + momentum_rate m) / (sqrt(v / (1 - beta2^update)) + epsilon).
#[derive(Clone, Copy)]
pub struct Nesterov {
    pub gradient_rate: f64,
    pub momentum_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub update: f64,
}

/// Updates all rows, or only the rows `touched` (ascending), whose gradients are in `gradient`.
pub fn nadam(value: Matrix, m: Matrix, v: Matrix, gradient: Matrix, touched: Option<&[u32]>, step: Nesterov) {
    let [beta1, beta2] = [step.beta1 as f32, step.beta2 as f32];
    let [fresh1, fresh2] = [(1.0 - step.beta1) as f32, (1.0 - step.beta2) as f32];
    let [gradient_rate, momentum_rate] = [step.gradient_rate as f32, step.momentum_rate as f32];
    let second_scale = (1.0 / (1.0 - step.beta2.powf(step.update))) as f32;
    let epsilon = step.epsilon as f32;
    for_each_piece(gradient.rows, value.columns, |t, c, n| {
        let r = touched.map_or(t, |touched| touched[t] as usize);
        let (value, m, v) = (value.get_mut(r, c, n), m.get_mut(r, c, n), v.get_mut(r, c, n));
        let gradient = gradient.get(t, c, n);
        vectorised(
            #[inline(always)]
            || {
                for (((value, m), v), &g) in value.iter_mut().zip(m).zip(v).zip(gradient) {
                    *m = beta1.mul_add(*m, fresh1 * g);
                    *v = beta2.mul_add(*v, fresh2 * (g * g));
                    let ahead = gradient_rate.mul_add(g, momentum_rate * *m);
                    *value -= ahead / ((*v * second_scale).sqrt() + epsilon);
                }
            },
        )
    });
}
