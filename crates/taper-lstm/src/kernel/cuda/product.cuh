// The recurrent product of one step: `out[row, m] = sum over k of a[m, k] * in[row, k]`, `a` held in shared
// memory for the whole sequence in the order in which the lanes of a warp read it. `m` goes in tiles of 16,
// one warp each; every sum is made in a fixed order, and handed over as `out(row, tile, m % 16, sum)`.
#pragma once
#include "device.cuh"

constexpr int WARPS = THREADS / 32;

// Adds the sums of two lanes, `mask` apart; the `upper` one goes on with the second half of them, from `first` on.
template <int HALF>
__device__ __forceinline__ void halve(float *sums, bool upper, int mask, int &first) {
#pragma unroll
  for (int j = 0; j < HALF; ++j) {
    float kept = upper ? sums[j + HALF] : sums[j];
    sums[j] = kept + shuffle_xor(upper ? sums[j] : sums[j + HALF], mask);
  }
  if (upper) first += HALF;
}

// f32, on the ordinary units. A lane holds 4 m and, of every 32 k, 4: lane = 8 * (m % 16 / 4) + k % 32 / 4.
template <int ROWS_> struct F32 {
  typedef float Element;
  static constexpr int ROWS = ROWS_;
  static constexpr int CHUNK = 32;
  // Rows of `in` need no padding against bank conflicts: 8 lanes read 128 bytes of one row.
  static constexpr int PAD = 0;

  static __device__ __forceinline__ float element(float value) { return value; }

  static __device__ __forceinline__ int packed_index(int m, int k, int chunks) {
    int lane = 8 * (m % 16 / 4) + k % 32 / 4;
    return (((m / 16 * chunks + k / 32) * 4 + m % 4) * 32 + lane) * 4 + k % 4;
  }

  template <class Out>
  static __device__ __forceinline__ void product(const float *packed, const float *in, int stride,
                                                 int tiles, int chunks, Out out) {
    const int warp = thread() / 32, lane = thread() % 32;
    for (int tile = warp; tile < tiles; tile += WARPS) {
      float sums[4 * ROWS];
#pragma unroll
      for (int j = 0; j < 4 * ROWS; ++j) sums[j] = 0.0f;
      const float4 *a = reinterpret_cast<const float4 *>(packed) + tile * chunks * 128 + lane;
      const float *x = in + 4 * (lane % 8);
      for (int chunk = 0; chunk < chunks; ++chunk, a += 128, x += CHUNK) {
        float4 weights[4];
#pragma unroll
        for (int m = 0; m < 4; ++m) weights[m] = a[32 * m];
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {
          float4 value = *reinterpret_cast<const float4 *>(x + row * stride);
#pragma unroll
          for (int m = 0; m < 4; ++m) {
            float sum = sums[4 * row + m];
            sum = fmaf(weights[m].x, value.x, sum);
            sum = fmaf(weights[m].y, value.y, sum);
            sum = fmaf(weights[m].z, value.z, sum);
            sums[4 * row + m] = fmaf(weights[m].w, value.w, sum);
          }
        }
      }
      // Eight lanes hold parts of the same sums: each halving leaves a lane half as many, twice as whole.
      int first = 0;
      halve<2 * ROWS>(sums, lane & 4, 4, first);
      halve<ROWS>(sums, lane & 2, 2, first);
      halve<ROWS / 2>(sums, lane & 1, 1, first);
#pragma unroll
      for (int j = 0; j < ROWS / 2; ++j)
        out((first + j) / 4, tile, 4 * (lane / 8) + (first + j) % 4, sums[j]);
    }
  }
};

// bf16 operands on the tensor cores, f32 sums. `a` lies as the fragments of PTX's m16n8k16.
struct Bf16 {
  typedef bf16 Element;
  static constexpr int ROWS = 8;
  static constexpr int CHUNK = 16;
  // 16 bytes more a row, so that the 8 rows a warp reads at once lie in different banks.
  static constexpr int PAD = 8;

  static __device__ __forceinline__ bf16 element(float value) { return to_bf16(value); }

  static __device__ __forceinline__ int packed_index(int m, int k, int chunks) {
    int lane = 4 * (m % 8) + k % 8 / 2, part = k % 16 / 8 * 2 + m % 16 / 8;
    return ((m / 16 * chunks + k / 16) * 32 + lane) * 8 + 2 * part + k % 2;
  }

  template <class Out>
  static __device__ __forceinline__ void product(const bf16 *packed, const bf16 *in, int stride,
                                                 int tiles, int chunks, Out out) {
    const int warp = thread() / 32, lane = thread() % 32;
    const int group = lane / 4, pair = 2 * (lane % 4);
    for (int tile = warp; tile < tiles; tile += WARPS) {
      // Two chains, so that one product need not wait for the other.
      float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f}, odd[4] = {0.0f, 0.0f, 0.0f, 0.0f};
      const uint4 *a = reinterpret_cast<const uint4 *>(packed) + tile * chunks * 32 + lane;
      const bf16 *x = in + group * stride + pair;
      int chunk = 0;
      for (; chunk + 2 <= chunks; chunk += 2, a += 64, x += 32) {
        const uint32_t *b = reinterpret_cast<const uint32_t *>(x);
        multiply_add(sums, a[0], b[0], b[4]);
        multiply_add(odd, a[32], b[8], b[12]);
      }
      if (chunk < chunks) {
        const uint32_t *b = reinterpret_cast<const uint32_t *>(x);
        multiply_add(sums, a[0], b[0], b[4]);
      }
      out(pair, tile, group, sums[0] + odd[0]);
      out(pair + 1, tile, group, sums[1] + odd[1]);
      out(pair, tile, group + 8, sums[2] + odd[2]);
      out(pair + 1, tile, group + 8, sums[3] + odd[3]);
    }
  }
};
