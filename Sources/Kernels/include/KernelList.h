// The list of vector kernels. Each entry is KERNEL(name, parameters, arguments): the public
// header turns it into a declaration, Dispatch.c into a table entry and a wrapper that calls the
// best instruction set. The code is in vector/, one file per section below.

// MARK: Elementwise (vector/Unary.h, vector/Binary.h)
// `type` is 0 float, 1 double, 2 int32, 3 bool (uint8); `operation` one of the constants of
// Operations.h. Strides count elements, 0 broadcasts.

// y[i] = f(x[i]), n contiguous elements.
KERNEL(unary, (int operation, int type, size_t n, const void *x, void *y), (operation, type, n, x, y))
// y = f(a, b) over `rank` axes (rank <= 16); y is contiguous. Comparisons write bool.
KERNEL(binary, (int operation, int type, int rank, const size_t *shape, const void *a, const ptrdiff_t *strides_a, const void *b, const ptrdiff_t *strides_b, void *y),
       (operation, type, rank, shape, a, strides_a, b, strides_b, y))
// y = condition ? a : b.
KERNEL(choose, (int type, int rank, const size_t *shape, const uint8_t *condition, const ptrdiff_t *strides_condition, const void *a, const ptrdiff_t *strides_a, const void *b, const ptrdiff_t *strides_b, void *y),
       (type, rank, shape, condition, strides_condition, a, strides_a, b, strides_b, y))
// y[i] = a[i] and, or, xor b[i], a[i] shifted by b[i] places (right: with zeros), or the number of ones
// in a[i] (b unused).
KERNEL(bits, (int operation, size_t n, const int32_t *a, const int32_t *b, int32_t *y), (operation, n, a, b, y))
// y[i] = (to) x[i]; to bool is x != 0, float to int truncates.
KERNEL(convert, (int from, int to, size_t n, const void *x, void *y), (from, to, n, x, y))

// MARK: Reduction (vector/Reduction.h)
// x is [outer, count, inner], y is [outer, inner].
KERNEL(reduce, (int operation, int type, size_t outer, size_t count, size_t inner, const void *x, void *y),
       (operation, type, outer, count, inner, x, y))
// Index of the largest (or smallest) entry along `count`, the first among equals; NaN wins.
KERNEL(arg_reduce, (bool largest, int type, size_t outer, size_t count, size_t inner, const void *x, int32_t *y),
       (largest, type, outer, count, inner, x, y))

// y[i, j] = sum over k of (a[i, k] - b[k, j])² (float and double), for points a [n, width] and b, turned,
// [width, m].
KERNEL(squared_distances, (int type, size_t n, size_t m, size_t width, const void *a, const void *b, void *y),
       (type, n, m, width, a, b, y))

// MARK: Scan (vector/Scan.h), along the middle axis of [outer, count, inner], from the last step to
// the first with `reverse`
// y_t = x_0 + ... + x_t, or the product, or the log-sum-exp (float and double).
KERNEL(running, (int operation, int type, bool reverse, size_t outer, size_t count, size_t inner, const void *x, void *y),
       (operation, type, reverse, outer, count, inner, x, y))
// y_t = place of the largest of x_0 ... x_t, the last among equals; the last NaN wins.
KERNEL(running_arg_max, (int type, size_t outer, size_t count, size_t inner, const void *x, int32_t *y),
       (type, outer, count, inner, x, y))
// places[s, c] = row of the largest x[r, c] with segments[r] == s, the first among equals, NaN before
// all; -1 where there is none. x is [rows, columns] (float and double), places [count, columns].
KERNEL(segment_arg_max, (int type, size_t rows, size_t columns, const void *x, const int32_t *segments, size_t count, int32_t *places),
       (type, rows, columns, x, segments, count, places))
// h_t = a_t h_(t-1) + b_t (float and double), initial is [outer, inner].
KERNEL(linear_recurrence, (int type, bool reverse, size_t outer, size_t count, size_t inner, const void *a, const void *b, const void *initial, void *h),
       (type, reverse, outer, count, inner, a, b, initial, h))
