//! The kernels that JavaScript can call, by name and arguments as in src/compute/kernels.ts, which both sides compare
//! before the first call. A line names the arguments and their kinds (calls.rs) and says which kernel they go to.

use crate::calls::{Call, dropout, is_set, key, position};
use crate::kernels::{
    adadelta, adam, als, coarse, composite_kl, density, elastic_net, elementwise, gates, gaussian, gram, inverse,
    layer_norm, matmul, neighbours, non_negative, output, reductions, sparse_row_sum, sparse_sum,
    tangent_kernel, top_k,
};
use crate::kernels::output::{Likelihood, Output};
use crate::{Answer, Work};
use napi::bindgen_prelude::Result;

/// A kernel: what it takes, and what to queue for a call of it.
pub struct Kernel {
    pub contract: &'static str,
    pub name: &'static str,
    pub work: fn(&mut Call) -> Result<Work>,
}

macro_rules! kernels {
    ($($how:ident $name:ident($($argument:ident: $kind:ident)*) $body:expr;)*) => {
        pub const KERNELS: &[Kernel] = &[$(Kernel {
            contract: concat!(stringify!($name), "(", $(stringify!($argument), ":", stringify!($kind), " ",)* ")"),
            name: stringify!($name),
            work: |call| {
                $(let $argument = call.$kind()?;)*
                Ok(Work::$how(Box::new(move || $body)))
            },
        }),*];
    };
}

