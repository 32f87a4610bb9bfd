// The persistent LSTM kernels' entry points: direction of the pass, number format and rows of a slice, and how
// the blocks of a group exchange (`local`, a cluster of 2, 4 or 8, `global`). See launch.rs for their choice.
#include "backward.cuh"
#include "forward.cuh"

#define ENTRIES(NAME, P, SUFFIX, KIND, ATTRIBUTE)                                                             \
  extern "C" __global__ void ATTRIBUTE __launch_bounds__(THREADS, 1) lstm_forward_##NAME##_##SUFFIX(          \
      Sizes sizes, const unsigned *batch_sizes, const unsigned *offsets, const float *projection,             \
      const float *projection_reverse, const float *weights, const float *state, float *output, float *gates, \
      float *h_previous, float *c_previous, void *exchange, unsigned *counters) {                             \
    forward_layer<P, KIND>(sizes, Forward{batch_sizes, offsets, projection, projection_reverse, weights,      \
                                          state, output, gates, h_previous, c_previous, exchange, counters}); \
  }                                                                                                           \
  extern "C" __global__ void ATTRIBUTE __launch_bounds__(THREADS, 1) lstm_backward_##NAME##_##SUFFIX(         \
      Sizes sizes, const unsigned *batch_sizes, const unsigned *offsets, const float *weights,                \
      const float *gates, const float *c_previous, const float *grad, float *dgates, float *dstate,           \
      float *exchange, unsigned *counters) {                                                                  \
    backward_layer<P, KIND>(sizes, Backward{batch_sizes, offsets, weights, gates, c_previous, grad, dgates,   \
                                            dstate, exchange, counters});                                     \
  }

#if defined(TAPER_EMULATE) || !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define CLUSTERS(NAME, P)                                   \
  ENTRIES(NAME, P, cluster2, CLUSTER, __cluster_dims__(2))  \
  ENTRIES(NAME, P, cluster4, CLUSTER, __cluster_dims__(4))  \
  ENTRIES(NAME, P, cluster8, CLUSTER, __cluster_dims__(8))
#else
#define CLUSTERS(NAME, P)
#endif

#define ALL(NAME, P)               \
  ENTRIES(NAME, P, local, LOCAL, ) \
  ENTRIES(NAME, P, global, GLOBAL, ) \
  CLUSTERS(NAME, P)

ALL(f32x4, F32<4>)
ALL(f32x8, F32<8>)
ALL(bf16x8, Bf16)