// gb_t = gh_t + a_(t+1) gb_(t+1), ga_t = gb_t h_(t-1), ginitial = a_0 gb_0.
KERNEL(linear_recurrence_backward, (bool reverse, size_t outer, size_t count, size_t inner, const float *a, const float *initial, const float *h, const float *gh, float *ga, float *gb, float *ginitial),
       (reverse, outer, count, inner, a, initial, h, gh, ga, gb, ginitial))

// MARK: Spiking neurons (vector/LeakyIntegrateAndFire.h), over [batch, time, lanes]
KERNEL(integrate_and_fire, (const callosum_spiking *job, const callosum_spiking_inputs *inputs, const callosum_spiking_outputs *outputs),
       (job, inputs, outputs))
KERNEL(integrate_and_fire_backward, (const callosum_spiking *job, const callosum_spiking_inputs *inputs, const callosum_spiking_outputs *outputs, const callosum_spiking_gradients *gradients),
       (job, inputs, outputs, gradients))

// MARK: Movement (vector/Movement.h); `size` is the element's size in bytes: 1, 4 or 8
// y (contiguous) = strided view x.
KERNEL(copy, (int size, int rank, const size_t *shape, const void *x, const ptrdiff_t *strides, void *y),
       (size, rank, shape, x, strides, y))
// strided view y = x (contiguous); no element of y may be met twice.
KERNEL(copy_into, (int size, int rank, const size_t *shape, const void *x, void *y, const ptrdiff_t *strides),
       (size, rank, shape, x, y, strides))
// strided view y = strided view x; no element of y may be met twice.
KERNEL(copy_between, (int size, int rank, const size_t *shape, const void *x, const ptrdiff_t *strides_x, void *y, const ptrdiff_t *strides_y),
       (size, rank, shape, x, strides_x, y, strides_y))
// strided view y += x (contiguous); elements of y may be met many times along any axis.
KERNEL(accumulate_into, (int type, int rank, const size_t *shape, const void *x, void *y, const ptrdiff_t *strides),
       (type, rank, shape, x, y, strides))
// y[o, i, :] = x[o, index[i], :], x is [outer, rows, inner], y is [outer, count, inner].
KERNEL(take, (int size, size_t outer, size_t rows, size_t inner, const void *x, const int32_t *index, size_t count, void *y),
       (size, outer, rows, inner, x, index, count, y))
// x[o, i, :] put at y[o, index[i], :] in the order of i: in place of what is there, added to it, or
// where it is larger or smaller (`placement`; Operations.h).
KERNEL(put, (int placement, int type, size_t outer, size_t rows, size_t inner, const void *x, const int32_t *index, size_t count, void *y),
       (placement, type, outer, rows, inner, x, index, count, y))
// y[o, i, j] = x[o, index[o, i, j], j], x is [outer, rows, inner], index and y [outer, count, inner].
KERNEL(take_along, (int size, size_t outer, size_t rows, size_t inner, const void *x, const int32_t *index, size_t count, void *y),
       (size, outer, rows, inner, x, index, count, y))
// x[o, i, j] put at y[o, index[o, i, j], j] in the order of i, as `put` does.
KERNEL(put_along, (int placement, int type, size_t outer, size_t rows, size_t inner, const void *x, const int32_t *index, size_t count, void *y),
       (placement, type, outer, rows, inner, x, index, count, y))

// MARK: Sorting (vector/Sorting.h), over the rows of [rows, columns]; NaN comes last, equals keep
// their order
// index[row, :] = the order that sorts x[row, :].
KERNEL(arg_sort, (int type, bool descending, size_t rows, size_t columns, const void *x, int32_t *index),
       (type, descending, rows, columns, x, index))
// index[row, :] = the first `kept` (<= columns) entries of that order.
KERNEL(arg_top, (int type, bool descending, size_t rows, size_t columns, size_t kept, const void *x, int32_t *index),
       (type, descending, rows, columns, kept, x, index))

// MARK: Random (vector/Random.h), Philox 4x32-10: element i depends on key, counter and i alone
KERNEL(random_bits, (uint64_t key, uint64_t counter, size_t n, uint32_t *y), (key, counter, n, y))
// Uniform in [0, 1), with 24 (float) or 53 (double) random bits.
KERNEL(random_uniform, (uint64_t key, uint64_t counter, int type, size_t n, void *y), (key, counter, type, n, y))
// Standard normal, by Box and Muller.
KERNEL(random_normal, (uint64_t key, uint64_t counter, int type, size_t n, void *y), (key, counter, type, n, y))