kernels! {
    Kernel fill(out: matrix value: number) elementwise::fill(out, value as f32);
    Kernel copy(out: matrix a: matrix) elementwise::copy(out, a);
    Kernel addScaled(out: matrix a: matrix factor: number) elementwise::add_scaled(out, a, factor);
    Kernel addRow(out: matrix row: matrix) elementwise::add_row(out, row);
    Kernel addSumOfRows(out: matrix a: matrix) reductions::sum_rows(out, a);
    Kernel addSum(out: matrix a: matrix factor: number) reductions::sum(out, a, factor);
    Kernel addSumOfSquares(out: matrix a: matrix factor: number) reductions::sum_of_squares(out, a, factor);
    Kernel tanh(out: matrix a: matrix) elementwise::tanh(out, a);
    Kernel tanhGradient(out: matrix y: matrix g: matrix accumulate: maybe_number)
        elementwise::tanh_gradient(out, y, g, is_set(accumulate));
    Kernel relu(out: matrix a: matrix) elementwise::relu(out, a);
    Kernel reluGradient(out: matrix y: matrix g: matrix) elementwise::relu_gradient(out, y, g);
    Kernel sigmoid(out: matrix a: matrix) elementwise::sigmoid(out, a);
    Kernel sigmoidGradient(out: matrix y: matrix g: matrix) elementwise::sigmoid_gradient(out, y, g);
    Kernel swish(out: matrix a: matrix) elementwise::swish(out, a);
    Kernel swishGradient(out: matrix a: matrix g: matrix) elementwise::swish_gradient(out, a, g);
    Kernel addProduct(out: matrix a: matrix b: matrix) elementwise::add_product(out, a, b);
    Kernel dropout(out: matrix a: matrix rate: number key_seed: number key_step: number key_stream: number
        first: maybe_number row_stride: maybe_number)
        elementwise::dropout(out, a, dropout(rate, key(key_seed, key_step, key_stream)), position(first, row_stride));
    Kernel takeRows(out: matrix a: matrix rows: list) elementwise::take_rows(out, a, &rows);
    Kernel takeColumns(out: matrix a: matrix columns: list) elementwise::take_columns(out, a, &columns);
    Kernel gate(out: matrix a: matrix b: matrix) gates::gate(out, a, b);
    Kernel gateGradient(a_gradient: matrix b_gradient: matrix a: matrix b: matrix g: matrix)
        gates::gate_gradient(a_gradient, b_gradient, a, b, g);
    Kernel clamp(out: matrix a: matrix low: number high: number) gates::clamp(out, a, low as f32, high as f32);
    Kernel clampGradient(out: matrix a: matrix g: matrix low: number high: number)
        gates::clamp_gradient(out, a, g, low as f32, high as f32);
    Kernel dropClamped(out: matrix a: matrix rate: number key_seed: number key_step: number key_stream: number
        first: maybe_number row_stride: maybe_number)
        gates::drop_clamped(out, a, dropout(rate, key(key_seed, key_step, key_stream)), position(first, row_stride));
    Kernel dropClampedGradient(out: matrix a: matrix y: matrix g: matrix rate: number accumulate: maybe_number)
        gates::drop_clamped_gradient(out, a, y, g, (1.0 / (1.0 - rate)) as f32, is_set(accumulate));
    Kernel unitRows(out: matrix a: matrix) gates::unit_rows(out, a);
    Kernel unitRowsGradient(out: matrix a: matrix g: matrix) gates::unit_rows_gradient(out, a, g);
    Kernel addRows(out: matrix a: matrix rows: list) gates::add_rows(out, a, &rows);
    Kernel scaleRows(out: matrix a: matrix factor: matrix) gates::scale_rows(out, a, factor);

    Kernel matmul(out: matrix a: matrix b: matrix transpose_a: maybe_number transpose_b: maybe_number accumulate: maybe_number)
        matmul::matmul(out, a, b, is_set(transpose_a), is_set(transpose_b), is_set(accumulate));
    Kernel sparseRowSum(out: matrix input: batch weights: matrix row_scale: maybe_number
        dropout_rate: maybe_number key_seed: maybe_number key_step: maybe_number key_stream: maybe_number)
        sparse_row_sum::sparse_row_sum(out, &input, weights, row_sum(row_scale, dropout_rate, [key_seed, key_step, key_stream]));
    Kernel sparseRowSumGradient(out: matrix input: batch g: matrix row_scale: maybe_number
        dropout_rate: maybe_number key_seed: maybe_number key_step: maybe_number key_stream: maybe_number)
        sparse_row_sum::sparse_row_sum_gradient(out, &input, g, row_sum(row_scale, dropout_rate, [key_seed, key_step, key_stream]));
    Kernel sumSparseRows(out: matrix input: batch rows: batch) sparse_sum::sum_sparse_rows(out, &input, &rows);

    Kernel layerNorm(out: matrix a: matrix weight: matrix bias: matrix statistics: matrix epsilon: number)
        layer_norm::layer_norm(out, a, weight, bias, statistics, epsilon);
    Kernel layerNormGradient(out: matrix a: matrix weight: matrix statistics: matrix g: matrix)
        layer_norm::layer_norm_gradient(out, a, weight, statistics, g);
    Kernel layerNormWeightGradient(out: matrix a: matrix statistics: matrix g: matrix)
        layer_norm::layer_norm_weight_gradient(out, a, statistics, g);

    Kernel gaussianSample(out: matrix mean: matrix log_variance: matrix seed: number step: number stream: number
        first: maybe_number row_stride: maybe_number)
        gaussian::gaussian_sample(out, mean, log_variance, key(seed, step, stream), position(first, row_stride));
    Kernel gaussianSampleGradient(mean_gradient: matrix log_variance_gradient: matrix mean: matrix sample: matrix g: matrix)
        gaussian::gaussian_sample_gradient(mean_gradient, log_variance_gradient, mean, sample, g);
    Kernel gaussianKl(out: matrix mean: matrix log_variance: matrix) gaussian::gaussian_kl(out, mean, log_variance);
    Kernel gaussianKlGradient(mean_gradient: matrix log_variance_gradient: matrix mean: matrix log_variance: matrix g: matrix)
        gaussian::gaussian_kl_gradient(mean_gradient, log_variance_gradient, mean, log_variance, g);
    Kernel compositeKl(out: matrix
        z: matrix mean: matrix log_variance: matrix former_mean: matrix former_log_variance: matrix
        standard: number former: number broad: number broad_log_variance: number)
        composite_kl::composite_kl(
            out,
            composite_kl::Inputs { z, mean, log_variance, former_mean, former_log_variance },
            mixture([standard, former, broad], broad_log_variance),
        );
    Kernel compositeKlGradient(z_gradient: matrix mean_gradient: matrix log_variance_gradient: matrix
        z: matrix mean: matrix log_variance: matrix former_mean: matrix former_log_variance: matrix
        standard: number former: number broad: number broad_log_variance: number g: matrix)
        composite_kl::composite_kl_gradient(
            z_gradient, mean_gradient, log_variance_gradient,
            composite_kl::Inputs { z, mean, log_variance, former_mean, former_log_variance },
            mixture([standard, former, broad], broad_log_variance),
            g,
        );

    Kernel gaussianLogDensity(out: matrix x: matrix mean: matrix log_variance: matrix)
        density::gaussian_log_density(out, x, mean, log_variance);
    Kernel gaussianLogDensityGradient(x_gradient: matrix mean_gradient: matrix log_variance_gradient: matrix
        x: matrix mean: matrix log_variance: matrix g: matrix)
        density::gaussian_log_density_gradient([x_gradient, mean_gradient, log_variance_gradient], x, mean, log_variance, g);
    Kernel densityFactors(out: matrix mean: matrix log_variance: matrix) density::density_factors(out, mean, log_variance);
    Kernel densityFactorsGradient(mean_gradient: matrix log_variance_gradient: matrix mean: matrix log_variance: matrix g: matrix)
        density::density_factors_gradient(mean_gradient, log_variance_gradient, mean, log_variance, g);
    Kernel densityPowers(out: matrix x: matrix) density::density_powers(out, x);
    Kernel densityPowersGradient(out: matrix x: matrix g: matrix) density::density_powers_gradient(out, x, g);
    Kernel logMeanExp(out: matrix a: matrix) density::log_mean_exp(out, a);

    Kernel outputStatistics(statistics: matrix scratch: matrix
        hidden: matrix weights: matrix bias: matrix target: batch likelihood: number
        from: maybe_number items: maybe_list counts: maybe_matrix own_targets: maybe_number)
        output::statistics(statistics, scratch, &Output::new(
            [hidden, weights, bias], &target, likelihood, from, items.as_deref(), counts, is_set(own_targets),
        ));
    Kernel mergeOutputStatistics(statistics: matrix other: matrix likelihood: number)
        output::merge(statistics, other, Likelihood::of(likelihood));
    Kernel outputTargets(statistics: matrix scratch: matrix
        hidden: matrix weights: matrix bias: matrix target: batch likelihood: number
        from: maybe_number items: maybe_list counts: maybe_matrix own_targets: maybe_number)
        output::targets(statistics, scratch, &Output::new(
            [hidden, weights, bias], &target, likelihood, from, items.as_deref(), counts, is_set(own_targets),
        ));
    Kernel outputLoss(loss: matrix statistics: matrix likelihood: number)
        output::loss(loss, statistics, Likelihood::of(likelihood));
    Kernel outputGradient(scratch: matrix
        hidden: matrix weights: matrix bias: matrix target: batch likelihood: number
        from: maybe_number items: maybe_list counts: maybe_matrix own_targets: maybe_number
        own: matrix merged: matrix g: matrix
        hidden_gradient: maybe_matrix add_to_hidden: maybe_number
        weights_gradient: maybe_matrix add_to_weights: maybe_number bias_gradient: maybe_matrix)
        output::gradient(
            scratch,
            &Output::new(
                [hidden, weights, bias], &target, likelihood, from, items.as_deref(), counts, is_set(own_targets),
            ),
            own, merged, g,
            &output::Gradients {
                hidden: hidden_gradient, add_to_hidden: is_set(add_to_hidden),
                weights: weights_gradient, add_to_weights: is_set(add_to_weights), bias: bias_gradient,
            },
        );
    Kernel denseBernoulliLoss(loss: matrix logits: matrix target: matrix)
        output::dense_bernoulli_loss(loss, logits, target);
    Kernel denseBernoulliLossGradient(out: matrix logits: matrix target: matrix g: matrix)
        output::dense_bernoulli_loss_gradient(out, logits, target, g);

    Kernel adam(value: matrix m: matrix v: matrix tensor: matrix touched: maybe_list
        learning_rate: number beta1: number beta2: number epsilon: number update: number decay: number
        weight_decay: maybe_number squares: maybe_matrix norm_epsilon: maybe_number) {
            let scale = squares.map_or(1.0, |squares| {
                1.0 / ((squares.row(0)[0] as f64).sqrt() + norm_epsilon.unwrap_or(0.0))
            });
            let weight_decay = weight_decay.unwrap_or(0.0);
            let step = adam::Step { learning_rate, beta1, beta2, epsilon, update, decay, weight_decay, scale };
            match touched {
                None => adam::adam_dense(value, m, v, tensor, step),
                Some(touched) => adam::adam_rows(value, m, v, tensor, &touched, step),
            }
        };
    Kernel sparseAdam(value: matrix m: matrix v: matrix gradient: matrix touched: list
        learning_rate: number beta1: number beta2: number epsilon: number update: number) {
            let step = adam::Step { decay: 0.0, weight_decay: 0.0, scale: 1.0, learning_rate, beta1, beta2, epsilon, update };
            adam::sparse_adam(value, m, v, gradient, &touched, step)
        };
    Kernel adadelta(value: matrix squares: matrix deltas: matrix gradient: matrix rho: number epsilon: number decay: number)
        adadelta::adadelta(value, squares, deltas, gradient, adadelta::Step { rho, epsilon, decay });

    Question topK(scores: matrix k: number without: maybe_batch)
        Answer::from(top_k::top_k(scores, (k as usize).min(scores.columns), without.as_deref()));
    Kernel coarse(out: matrix weights: matrix) coarse::coarse(out, weights);
    Question bestProducts(a: matrix weights: matrix coarse: matrix bias: matrix k: number without: maybe_batch)
        Answer::from(coarse::best_products(
            a, weights, coarse, bias, (k as usize).min(weights.rows), without.as_deref(),
        ));

    Kernel alsHalfSweep(factors: matrix interactions: batch fixed: matrix gram: matrix gram_weight: number
        outer_constant: number outer_slope: number target_constant: number target_slope: number
        ridge: floats prior: maybe_matrix rows: maybe_list steps: maybe_number objective: maybe_matrix
        covariances: maybe_matrix posterior: maybe_matrix)
        als::half_sweep(factors, &interactions, &als::Sweep {
            fixed, gram, gram_weight: gram_weight as f32,
            outer: als::EntryWeight { constant: outer_constant as f32, slope: outer_slope as f32 },
            target: als::EntryWeight { constant: target_constant as f32, slope: target_slope as f32 },
            ridge, prior, rows, steps: steps.map(|steps| steps as u32), objective, covariances, posterior,
        });
    Kernel nonNegativeIterations(factors: matrix gram: matrix products: matrix l1: number l2: number iterations: number
        tolerance: number violation: maybe_matrix)
        non_negative::non_negative_iterations(factors, &non_negative::Iterations {
            gram, products, l1: l1 as f32, l2: l2 as f32, iterations: iterations as u32, tolerance: tolerance as f32, violation,
        });
    Kernel gram(out: matrix x: batch weights: maybe_matrix) gram::gram(out, &x, weights);
    Kernel sparseProduct(out: matrix a: batch b: batch) gram::sparse_product(out, &a, &b);
    Question invertPivots(a: matrix first: number count: number)
        Answer::number(inverse::invert_pivots(a, first as usize, count as usize).map_or(-1.0, |pivot| pivot as f64));
    Kernel expandLower(a: matrix rows: matrix columns: matrix) inverse::expand_lower(a, rows, columns);
    Kernel tangentKernel(a: matrix rows: matrix columns: matrix scale: number bias: number depth: number)
        tangent_kernel::tangent_kernel(a, rows, columns, tangent_kernel::Network { scale, bias, depth: depth as usize });
    Question neighbours(x: batch size: number left: floats right: floats shrink: number k: number from: number to: number) {
            let similarity =
                neighbours::Similarity { left, right, union: size == 1.0, shrink: shrink as f32, k: k as usize };
            Answer::rows(neighbours::neighbours(&x, &similarity, from as usize, to as usize), 0)
        };
    Question elasticNet(gram: matrix l1: number l2: number tolerance: number max_iterations: number k: number from: number to: number) {
            let net = elastic_net::ElasticNet { l1, l2, tolerance, max_iterations: max_iterations as usize, k: k as usize };
            let (rows, unfinished) = elastic_net::elastic_net(gram, net, from as usize, to as usize);
            Answer::rows(rows, unfinished)
        };
}

fn row_sum(row_scale: Option<f64>, rate: Option<f64>, word: [Option<f64>; 3]) -> sparse_row_sum::Options {
    let [seed, step, stream] = word.map(|number| number.unwrap_or(0.0));
    sparse_row_sum::Options {
        unit_rows: row_scale == Some(1.0),
        dropout: rate.map(|rate| dropout(rate, key(seed, step, stream))),
    }
}

fn mixture(weights: [f64; 3], broad_log_variance: f64) -> composite_kl::Mixture {
    composite_kl::Mixture {
        log_weights: weights.map(|weight| weight.ln() as f32),
        broad_log_variance: broad_log_variance as f32,
    }
}
