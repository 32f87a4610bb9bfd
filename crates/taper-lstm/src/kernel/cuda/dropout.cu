// Dropout with the mask of random.rs: Philox4x32-10 (Salmon et al., SC 2011) keyed by seed, stream and step, one
// block of four words for four elements. Element i is dropped iff word i is below the threshold.
#include "device.cuh"

__device__ __forceinline__ void philox(uint32_t (&counter)[4], uint32_t key_0, uint32_t key_1) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t low = static_cast<uint64_t>(counter[0]) * 0xD2511F53u;
    const uint64_t high = static_cast<uint64_t>(counter[2]) * 0xCD9E8D57u;
    counter[0] = static_cast<uint32_t>(high >> 32) ^ counter[1] ^ key_0;
    counter[1] = static_cast<uint32_t>(high);
    counter[2] = static_cast<uint32_t>(low >> 32) ^ counter[3] ^ key_1;
    counter[3] = static_cast<uint32_t>(low);
    key_0 += 0x9E3779B9u, key_1 += 0xBB67AE85u;
  }
}

// x, y: [count]
template <class T>
__device__ void dropout(uint64_t count, uint64_t seed, uint32_t stream, uint32_t step, uint32_t threshold, T scale,
                        const T *x, T *y) {
  const uint64_t index = static_cast<uint64_t>(block()) * block_threads() + thread();
  if (4 * index >= count) return;
  uint32_t words[4] = {static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), stream, step};
  philox(words, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const uint64_t at = 4 * index + j;
    if (at < count) y[at] = words[j] < threshold ? T(0) : x[at] * scale;
  }
}

extern "C" __global__ void dropout_f32(uint64_t count, uint64_t seed, uint32_t stream, uint32_t step,
                                       uint32_t threshold, float scale, const float *x, float *y) {
  dropout(count, seed, stream, step, threshold, scale, x, y);
}

extern "C" __global__ void dropout_f64(uint64_t count, uint64_t seed, uint32_t stream, uint32_t step,
                                       uint32_t threshold, double scale, const double *x, double *y) {
  dropout(count, seed, stream, step, threshold, scale, x, y);
}