// MARK: Softmax (vector/Softmax.h), over the rows of [rows, columns]
KERNEL(softmax, (const float *x, float *y, size_t rows, size_t columns), (x, y, rows, columns))
// gx = y (gy - sum(gy y))
KERNEL(softmax_backward, (const float *y, const float *gy, float *gx, size_t rows, size_t columns), (y, gy, gx, rows, columns))
KERNEL(log_softmax, (const float *x, float *y, size_t rows, size_t columns), (x, y, rows, columns))
// gx = gy - exp(y) sum(gy)
KERNEL(log_softmax_backward, (const float *y, const float *gy, float *gx, size_t rows, size_t columns), (y, gy, gx, rows, columns))
// y[row] = log sum exp x[row, :]; minus infinity for an empty or all -infinity row.
KERNEL(log_sum_exp, (const float *x, float *y, size_t rows, size_t columns), (x, y, rows, columns))
// gx[row, :] = gy[row] exp(x[row, :] - y[row])
KERNEL(log_sum_exp_backward, (const float *x, const float *y, const float *gy, float *gx, size_t rows, size_t columns), (x, y, gy, gx, rows, columns))
// loss[row] = lse - (1 - smoothing) x[label] - smoothing mean(x), lse[row] = log sum exp x[row, :].
// A row whose label is `ignored` has loss 0.
KERNEL(cross_entropy, (const float *x, const int32_t *labels, float smoothing, int32_t ignored, float *loss, float *lse, size_t rows, size_t columns),
       (x, labels, smoothing, ignored, loss, lse, rows, columns))
// gx = gloss[row] (exp(x - lse) - (1 - smoothing) onehot - smoothing / columns); 0 where ignored.
KERNEL(cross_entropy_backward, (const float *x, const int32_t *labels, float smoothing, int32_t ignored, const float *lse, const float *gloss, float *gx, size_t rows, size_t columns),
       (x, labels, smoothing, ignored, lse, gloss, gx, rows, columns))

// MARK: Normalisation (vector/Normalisation.h), over the rows of [rows, columns]
// y = (x - mean) rstd weight + bias, rstd = 1 / sqrt(variance + epsilon), biased variance.
// weight and bias may be NULL; mean and rstd ([rows]) are written for the derivative.
KERNEL(layer_norm, (const float *x, const float *weight, const float *bias, float epsilon, float *y, float *mean, float *rstd, size_t rows, size_t columns),
       (x, weight, bias, epsilon, y, mean, rstd, rows, columns))
// Any of gx, gweight, gbias may be NULL when not wanted.
KERNEL(layer_norm_backward, (const float *x, const float *weight, const float *mean, const float *rstd, const float *gy, float *gx, float *gweight, float *gbias, size_t rows, size_t columns),
       (x, weight, mean, rstd, gy, gx, gweight, gbias, rows, columns))
// y = x rstd weight, rstd = 1 / sqrt(mean(x²) + epsilon).
KERNEL(rms_norm, (const float *x, const float *weight, float epsilon, float *y, float *rstd, size_t rows, size_t columns),
       (x, weight, epsilon, y, rstd, rows, columns))
KERNEL(rms_norm_backward, (const float *x, const float *weight, const float *rstd, const float *gy, float *gx, float *gweight, size_t rows, size_t columns),
       (x, weight, rstd, gy, gx, gweight, rows, columns))

// MARK: Bias (vector/Bias.h), bias broadcast over the rows of [rows, columns]
// y = x + bias (y may be x).
KERNEL(bias, (const float *x, const float *bias, float *y, size_t rows, size_t columns), (x, bias, y, rows, columns))
// y[column] = sum over rows of x.
KERNEL(column_sum, (const float *x, float *y, size_t rows, size_t columns), (x, y, rows, columns))
// x += bias, y = gelu(x) in one pass over the memory (x keeps the biased value).
KERNEL(bias_gelu, (float *x, const float *bias, float *y, size_t rows, size_t columns), (x, bias, y, rows, columns))
// gx = gy gelu'(x), gbias = column sums of gx (gbias may be NULL), x being the biased value.
KERNEL(bias_gelu_backward, (const float *x, const float *gy, float *gx, float *gbias, size_t rows, size_t columns), (x, gy, gx, gbias, rows, columns))

