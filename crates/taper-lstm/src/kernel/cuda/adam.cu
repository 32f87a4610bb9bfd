// Adam's whole update of a tensor in one pass: the arithmetic of taper-train's optimizer/inplace.rs.
#include "device.cuh"

// As `[f32; 8]` in adam.rs.
struct Settings {
  float beta1, rest1, beta2, rest2; // rest = 1 - beta, rounded from double precision
  float step_size, denominator_scale, epsilon, shrink;
};

// As on the CPU: a moment that only decays would end among the denormals, and moves nothing by then.
__device__ __forceinline__ float flush(float x) { return fabsf(x) < 1e-30f ? 0.0f : x; }

// slots: [count / width], where row's gradient is among `gradient`'s rows, or -1 for a gradient of zero; with
// width 0 `gradient` is dense, [count]
extern "C" __global__ void adam(uint64_t count, uint32_t width, Settings by, const int32_t *slots,
                                const float *gradient, float *parameter, float *first, float *second) {
  const uint64_t at = static_cast<uint64_t>(block()) * block_threads() + thread();
  if (at >= count) return;
  float m = by.beta1 * first[at], v = by.beta2 * second[at];
  if (width == 0) {
    const float g = gradient[at];
    m = flush(m + by.rest1 * g), v = flush(v + by.rest2 * (g * g));
  } else {
    const int32_t slot = slots[at / width];
    m = flush(m), v = flush(v);
    if (slot >= 0) {
      const float g = gradient[static_cast<uint64_t>(slot) * width + at % width];
      m += by.rest1 * g, v += by.rest2 * (g * g);
    }
  }
  first[at] = m, second[at] = v;
  parameter[at] = by.shrink * parameter[at] - by.step_size * m / (by.denominator_scale * sqrtf(v) + by.epsilon);
}
