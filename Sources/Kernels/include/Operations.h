#ifndef CALLOSUM_OPERATIONS_H
#define CALLOSUM_OPERATIONS_H
// Names of the elementwise and reducing operations, shared by C and Swift.

enum callosum_type { callosum_float, callosum_double, callosum_int, callosum_bool };

// What a unary operation does to float; the mathematics is in vector/VectorMath.h.
enum callosum_unary_operation {
  callosum_negate, callosum_absolute, callosum_sign, callosum_square, callosum_reciprocal,
  callosum_sqrt, callosum_rsqrt, callosum_exp, callosum_expm1, callosum_log, callosum_log1p,
  callosum_sin, callosum_cos, callosum_tan, callosum_asin, callosum_acos, callosum_atan,
  callosum_sinh, callosum_cosh, callosum_tanh, callosum_erf, callosum_sigmoid,
  callosum_floor, callosum_ceil, callosum_round, callosum_relu, callosum_gelu, callosum_silu,
  callosum_softplus, callosum_erfc, callosum_erfcx, callosum_log_erfc, callosum_log_gamma, callosum_digamma,
  callosum_bessel_j0, callosum_bessel_j1, callosum_is_nan, callosum_is_finite, callosum_not
};

enum callosum_binary_operation {
  callosum_add, callosum_subtract, callosum_multiply, callosum_divide, callosum_power,
  callosum_remainder, callosum_maximum, callosum_minimum, callosum_atan2,
  callosum_equal, callosum_not_equal, callosum_less, callosum_less_equal, callosum_greater,
  callosum_greater_equal, callosum_and, callosum_or,
  // Derivatives that would otherwise take several passes: f(a, b) with b the incoming gradient,
  // a the input (relu, gelu, silu, softplus) or the output (tanh, sigmoid) of the operation.
  callosum_relu_gradient, callosum_gelu_gradient, callosum_silu_gradient,
  callosum_tanh_gradient, callosum_sigmoid_gradient
};

enum callosum_reduction { callosum_sum, callosum_product, callosum_largest, callosum_smallest, callosum_any, callosum_all };

enum callosum_bit_operation {
  callosum_bits_and, callosum_bits_or, callosum_bits_xor, callosum_bits_left, callosum_bits_right,
  callosum_bits_count
};

// What happens to a value at the place where another is put.
enum callosum_placement {
  callosum_place_last, callosum_place_sum, callosum_place_largest, callosum_place_smallest
};

enum callosum_scan { callosum_running_sum, callosum_running_product, callosum_running_log_sum_exp };

// Derivatives that stand in for that of the step function, f(x) with slope s:
// 1 / (1 + s|x|)², s/2 / (1 + (pi/2 s x)²), max(0, 1 - s|x|), s sigmoid(s x) (1 - sigmoid(s x)),
// s where |s x| < 1/2 else 0, s exp(-(s x)²/2) / sqrt(2 pi), 1.
enum callosum_surrogate {
  callosum_fast_sigmoid, callosum_arctangent, callosum_triangle, callosum_logistic,
  callosum_rectangle, callosum_gaussian, callosum_straight_through
};

// What a spike does to the potential: takes the threshold off, sets it to 0, nothing.
enum callosum_reset { callosum_reset_subtract, callosum_reset_zero, callosum_reset_none };

#endif