// y = max(x + bias, 0) (y may be x).
KERNEL(bias_relu, (const float *x, const float *bias, float *y, size_t rows, size_t columns), (x, bias, y, rows, columns))
// gx = gy where y > 0, else 0; gbias = column sums of gx (gbias may be NULL).
KERNEL(bias_relu_backward, (const float *y, const float *gy, float *gx, float *gbias, size_t rows, size_t columns), (y, gy, gx, gbias, rows, columns))

// MARK: Splines (vector/Splines.h)
// y[i, j] = the value of basis function j at x[i]; y is [n, intervals + degree].
KERNEL(bspline_basis, (const callosum_splines *s, size_t n, const float *x, float *y), (s, n, x, y))
KERNEL(bspline_basis_backward, (const callosum_splines *s, size_t n, const float *x, const float *gy, float *gx), (s, n, x, gy, gx))

// MARK: Hash grids (vector/HashGrid.h)
// y [points, levels features]: for each level the mean of the corners' features by multilinear weights.
KERNEL(hash_grid, (const callosum_grid_levels *grid, const float *x, const float *entries, float *y), (grid, x, entries, y))
KERNEL(hash_grid_backward_table, (const callosum_grid_levels *grid, const float *x, const float *gy, float *gentries), (grid, x, gy, gentries))
KERNEL(hash_grid_backward_points, (const callosum_grid_levels *grid, const float *x, const float *entries, const float *gy, float *gx), (grid, x, entries, gy, gx))
// The rows (below entries) of one level's table that the corners [points, axes] stand for.
KERNEL(hash_grid_rows, (const callosum_grid_levels *grid, size_t level, const int32_t *corners, int32_t *rows), (grid, level, corners, rows))

// MARK: Small products (vector/SmallProduct.h), where a library call costs more than the product
// C[i] = A[i] B[i] for `batch` pairs, C contiguous [m, n]; A and B have any strides (element counts).
KERNEL(small_product, (size_t batch, size_t m, size_t n, size_t k, const float *a, ptrdiff_t a_batch, ptrdiff_t a_row, ptrdiff_t a_column, const float *b, ptrdiff_t b_batch, ptrdiff_t b_row, ptrdiff_t b_column, float *c),
       (batch, m, n, k, a, a_batch, a_row, a_column, b, b_batch, b_row, b_column, c))

// MARK: Sparse products (vector/SparseProduct.h), with lists of the elements of a matrix that are not 0:
// those of row r are index[j], value[j] for j in starts[r]..<starts[r + 1].
// Writes starts [rows + 1] of x [rows, columns].
KERNEL(sparse_count, (size_t rows, size_t columns, const float *x, int32_t *starts), (rows, columns, x, starts))
// Writes index and value, [starts[rows]].
KERNEL(sparse_list, (size_t rows, size_t columns, const float *x, const int32_t *starts, int32_t *index, float *value),
       (rows, columns, x, starts, index, value))
// The lists of the transpose of each block of rows, one after the other: out_starts is
// [blocks columns + 1], that of column c of block b at b columns + c; out_order says which entry of the
// lists by row each one is.
KERNEL(sparse_transpose, (size_t rows, size_t columns, size_t block, const int32_t *starts, const int32_t *index, int32_t *out_starts, int32_t *out_index, int32_t *out_order),
       (rows, columns, block, starts, index, out_starts, out_index, out_order))
// y[i, r, :] (+)= sum over the entries of row r of value x[i, index, :], and dots of each entry =
// sum over i of own[i, r, :] . x[i, index, :]. y and own are [batch, rows, width], dots is in the
// order of value; y, or own and dots, may be NULL.
KERNEL(sparse_product, (const callosum_sparse *matrix, const float *x, bool adds, float *y, const float *own, float *dots),
       (matrix, x, adds, y, own, dots))

