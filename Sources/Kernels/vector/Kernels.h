// Every vector kernel, for the instruction set that the including file has switched on. It has
// defined LANES (floats in a vector) and TABLE (the name of the table to fill). Functions are
// static, so the same names serve every instruction set.

#include "Vector.h"
#include "VectorMath.h"
#include "PartialSums.h"

#include "Axes.h"
#include "SpecialFunctions.h"
#include "Unary.h"
#include "Binary.h"
#include "Reduction.h"
#include "Distances.h"
#include "Scan.h"
#include "LeakyIntegrateAndFire.h"
#include "Movement.h"
#include "Random.h"
#include "Sorting.h"
#include "Softmax.h"
#include "Normalisation.h"
#include "Bias.h"
#include "Splines.h"
#include "HashGrid.h"
#include "SmallProduct.h"
#include "SparseProduct.h"
#include "Recurrent.h"
#include "LeakyMemory.h"
#include "SelectiveScan.h"
#include "Attention.h"
#include "LinearAttention.h"
#include "LinearAttentionBackward.h"
#include "DepthwisePacked.h"
#include "DepthwiseConvolution.h"
#include "Pooling.h"
#include "Sampling.h"
#include "Fourier.h"
#include "Complex.h"
#include "Hadamard.h"
#include "Optimisers.h"
#include "Compression.h"
#include "Quantisation.h"

const struct callosum_table TABLE = {
#define KERNEL(name, parameters, arguments) .name = name,
#include "../include/KernelList.h"
#undef KERNEL
};