// MARK: Recurrent cells (vector/Recurrent.h), over the rows of all steps
// states holds W x and both biases and becomes h' = tanh(states + U h), or ReLU.
KERNEL(rnn, (const callosum_sequence *s), (s))
// gsums [rows, hidden]: gradients of W x + b.
KERNEL(rnn_backward, (const callosum_sequence *s, const float *gstates, float *gsums, float *gstart),
       (s, gstates, gsums, gstart))
// gates [rows, 3 hidden] holds W x + b in the order r, z, n and is overwritten by the active
// gates: r, z = sigmoid(gates + U h + bias), n = tanh(gates + r inner), with inner = U h + bias of the
// gate n, which is kept; h' = (1 - z) n + z h.
KERNEL(gru, (const callosum_sequence *s, const float *bias, float *inner), (s, bias, inner))
// gx and gproduct [rows, 3 hidden]: gradients of W x + b and of U h + bias.
KERNEL(gru_backward, (const callosum_sequence *s, const float *inner, const float *gstates, float *gx, float *gproduct, float *gstart),
       (s, inner, gstates, gx, gproduct, gstart))
// gates [rows, 4 hidden] holds W x and both biases in the order i, f, g, o and is overwritten by
// the active gates; c' = f c + i g, h' = o tanh(c').
KERNEL(lstm, (const callosum_sequence *s, const float *start_c, float *cells), (s, start_c, cells))
// gstates may be NULL for zeros; gcell [batch, hidden] holds the gradient of the last c and is
// overwritten by that of start_c.
KERNEL(lstm_backward, (const callosum_sequence *s, const float *start_c, const float *cells, const float *gstates, float *gcell, float *ggates, float *gstart),
       (s, start_c, cells, gstates, gcell, ggates, gstart))

// MARK: Leaky memory (vector/LeakyMemory.h), over [time, batch, ...]
// sums holds the input of the hidden layer from elsewhere and gets inner (keep m) added; bent becomes
// 1.7159 tanh(2/3 (outer active(sums) + bias)); m' = keep m + gain bent.
KERNEL(leaky_memory, (const callosum_leaky_sequence *s), (s))
// Gradients of sums, of what tanh bends, of all that depends on each m', of keep m, and of start.
KERNEL(leaky_memory_backward, (const callosum_leaky_sequence *s, const float *arriving, float *gsums, float *gbent, float *gstates, float *gkept, float *gstart),
       (s, arriving, gsums, gbent, gstates, gkept, gstart))

// MARK: Selective scan (vector/SelectiveScan.h)
// h_t = exp(delta_t a) h_(t-1) + delta_t b_t x_t, y_t = (sum over states of c_t h_t + skip x_t) silu(gate).
// kept (NULL where no derivative follows): [batch, ceil(time / kept_every), states, channels];
// last [batch, states, channels].
KERNEL(selective_scan, (const callosum_selective_job *job, float *y, float *kept, float *last),
       (job, y, kept, last))
// glast may be NULL for zeros. Gradients of a, bias and skip (the latter two may be NULL) come for each
// row of the batch, [batch, states, channels] and [batch, channels], those of b and c in parts (see
// callosum_selective_span), [parts, batch, time, groups, states]. ggate is NULL without a gate.
KERNEL(selective_scan_backward, (const callosum_selective_job *job, const float *kept, const float *gy, const float *glast, const callosum_selective_gradients *to),
       (job, kept, gy, glast, to))

// MARK: Attention (vector/Attention.h), never holding all scores
// y is [batch, queries, heads, value_width] contiguous; lse is [2, batch, heads, queries]: the largest
// score and the logarithm of the sum of exponentials of distances from it, both in units of log 2.
KERNEL(attention, (const callosum_attention_job *job, float *y, float *lse), (job, y, lse))
// gy and y as above; gq, gk, gv have the strides of q, k and v in `job` and are overwritten.
KERNEL(attention_backward, (const callosum_attention_job *job, const float *y, const float *lse, const float *gy, float *gq, float *gk, float *gv),
       (job, y, lse, gy, gq, gk, gv))

// MARK: Linear attention (vector/LinearAttention.h and LinearAttentionBackward.h)
// y is [batch, heads, time, value_width], last [batch, heads, key_width, value_width]. For a
// derivative: residuals v_t - k_t a_t S_(t-1) of the delta rule, [batch, heads, time, value_width]
// (NULL without beta), and kept states, [batch, heads, ceil(time / kept_every), key_width, value_width]
// (both NULL where no derivative follows).
KERNEL(linear_attention, (const callosum_linear_attention_job *job, float *y, float *residuals, float *kept, float *last),
       (job, y, residuals, kept, last))
// glast may be NULL for zeros. gq, gk, gv have the strides of q, k and v, gdecay and gbeta
// (NULL where absent) the shapes of log_decay and beta.
KERNEL(linear_attention_backward, (const callosum_linear_attention_job *job, const float *residuals, const float *kept, const float *gy, const float *glast, float *gq, float *gk, float *gv, float *gdecay, float *gbeta, float *ginitial),
       (job, residuals, kept, gy, glast, gq, gk, gv, gdecay, gbeta, ginitial))

// MARK: Depthwise convolution (vector/DepthwiseConvolution.h), weights
// [kernel_z, kernel_y, kernel_x, channels]
// bias may be NULL.
KERNEL(depthwise, (const callosum_window *window, const float *x, const float *w, const float *bias, float *y), (window, x, w, bias, y))
KERNEL(depthwise_backward_input, (const callosum_window *window, const float *w, const float *gy, float *gx), (window, w, gy, gx))
KERNEL(depthwise_backward_weights, (const callosum_window *window, const float *x, const float *gy, float *gw), (window, x, gy, gw))

// MARK: Pooling (vector/Pooling.h)
// Largest value of each window; index is the place in the image of the first largest value.
KERNEL(max_pool, (const callosum_pooling *windows, const float *x, float *y, int32_t *index), (windows, x, y, index))
KERNEL(max_pool_backward, (const callosum_pooling *windows, const float *gy, const int32_t *index, float *gx), (windows, gy, index, gx))
// Sum of each window over the product of its divisors.
KERNEL(average_pool, (const callosum_pooling *windows, const float *x, float *y), (windows, x, y))
KERNEL(average_pool_backward, (const callosum_pooling *windows, const float *gy, float *gx), (windows, gy, gx))

// MARK: Sampling (vector/Sampling.h)
// y[o, i, :] = sum over t in starts[i]..<starts[i + 1] of weight[t] x[o, index[t], :] (float and
// double); x is [outer, from, inner], y [outer, to, inner].
KERNEL(resample, (int type, size_t outer, size_t from, size_t to, size_t inner, const int32_t *starts, const int32_t *index, const void *weight, const void *x, void *y),
       (type, outer, from, to, inner, starts, index, weight, x, y))
// y [batch, places, channels] = x [batch, spatial..., channels] at coordinates [batch, places, axes].
KERNEL(grid_sample, (const callosum_grid *grid, const float *x, const float *coordinates, float *y), (grid, x, coordinates, y))
// gx or gcoordinates may be NULL when not wanted.
KERNEL(grid_sample_backward, (const callosum_grid *grid, const float *x, const float *coordinates, const float *gy, float *gx, float *gcoordinates),
       (grid, x, coordinates, gy, gx, gcoordinates))

// MARK: Fourier transforms (vector/Fourier.h)
KERNEL(fourier, (const callosum_fourier_job *job, const void *x, void *y), (job, x, y))
// Each channel of u by its own weights w.
KERNEL(fourier_convolution, (const callosum_fourier_convolution_job *job, const float *u, const float *w, float *y), (job, u, w, y))
// gu or gw may be NULL when not wanted.
KERNEL(fourier_convolution_backward, (const callosum_fourier_convolution_job *job, const float *u, const float *w, const float *gy, float *gu, float *gw),
       (job, u, w, gy, gu, gw))

// MARK: Complex numbers (vector/Complex.h), pairs of neighbours
// y = a b, or conj(a) b, over `rank` axes of pairs (rank < 16); strides count numbers, y is contiguous.
KERNEL(complex_multiply, (int type, bool conjugates, int rank, const size_t *shape, const void *a, const ptrdiff_t *strides_a, const void *b, const ptrdiff_t *strides_b, void *y),
       (type, conjugates, rank, shape, a, strides_a, b, strides_b, y))

// MARK: Hadamard transform (vector/Hadamard.h)
// y[row, i] = scale sum over j of (-1)^(ones that i and j share) x[row, j]; n is a power of 2.
KERNEL(hadamard, (int type, size_t rows, size_t n, double scale, const void *x, void *y), (type, rows, n, scale, x, y))

// MARK: Optimisers (vector/Optimisers.h)
// One Adam step over one parameter: g' = g + l2 x; m = beta1 m + (1 - beta1) g'; v alike with g'²;
// x = x (1 - decay) - rate m / (sqrt(v) * inverse_root + epsilon). `decay` is learning rate times
// decoupled weight decay; `rate` = learning rate / (1 - beta1^t), `inverse_root` = 1 / sqrt(1 - beta2^t).
KERNEL(adam, (float *x, const float *g, float *m, float *v, size_t n, float rate, float beta1, float beta2, float inverse_root, float epsilon, float l2, float decay),
       (x, g, m, v, n, rate, beta1, beta2, inverse_root, epsilon, l2, decay))
// g' = g + l2 x; with v: v = momentum v + g' and a step along v or, with `nesterov`, g' + momentum v;
// without, along g'. x -= rate step.
KERNEL(sgd, (float *x, const float *g, float *v, size_t n, float rate, float momentum, bool nesterov, float l2),
       (x, g, v, n, rate, momentum, nesterov, l2))
// g' = g + l2 x; v = alpha v + (1 - alpha) g'²; with m (centred): m alike with g', and v - m² in place
// of v; step = g' / (sqrt(v) + epsilon), with b: b = momentum b + step; x -= rate step (or b).
KERNEL(rmsprop, (float *x, const float *g, float *v, float *m, float *b, size_t n, float rate, float alpha, float epsilon, float momentum, float l2),
       (x, g, v, m, b, n, rate, alpha, epsilon, momentum, l2))
// x = x (1 - decay) - rate sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g.
KERNEL(lion, (float *x, const float *g, float *m, size_t n, float rate, float beta1, float beta2, float decay),
       (x, g, m, n, rate, beta1, beta2, decay))
// size is multiplied by `grow` where g and previous agree in sign, by `shrink` where they disagree
// (and g counts as 0 there), and clamped; x -= factor sign(g) size; previous = g.
KERNEL(rprop, (float *x, const float *g, float *previous, float *size, size_t n, float factor, float shrink, float grow, float smallest, float largest),
       (x, g, previous, size, n, factor, shrink, grow, smallest, largest))
// average += weight (x - average).
KERNEL(move_average, (float *average, const float *x, size_t n, float weight), (average, x, n, weight))

// MARK: Compression (vector/Compression.h, vector/Quantisation.h)
// The upper half of each float, rounded to even; and back.
KERNEL(to_bfloat16, (const float *x, uint16_t *y, size_t n), (x, y, n))
KERNEL(from_bfloat16, (const uint16_t *x, float *y, size_t n), (x, y, n))
// y = round(x / scale) in -127...127, where the scale of each `block` neighbours is their largest
// magnitude / 127 (NaN if they are not all finite); scales has n / block entries, rounded up.
KERNEL(to_blocks, (const float *x, int8_t *y, float *scales, size_t n, size_t block), (x, y, scales, n, block))
KERNEL(from_blocks, (const int8_t *x, const float *scales, float *y, size_t n, size_t block), (x, scales, y, n, block))
// Levels q = clamp(floor((x - low) (2^bits - 1) / range + u)) of x [outer, groups, inner], with low and
// range [groups], in `bits` (1, 2, 4, 8) each, the first in a byte's lowest; u is uniform in [0, 1), element
// i a function of (key, counter + i / 4), or 1/2 without `stochastic`. A range of 0 gives 0. Adds to
// `clamped` the elements that lay more than half a step outside.
KERNEL(to_levels, (const float *x, uint8_t *y, const float *low, const float *range, size_t outer, size_t groups, size_t inner, int bits, bool stochastic, uint64_t key, uint64_t counter, size_t *clamped),
       (x, y, low, range, outer, groups, inner, bits, stochastic, key, counter, clamped))
// y = low + q range / (2^bits - 1).
KERNEL(from_levels, (const uint8_t *x, float *y, const float *low, const float *range, size_t outer, size_t groups, size_t inner, int bits),
       (x, y, low, range, outer, groups, inner, bits))
